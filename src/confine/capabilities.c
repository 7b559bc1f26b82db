#include "confine/capabilities.h"

#include <errno.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/capability.h"
#include "wire/confinement.h"

/* Without a wrapper in the C library: capget(2) points to libcap, for these two calls. */
struct sets {
	struct __user_cap_header_struct header;
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
};

static const struct sets none = { .header = { .version = _LINUX_CAPABILITY_VERSION_3 } };

int capabilities_look(void)
{
	struct sets sets = none;
	if (syscall(SYS_capget, &sets.header, sets.data) < 0)
		return -errno;
	return memcmp(sets.data, none.data, sizeof sets.data) ? -EPERM : CONFINEMENT_ACTIVE;
}

int capabilities_give_up(void)
{
	struct sets sets = none;
	/* First, where that is allowed: it takes a capability. */
	(void)capability_bound(0);
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	if (syscall(SYS_capset, &sets.header, sets.data) < 0)
		return -errno;
	return capabilities_look();
}
