#include "confine/landlock.h"

#include <errno.h>

#include "base/fd.h"
#include "base/landlock.h"

static uint64_t file_rights(int level, enum confine_role role)
{
	uint64_t rights = landlock_file_rights(level);
	/* Some look names up, for which the C library reads its files and loads its modules. */
	if (role == CONFINE_TAKER)
		rights &= ~(uint64_t)(LANDLOCK_FILE_READ | LANDLOCK_FILE_READ_FOLDER);
	return rights;
}

static struct landlock_rights choose_rights(int level, enum confine_role role)
{
	struct landlock_rights rights = { .file = file_rights(level, role) };
	if (level >= 4)
		rights.net = LANDLOCK_NET_BIND_TCP |
			     (role == CONFINE_TAKER ? 0 : LANDLOCK_NET_CONNECT_TCP);
	if (level >= 6)
		rights.scope = LANDLOCK_SCOPED_SIGNAL |
			       (role == CONFINE_ACCEPTOR || role == CONFINE_GUARD
						? LANDLOCK_SCOPED_ABSTRACT_UNIX
						: 0);
	return rights;
}

int landlock_restrict(enum confine_role role)
{
	int level = landlock_level();
	if (level < 0)
		return level;
	fd_auto int fd = landlock_open(choose_rights(level, role));
	if (fd < 0)
		return fd;
	return landlock_enter(fd) < 0 ? -errno : level;
}
