#include "process/filter.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static enum filter_kind kind_of(enum sandbox sandbox, bool has_network)
{
	if (sandbox == SANDBOX_BASIC)
		return FILTER_BASIC;
	return has_network ? FILTER_STRICT_NETWORK : FILTER_STRICT;
}

static bool is_supported(void)
{
	uint32_t action = SECCOMP_RET_ERRNO;
	return syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
}

int filter_get(struct filter *ret_filter, enum sandbox sandbox, bool has_network)
{
	struct filter filter = { NULL, 0 };
	if (is_supported()) {
		filter = filter_of(kind_of(sandbox, has_network));
		if (filter.n == 0)
			return -ENOMEM;
	}
	*ret_filter = filter;
	return 0;
}

int filter_install(const struct filter *filter)
{
	struct sock_fprog program = { (unsigned short)filter->n, (struct sock_filter *)filter->steps };
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0);
}
