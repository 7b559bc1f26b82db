#include "process/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cgroup.h"
#include "base/fd.h"
#include "base/pid.h"
#include "process/orphans.h"

/* Of each second so many microseconds are one per cent. */
enum { CPU_PERIOD_US = 100000, CPU_PERCENT_US = CPU_PERIOD_US / 100 };

/* Who is forked while we move the others is moved in the next round. */
enum { MOVE_ROUNDS = 20, VALUE_SIZE = 64 };

enum { N_CONTROLLERS = 3 };

static const char *const controllers[N_CONTROLLERS] = { "memory", "pids", "cpu" };

static struct {
	char path[PATH_MAX]; /* in which we were started; empty: not looked for yet */
	pid_t owner;         /* whose groups they are: of a fdsup that died before us; 0: ours */
	bool is_moved;       /* we are in a part of it */
	bool is_enabled[N_CONTROLLERS];
	bool was_enabled[N_CONTROLLERS]; /* by somebody else, and stays so */
} base;

static int owner(void)
{
	return base.owner ? (int)base.owner : (int)getpid();
}

/* ---- files ----------------------------------------------------------------------------------- */

__attribute__((format(printf, 2, 3))) static int join_path(char path[PATH_MAX], const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	int n = vsnprintf(path, PATH_MAX, format, arguments);
	va_end(arguments);
	return n < PATH_MAX ? 0 : -ENAMETOOLONG;
}

static int write_text(const char *folder, const char *name, const char *text)
{
	char path[PATH_MAX];
	int r = join_path(path, "%s/%s", folder, name);
	if (r < 0)
		return r;
	fd_auto int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	return write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

static int write_number(const char *folder, const char *name, uint64_t number)
{
	char text[VALUE_SIZE] = "max";
	if (number)
		snprintf(text, sizeof text, "%llu", (unsigned long long)number);
	return write_text(folder, name, text);
}

static FILE *open_file(const char *folder, const char *name)
{
	char path[PATH_MAX];
	return join_path(path, "%s/%s", folder, name) == 0 ? fopen(path, "re") : NULL;
}

static int service_path(const char *service, char path[PATH_MAX])
{
	return join_path(path, "%s/" CGROUP_PREFIX "%d.%s", base.path, owner(), service);
}

/* ---- the group that is divided --------------------------------------------------------------- */

/* What a fdsup left that was killed, and whose processes are gone. */
static void remove_abandoned(void)
{
	DIR *folder = opendir(base.path);
	struct dirent *entry;
	while (folder && (entry = readdir(folder))) {
		char path[PATH_MAX];
		size_t length = sizeof CGROUP_PREFIX - 1;
		if (strncmp(entry->d_name, CGROUP_PREFIX, length))
			continue;
		int pid = atoi(entry->d_name + length);
		bool is_abandoned = pid != owner() && pid_is_gone(pid);
		if (is_abandoned && join_path(path, "%s/%s", base.path, entry->d_name) == 0)
			rmdir(path);
	}
	if (folder)
		closedir(folder);
}

static int own_path(char path[PATH_MAX])
{
	return join_path(path, "%s/" CGROUP_PREFIX "%d", base.path, owner());
}

/* Also after another program was executed in our place, which has all this before it. */
static int find_base(void)
{
	char path[PATH_MAX];
	if (base.path[0])
		return 0;
	int r = cgroup_find(base.path);
	if (r < 0) {
		base.path[0] = 0;
		return r;
	}
	base.is_moved = own_path(path) == 0 && access(path, F_OK) == 0;
	for (size_t i = 0; i < N_CONTROLLERS; i++) {
		base.is_enabled[i] = cgroup_has_enabled(base.path, controllers[i]);
		base.was_enabled[i] = base.is_enabled[i] && !base.is_moved;
	}
	remove_abandoned();
	return 0;
}

/* The one at the top of all may have processes beside groups; it has no type. */
static bool is_top(void)
{
	char path[PATH_MAX];
	return join_path(path, "%s/cgroup.type", base.path) == 0 && access(path, F_OK) < 0;
}

struct move {
	const char *target;
	FILE *members;
	unsigned n_moved;
};

static void move_one(struct move *move, pid_t pid)
{
	char text[VALUE_SIZE];
	snprintf(text, sizeof text, "%d", (int)pid);
	move->n_moved += write_text(move->target, "cgroup.procs", text) == 0;
}

/* Ours that are in the group itself; those in groups of services are not among its members. */
static void move_if_member(void *context, pid_t pid, const char *service)
{
	(void)service;
	struct move *move = context;
	int member;
	rewind(move->members);
	while (fscanf(move->members, "%d", &member) == 1)
		if (member == pid)
			move_one(move, pid);
}

static int move_ours(const char *target)
{
	for (int i = 0; i < MOVE_ROUNDS; i++) {
		struct move move = { target, open_file(base.path, "cgroup.procs"), 0 };
		if (!move.members)
			return -errno;
		move_if_member(&move, getpid(), NULL);
		orphans_walk(move_if_member, &move);
		fclose(move.members);
		if (!move.n_moved)
			return 0;
	}
	return 0;
}

static int move_out(void)
{
	char path[PATH_MAX];
	int r = own_path(path);
	if (r == 0 && mkdir(path, 0755) < 0 && errno != EEXIST)
		r = -errno;
	if (r == 0)
		r = move_ours(path);
	base.is_moved = r == 0;
	return r;
}

static bool is_wanted(const struct service_config *service, size_t controller)
{
	const uint64_t limits[N_CONTROLLERS] = { service->surroundings->cgroup_memory_max,
		service->surroundings->cgroup_pids_max, service->surroundings->cgroup_cpu_max };
	return limits[controller] != 0;
}

static int enable(size_t controller, const char **ret_step)
{
	char text[VALUE_SIZE];
	int r = is_top() || base.is_moved ? 0 : move_out();
	if (r < 0)
		return r;
	snprintf(text, sizeof text, "+%s", controllers[controller]);
	r = write_text(base.path, "cgroup.subtree_control", text);
	if (r == -EBUSY)
		*ret_step = "cgroup (other processes are in fdsup's own group; start it in one of its own, as "
			    "systemd does)";
	base.is_enabled[controller] = r == 0;
	return r;
}

/* ---- the group of a service ------------------------------------------------------------------ */

/* A limit that is no longer there is taken back. */
static int set_limits(const struct service_config *service, const char *path, const char **ret_step)
{
	char cpu[VALUE_SIZE];
	int r = 0;
	*ret_step = "cgroup.memory_max";
	if (base.is_enabled[0])
		r = write_number(path, "memory.max", service->surroundings->cgroup_memory_max);
	if (r == 0 && base.is_enabled[1]) {
		*ret_step = "cgroup.pids_max";
		r = write_number(path, "pids.max", service->surroundings->cgroup_pids_max);
	}
	if (r == 0 && base.is_enabled[2]) {
		*ret_step = "cgroup.cpu_max";
		if (service->surroundings->cgroup_cpu_max)
			snprintf(cpu, sizeof cpu, "%llu %d",
				(unsigned long long)service->surroundings->cgroup_cpu_max *
					CPU_PERCENT_US,
				CPU_PERIOD_US);
		else
			snprintf(cpu, sizeof cpu, "max %d", CPU_PERIOD_US);
		r = write_text(path, "cpu.max", cpu);
	}
	return r;
}

int cgroup_open(const struct service_config *service, const char **ret_step)
{
	char path[PATH_MAX], procs[PATH_MAX];
	*ret_step = "cgroup (there is no cgroup v2 here)";
	int r = find_base();
	if (r < 0)
		return r;
	*ret_step = "cgroup (fdsup must be root, or its group be delegated to it)";
	for (size_t i = 0; i < N_CONTROLLERS && r == 0; i++)
		if (is_wanted(service, i) && !base.is_enabled[i])
			r = enable(i, ret_step);
	if (r == 0)
		r = service_path(service->name, path);
	if (r == 0 && mkdir(path, 0755) < 0 && errno != EEXIST)
		r = -errno;
	if (r == 0)
		r = set_limits(service, path, ret_step);
	if (r == 0)
		r = join_path(procs, "%s/cgroup.procs", path);
	if (r < 0)
		return r;
	*ret_step = "cgroup";
	int fd = open(procs, O_WRONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int cgroup_join(int join_fd)
{
	return write(join_fd, "0", 1) == 1 ? 0 : -1;
}

/* ---- the groups in a tree -------------------------------------------------------------------- */

/* Calls `act` for each group below this one, the deepest first, then for itself. */
static int each_group(const char *path, int (*act)(void *context, const char *path), void *context)
{
	DIR *folder = opendir(path);
	struct dirent *entry;
	if (!folder)
		return -errno;
	while ((entry = readdir(folder))) {
		char below[PATH_MAX];
		if (entry->d_type == DT_DIR && entry->d_name[0] != '.' &&
			join_path(below, "%s/%s", path, entry->d_name) == 0)
			each_group(below, act, context);
	}
	closedir(folder);
	return act(context, path);
}

struct walk {
	void (*visit)(void *context, pid_t pid);
	void *context;
};

static int visit_members(void *context, const char *path)
{
	const struct walk *walk = context;
	FILE *members = open_file(path, "cgroup.procs");
	int pid;
	if (!members)
		return -errno;
	while (fscanf(members, "%d", &pid) == 1)
		if (pid > 0)
			walk->visit(walk->context, pid);
	fclose(members);
	return 0;
}

int cgroup_walk(const char *service, void (*visit)(void *context, pid_t pid), void *context)
{
	char path[PATH_MAX];
	struct walk walk = { visit, context };
	int r = find_base() == 0 ? service_path(service, path) : -ENOENT;
	return r < 0 ? r : each_group(path, visit_members, &walk);
}

static void kill_one(void *context, pid_t pid)
{
	(void)context;
	kill(pid, SIGKILL);
}

void cgroup_kill(const char *service)
{
	char path[PATH_MAX];
	if (find_base() == 0 && service_path(service, path) == 0 && write_text(path, "cgroup.kill", "1") < 0)
		cgroup_walk(service, kill_one, NULL);
}

uint64_t cgroup_oom_kills(const char *service)
{
	char path[PATH_MAX], name[VALUE_SIZE];
	unsigned long long number, n_kills = 0;
	FILE *events =
		find_base() == 0 && service_path(service, path) == 0 ? open_file(path, "memory.events") : NULL;
	while (events && fscanf(events, "%63s %llu", name, &number) == 2)
		if (!strcmp(name, "oom_kill"))
			n_kills = number;
	if (events)
		fclose(events);
	return n_kills;
}

static int remove_one(void *context, const char *path)
{
	(void)context;
	return rmdir(path) < 0 ? -errno : 0;
}

int cgroup_remove(const char *service)
{
	char path[PATH_MAX];
	int r = find_base() == 0 ? service_path(service, path) : -ENOENT;
	return r < 0 ? r : each_group(path, remove_one, NULL);
}

void cgroup_leave(void)
{
	char path[PATH_MAX], text[VALUE_SIZE];
	for (size_t i = 0; i < N_CONTROLLERS; i++) {
		if (!base.is_enabled[i] || base.was_enabled[i])
			continue;
		snprintf(text, sizeof text, "-%s", controllers[i]);
		write_text(base.path, "cgroup.subtree_control", text);
		base.is_enabled[i] = false;
	}
	if (!base.is_moved || own_path(path) < 0)
		return;
	snprintf(text, sizeof text, "%d", (int)getpid());
	write_text(base.path, "cgroup.procs", text);
	rmdir(path);
	base.is_moved = false;
}

const char *cgroup_base(int *ret_owner)
{
	*ret_owner = owner();
	return base.path[0] ? base.path : NULL;
}

void cgroup_adopt(const char *path, int owner_pid)
{
	char own[PATH_MAX];
	struct move move = { .target = own };
	snprintf(base.path, sizeof base.path, "%s", path);
	base.owner = owner_pid;
	base.is_moved = own_path(own) == 0 && access(own, F_OK) == 0;
	for (size_t i = 0; i < N_CONTROLLERS; i++)
		base.is_enabled[i] = cgroup_has_enabled(base.path, controllers[i]);
	if (base.is_moved)
		move_one(&move, getpid());
}
