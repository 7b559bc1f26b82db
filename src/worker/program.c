#include "worker/program.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"

static bool is_executable(const char *path)
{
	struct stat about;
	if (stat(path, &about) < 0)
		return false;
	if (!S_ISREG(about.st_mode)) {
		errno = S_ISDIR(about.st_mode) ? EISDIR : EACCES;
		return false;
	}
	return access(path, X_OK) == 0;
}

static char *find_in(const char *search, const char *name)
{
	while (true) {
		size_t length = strcspn(search, ":");
		char *path;
		/* An empty entry is the current directory. */
		if (asprintf(&path, "%.*s%s%s", (int)length, search, length ? "/" : "./", name) < 0)
			return NULL;
		if (is_executable(path))
			return path;
		free(path);
		if (!search[length])
			return NULL;
		search += length + 1;
	}
}

char *program_find(const char *name)
{
	if (strchr(name, '/')) {
		if (is_executable(name))
			return strdup(name);
		log_error("%s cannot be executed: %s", name, strerror(errno));
		return NULL;
	}
	const char *search = getenv("PATH");
	if (!search)
		search = "/usr/local/bin:/usr/bin:/bin";
	char *path = *name ? find_in(search, name) : NULL;
	if (!path)
		log_error("no command \"%s\" in PATH (%s): give its path", name, search);
	return path;
}
