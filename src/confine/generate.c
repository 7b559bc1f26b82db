/*
 * Run while fdsup is built: prints C code with the filter of every role.
 */
#include <linux/filter.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "confine/rules.h"

static const struct {
	enum confine_role role;
	const char *name;
} roles[] = {
	{ CONFINE_ACCEPTOR, "CONFINE_ACCEPTOR" },
	{ CONFINE_ACCEPTOR_BY_HAND, "CONFINE_ACCEPTOR_BY_HAND" },
	{ CONFINE_TAKER, "CONFINE_TAKER" },
};
enum { N_ROLES = sizeof roles / sizeof *roles };

static int print(unsigned n, const char *name, scmp_filter_ctx filter)
{
	struct sock_filter step;
	ssize_t size;
	/* libseccomp before 2.6 writes to descriptors alone. */
	int fd = memfd_create("filter", MFD_CLOEXEC);
	if (!filter || fd < 0 || seccomp_export_bpf(filter, fd) < 0 || lseek(fd, 0, SEEK_SET) < 0)
		return -1;
	printf("\nstatic const struct sock_filter steps_%u[] = { /* %s */\n", n, name);
	while ((size = read(fd, &step, sizeof step)) == sizeof step)
		printf("\t{ 0x%02x, %u, %u, 0x%x },\n", step.code, step.jt, step.jf, step.k);
	printf("};\n");
	close(fd);
	return size == 0 ? 0 : -1;
}

int main(int argc, char *argv[])
{
	bool is_wide = argc > 1 && !strcmp(argv[1], "--wide");
	printf("/* Made by generate.c when fdsup was built. */\n#include \"confine/filters.h\"\n");
	for (unsigned i = 0; i < N_ROLES; i++) {
		scmp_filter_ctx filter = rules_make(roles[i].role, is_wide);
		if (print(i, roles[i].name, filter) < 0) {
			fprintf(stderr, "no filter for %s\n", roles[i].name);
			return 1;
		}
		seccomp_release(filter);
	}
	printf("\nstruct filter filter_of(enum confine_role role)\n{\n\tswitch (role) {\n");
	for (unsigned i = 0; i < N_ROLES; i++)
		printf("\tcase %s:\n\t\treturn (struct filter){ steps_%u, sizeof steps_%u / "
		       "sizeof *steps_%u };\n",
			roles[i].name, i, i, i);
	printf("\t}\n\treturn (struct filter){ NULL, 0 };\n}\n");
	return 0;
}
