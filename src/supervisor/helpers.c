#include "supervisor/helpers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char *try_path(const char *directory, const char *sub, const char *name)
{
	char *path;
	if (asprintf(&path, "%s%s/%s", directory, sub, name) < 0)
		return NULL;
	if (access(path, X_OK) == 0)
		return path;
	free(path);
	return NULL;
}

char *helpers_find(const char *name)
{
	char self[4096];
	char *path = NULL;
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
	if (n > 0) {
		self[n] = 0;
		char *slash = strrchr(self, '/');
		if (slash)
			*slash = 0;
		path = try_path(self, "", name);
		if (!path)
			path = try_path(self, "/../libexec/fdsup", name);
	}
	return path ? path : try_path(FDSUP_LIBEXECDIR, "", name);
}
