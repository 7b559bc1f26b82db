#include "confine/capabilities.h"

#include <errno.h>

#include "base/capability.h"
#include "wire/confinement.h"

int capabilities_look(void)
{
	int r = capability_has_any();
	if (r < 0)
		return r;
	return r > 0 ? -EPERM : CONFINEMENT_ACTIVE;
}

int capabilities_give_up(void)
{
	/* First, where that is allowed: it takes a capability. */
	(void)capability_bound(0);
	if (capability_hold(0) < 0)
		return -errno;
	return capabilities_look();
}
