#include "worker/enclosure.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/capability.h"
#include "base/log.h"

/* What we were left for this alone must not come back with a program that is executed. */
static bool drop_rights(uint64_t kept)
{
	uint64_t permitted = capability_permitted();
	bool may_bound = permitted & CAPABILITY_BIT(CAPABILITY_SETPCAP);
	return (!may_bound || capability_bound(kept) == 0) && capability_hold(kept & permitted) == 0;
}

bool enclosure_enter(const struct options *options)
{
	const char *directory = options->directory;
	if (!directory && options->root)
		directory = "/";
	if (options->root && chroot(options->root) < 0) {
		log_error("--chroot %s: %s; it must be a folder, and who changes the root directory must "
			  "be root",
			options->root, strerror(errno));
		return false;
	}
	if (directory && chdir(directory) < 0) {
		log_error("--directory %s: %s; the service's user must be allowed to enter it", directory,
			strerror(errno));
		return false;
	}
	if (options->is_holding && !drop_rights(options->capabilities)) {
		log_error("--capabilities: %s", strerror(errno));
		return false;
	}
	return true;
}
