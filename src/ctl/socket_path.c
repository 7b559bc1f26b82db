#include "ctl/socket_path.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_set(const char *text)
{
	return text && *text;
}

char *socket_path_choose(const struct socket_choice *choice)
{
	char *path;
	if (is_set(choice->option))
		return strdup(choice->option);
	if (is_set(choice->environment))
		return strdup(choice->environment);
	bool is_for_system = choice->is_root || !is_set(choice->runtime_dir) ||
			     (choice->has_system && !choice->has_own);
	if (is_for_system)
		return strdup(SOCKET_PATH_SYSTEM);
	return asprintf(&path, "%s/fdsup/admin.sock", choice->runtime_dir) < 0 ? NULL : path;
}

/* Whether an fdsup of one's own has been started. */
static bool has_own_socket(const char *runtime_dir)
{
	struct stat status;
	char *path = NULL;
	bool has = is_set(runtime_dir) && asprintf(&path, "%s/fdsup/admin.sock", runtime_dir) >= 0 &&
		   stat(path, &status) == 0;
	free(path);
	return has;
}

char *socket_path_find(const char *option)
{
	struct stat status;
	struct socket_choice choice = {
		.option = option,
		.environment = getenv("FDSUP_SOCKET"),
		.runtime_dir = getenv("XDG_RUNTIME_DIR"),
		.is_root = geteuid() == 0,
		.has_own = has_own_socket(getenv("XDG_RUNTIME_DIR")),
		.has_system = stat(SOCKET_PATH_SYSTEM, &status) == 0 || errno == EACCES,
	};
	return socket_path_choose(&choice);
}

char *socket_path_beside(const char *socket_path, const char *name)
{
	const char *slash = strrchr(socket_path, '/');
	char *path;
	int length = slash ? (int)(slash - socket_path) + 1 : 0;
	return asprintf(&path, "%.*s%s", length, socket_path, name) < 0 ? NULL : path;
}
