#include "confine/confine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

#include "confine/calls.h"
#include "confine/capabilities.h"
#include "confine/landlock.h"

bool confine_is_wide(void)
{
#ifdef FDSUP_CONFINE_WIDE
	return true;
#else
	return false;
#endif
}

bool confine_is_under_valgrind(void)
{
	const char *preloaded = getenv("LD_PRELOAD");
	return preloaded && strstr(preloaded, "vgpreload");
}

static int give_up_new_privileges(void)
{
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : CONFINEMENT_ACTIVE;
}

void confine(enum confine_role role, struct confinement *ret_confinement)
{
	/* The zone's file cannot be read any more later. */
	if (role != CONFINE_GUARD)
		tzset();
	if (confine_is_wide() && role != CONFINE_TAKER)
		role = CONFINE_TAKER;
	bool has_any_use = role != CONFINE_ACCEPTOR && role != CONFINE_GUARD;
	*ret_confinement = (struct confinement){
		.no_new_privileges = give_up_new_privileges(),
		.capabilities = has_any_use ? capabilities_look() : capabilities_give_up(),
	};
	if (confine_is_under_valgrind())
		return;
	/* Landlock before seccomp, which lets nobody make its calls. */
	ret_confinement->landlock = landlock_restrict(role);
	ret_confinement->seccomp = calls_restrict(role);
}
