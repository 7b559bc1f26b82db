#include "supervisor/helpers.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "supervisor/supervisor.h"

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

/* Where it lay when it was executed, the caller's; NULL: there is no /proc. */
static char *helpers_own_path(void)
{
	static const char gone[] = " (deleted)"; /* another file may be there already */
	char self[4096];
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
	if (n <= 0)
		return NULL;
	self[n] = 0;
	if (n > (ssize_t)sizeof gone && !strcmp(self + n - (sizeof gone - 1), gone))
		self[n - (ssize_t)(sizeof gone - 1)] = 0;
	return strdup(self);
}

/* The path of "fdsup-acceptor", for example, the caller's. NULL: it is nowhere. */
static char *find_program(const char *name)
{
	char *path = NULL, *self = helpers_own_path();
	if (self) {
		char *slash = strrchr(self, '/');
		if (slash)
			*slash = 0;
		path = try_path(self, "", name);
		if (!path)
			path = try_path(self, "/../libexec/fdsup", name);
	}
	free(self);
	return path ? path : try_path(FDSUP_LIBEXECDIR, "", name);
}

uint64_t helpers_identity(const char *path)
{
	struct stat status;
	if (stat(path, &status) < 0)
		return 0;
	uint64_t parts[] = { status.st_dev, status.st_ino, (uint64_t)status.st_mtim.tv_sec,
		(uint64_t)status.st_mtim.tv_nsec, (uint64_t)status.st_size };
	uint64_t identity = 0;
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		identity = (identity ^ parts[i]) * UINT64_C(1099511628211);
	return identity >> 1 ? identity >> 1 : 1; /* JSON's integers have a sign */
}

int helpers_find_all(struct supervisor *supervisor)
{
	const struct {
		const char *name;
		char **path;
	} programs[] = {
		{ "fdsup-acceptor", &supervisor->acceptor_path },
		{ "fdsup-worker", &supervisor->worker_path },
		{ "fdsup-redirect", &supervisor->redirect_path },
		{ "fdsup-builtin", &supervisor->builtin_path },
		{ "fdsup-relay", &supervisor->relay_path },
		{ "fdsup-keeper", &supervisor->keeper_path },
	};
	free(supervisor->program_path);
	supervisor->program_path = helpers_own_path();
	for (size_t i = 0; i < sizeof programs / sizeof *programs; i++) {
		free(*programs[i].path);
		*programs[i].path = find_program(programs[i].name);
		if (*programs[i].path)
			continue;
		log_error("cannot find %s beside fdsup, in ../libexec/fdsup or in %s; install it there",
			programs[i].name, FDSUP_LIBEXECDIR);
		return -ENOENT;
	}
	return 0;
}

uint64_t helpers_identity_of_workers(const struct supervisor *supervisor)
{
	const char *const paths[] = { supervisor->worker_path, supervisor->redirect_path,
		supervisor->builtin_path, supervisor->relay_path };
	uint64_t identity = 0;
	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
		identity = (identity ^ helpers_identity(paths[i])) * UINT64_C(1099511628211);
	return identity >> 1;
}
