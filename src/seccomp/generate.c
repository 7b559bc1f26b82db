/*
 * Run while fdsup is built: prints C code with all filters.
 */
#include <linux/filter.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "seccomp/rules.h"

static int print(unsigned kind)
{
	struct sock_filter step;
	ssize_t size;
	scmp_filter_ctx filter = rules_make(kind);
	/* libseccomp before 2.6 writes to descriptors alone. */
	int fd = memfd_create("filter", MFD_CLOEXEC);
	if (!filter || fd < 0 || seccomp_export_bpf(filter, fd) < 0 || lseek(fd, 0, SEEK_SET) < 0)
		return -1;
	printf("\nstatic const struct sock_filter steps_%u[] = {\n", kind);
	while ((size = read(fd, &step, sizeof step)) == sizeof step)
		printf("\t{ 0x%02x, %u, %u, 0x%x },\n", step.code, step.jt, step.jf, step.k);
	printf("};\n");
	close(fd);
	seccomp_release(filter);
	return size == 0 ? 0 : -1;
}

int main(void)
{
	printf("/* Made by generate.c when fdsup was built. */\n#include \"seccomp/filters.h\"\n");
	for (unsigned kind = 0; kind < FILTER_KINDS; kind++)
		if (print(kind) < 0) {
			fprintf(stderr, "cannot make filter %u\n", kind);
			return 1;
		}
	printf("\nstruct filter filter_of(enum filter_kind kind)\n{\n"
	       "\tstatic const struct filter filters[FILTER_KINDS] = {\n");
	for (unsigned kind = 0; kind < FILTER_KINDS; kind++)
		printf("\t\t{ steps_%u, sizeof steps_%u / sizeof *steps_%u },\n", kind, kind, kind);
	printf("\t};\n\treturn filters[kind];\n}\n");
	return 0;
}
