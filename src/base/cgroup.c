#include "base/cgroup.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* "0::/system.slice/fdsup.service": what follows the last colon. */
static int read_own(char ret_own[PATH_MAX])
{
	char line[PATH_MAX + 16];
	int r = -ENOENT;
	FILE *file = fopen("/proc/self/cgroup", "re");
	if (!file)
		return -errno;
	while (r < 0 && fgets(line, sizeof line, file)) {
		line[strcspn(line, "\n")] = 0;
		if (strncmp(line, "0::/", 4) || strlen(line + 3) >= PATH_MAX)
			continue;
		strcpy(ret_own, line + 3);
		r = 0;
	}
	fclose(file);
	return r;
}

/* "36 35 0:30 ROOT MOUNT_POINT OPTIONS ... - cgroup2 ...": proc(5). */
static bool parse_mount(char *line, char **ret_root, char **ret_point)
{
	char *rest = strstr(line, " - cgroup2 ");
	if (!rest)
		return false;
	char *at = line;
	for (int i = 0; i < 3 && at; i++) {
		at = strchr(at, ' ');
		at = at ? at + 1 : NULL;
	}
	*ret_root = at ? strtok_r(at, " ", &rest) : NULL;
	*ret_point = *ret_root ? strtok_r(NULL, " ", &rest) : NULL;
	return *ret_point != NULL;
}

/* The path of our group below the root that is mounted; NULL: it is not below it. */
static const char *below(const char *own, const char *root)
{
	size_t length = strcmp(root, "/") ? strlen(root) : 0;
	if (strncmp(own, root, length) || (own[length] && own[length] != '/'))
		return NULL;
	return !strcmp(own + length, "/") ? "" : own + length;
}

static int find_mounted(const char *own, char ret_path[PATH_MAX])
{
	char line[2 * PATH_MAX];
	int r = -ENOENT;
	FILE *file = fopen("/proc/self/mountinfo", "re");
	if (!file)
		return -errno;
	while (r < 0 && fgets(line, sizeof line, file)) {
		char *root, *point;
		const char *rest = parse_mount(line, &root, &point) ? below(own, root) : NULL;
		if (rest && snprintf(ret_path, PATH_MAX, "%s%s", point, rest) < PATH_MAX)
			r = 0;
	}
	fclose(file);
	return r;
}

/* From the part that is for fdsup itself to the whole. */
static void leave_part(char path[PATH_MAX])
{
	char *name = strrchr(path, '/');
	size_t length = sizeof CGROUP_PREFIX - 1;
	if (name && !strncmp(name + 1, CGROUP_PREFIX, length) && name[1 + length] &&
		!name[1 + length + strspn(name + 1 + length, "0123456789")])
		*name = 0;
}

int cgroup_find(char ret_path[PATH_MAX])
{
	char own[PATH_MAX];
	int r = read_own(own);
	if (r == 0)
		r = find_mounted(own, ret_path);
	if (r == 0)
		leave_part(ret_path);
	return r;
}

bool cgroup_is_ours(const char *path)
{
	char procs[PATH_MAX];
	return snprintf(procs, sizeof procs, "%s/cgroup.procs", path) < (int)sizeof procs &&
	       access(path, W_OK) == 0 && access(procs, W_OK) == 0;
}

static bool is_listed(const char *path, const char *list, const char *controller)
{
	char name[PATH_MAX], line[256] = "", *rest = NULL;
	if (snprintf(name, sizeof name, "%s/%s", path, list) >= (int)sizeof name)
		return false;
	FILE *file = fopen(name, "re");
	bool is_there = false;
	if (file && fgets(line, sizeof line, file))
		for (char *word = strtok_r(line, " \n", &rest); word && !is_there;
			word = strtok_r(NULL, " \n", &rest))
			is_there = !strcmp(word, controller);
	if (file)
		fclose(file);
	return is_there;
}

bool cgroup_has_controller(const char *path, const char *controller)
{
	return is_listed(path, "cgroup.controllers", controller);
}

bool cgroup_has_enabled(const char *path, const char *controller)
{
	return is_listed(path, "cgroup.subtree_control", controller);
}
