/*
 * The filters where fdsup is built for another machine: made by libseccomp when they are first needed.
 */
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "seccomp/rules.h"

static struct filter load(int fd)
{
	struct stat file;
	if (fstat(fd, &file) < 0 || file.st_size <= 0)
		return (struct filter){ NULL, 0 };
	struct sock_filter *steps = malloc((size_t)file.st_size);
	if (!steps || pread(fd, steps, (size_t)file.st_size, 0) != file.st_size) {
		free(steps);
		return (struct filter){ NULL, 0 };
	}
	return (struct filter){ steps, (size_t)file.st_size / sizeof *steps };
}

struct filter filter_of(enum filter_kind kind)
{
	static struct filter filters[FILTER_KINDS];
	if (filters[kind].n)
		return filters[kind];
	fd_auto int fd = memfd_create("filter", MFD_CLOEXEC);
	scmp_filter_ctx rules = rules_make(kind);
	if (rules && fd >= 0 && seccomp_export_bpf(rules, fd) == 0)
		filters[kind] = load(fd);
	if (rules)
		seccomp_release(rules);
	return filters[kind];
}
