/*
 * The filters where fdsup is built for another machine: made by libseccomp when they are needed.
 */
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "confine/filters.h"
#include "confine/rules.h"

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

struct filter filter_of(enum confine_role role)
{
	fd_auto int fd = memfd_create("filter", MFD_CLOEXEC);
	scmp_filter_ctx rules = rules_make(role, confine_is_wide());
	struct filter filter = { NULL, 0 };
	if (rules && fd >= 0 && seccomp_export_bpf(rules, fd) == 0)
		filter = load(fd);
	if (rules)
		seccomp_release(rules);
	return filter;
}
