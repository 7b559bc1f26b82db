#include "process/orphans.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"

enum { ENVIRONMENT_MAX = 128 * 1024 };

static const char service_variable[] = "FDSUP_SERVICE";
const char orphans_instance[] = "FDSUP_INSTANCE";

static char adopted_instance[64]; /* empty: there was no supervisor before us */

void orphans_adopt(const char *instance)
{
	snprintf(adopted_instance, sizeof adopted_instance, "%s", instance);
}

struct process {
	pid_t pid;
	pid_t parent;
	bool is_zombie;
	bool is_ours;
};

struct processes {
	struct process *items;
	size_t n;
	size_t size;
};

static ssize_t read_file(pid_t pid, const char *name, char *text, size_t size)
{
	char path[64];
	snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
	fd_auto int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	size_t used = 0;
	ssize_t n;
	while (used < size - 1 && (n = read(fd, text + used, size - 1 - used)) > 0)
		used += (size_t)n;
	text[used] = 0;
	return (ssize_t)used;
}

/* "PID (NAME) STATE PPID ...": the name may hold anything, so look behind its last parenthesis. */
static bool read_process(pid_t pid, struct process *ret)
{
	char text[512];
	char state;
	int parent;
	if (read_file(pid, "stat", text, sizeof text) <= 0)
		return false;
	const char *rest = strrchr(text, ')');
	if (!rest || sscanf(rest + 1, " %c %d", &state, &parent) != 2)
		return false;
	*ret = (struct process){ .pid = pid, .parent = parent, .is_zombie = state == 'Z' };
	return true;
}

static int read_all(struct processes *all)
{
	DIR *proc = opendir("/proc");
	if (!proc)
		return -errno;
	int r = 0;
	struct dirent *entry;
	while (r == 0 && (entry = readdir(proc))) {
		struct process process;
		if (!isdigit((unsigned char)*entry->d_name) ||
			!read_process((pid_t)atoi(entry->d_name), &process))
			continue;
		if (all->n == all->size) {
			size_t size = all->size ? all->size * 2 : 128;
			struct process *items = realloc(all->items, size * sizeof *items);
			if (!items) {
				r = -ENOMEM;
				break;
			}
			all->items = items;
			all->size = size;
		}
		all->items[all->n++] = process;
	}
	closedir(proc);
	return r;
}

static int compare_pids(const void *a, const void *b)
{
	const struct process *left = a, *right = b;
	return (left->pid > right->pid) - (left->pid < right->pid);
}

/* Marks our children, then their children, until nothing is added. */
static void mark_descendants(struct processes *all, pid_t self)
{
	bool is_changed = all->n > 0; /* without a descriptor nothing can be read */
	if (is_changed)
		qsort(all->items, all->n, sizeof *all->items, compare_pids);
	while (is_changed) {
		is_changed = false;
		for (size_t i = 0; i < all->n; i++) {
			struct process *process = &all->items[i];
			struct process key = { .pid = process->parent };
			if (process->is_ours)
				continue;
			const struct process *parent =
				bsearch(&key, all->items, all->n, sizeof key, compare_pids);
			if (process->parent == self || (parent && parent->is_ours))
				process->is_ours = is_changed = true;
		}
	}
}

static const char *variable_of(pid_t pid, const char *name, char *text, size_t size)
{
	size_t n = strlen(name);
	ssize_t length = read_file(pid, "environ", text, size);
	for (ssize_t i = 0; i < length; i += (ssize_t)strlen(text + i) + 1)
		if (!strncmp(text + i, name, n) && text[i + (ssize_t)n] == '=')
			return text + i + n + 1;
	return NULL;
}

/* Those that a supervisor before us has started, and what descends from them. */
static void mark_adopted(struct processes *all, char *text, size_t size)
{
	for (size_t i = 0; i < all->n; i++) {
		struct process *process = &all->items[i];
		if (process->is_ours || process->is_zombie || process->pid == getpid())
			continue;
		const char *instance = variable_of(process->pid, orphans_instance, text, size);
		process->is_ours = instance && !strcmp(instance, adopted_instance);
	}
	mark_descendants(all, getpid());
}

bool process_has_variable(pid_t pid, const char *name)
{
	char *text = malloc(ENVIRONMENT_MAX);
	bool has = text && variable_of(pid, name, text, ENVIRONMENT_MAX);
	free(text);
	return has;
}

static bool is_of(pid_t pid, const char *instance, char *text)
{
	const char *found = variable_of(pid, orphans_instance, text, ENVIRONMENT_MAX);
	return found && !strcmp(found, instance);
}

bool orphans_is_of(pid_t pid, const char *instance)
{
	char *text = malloc(ENVIRONMENT_MAX);
	bool is = text && is_of(pid, instance, text);
	free(text);
	return is;
}

int orphans_walk_instance(const char *instance,
	void (*visit)(void *context, pid_t pid, const char *service), void *context)
{
	struct processes all = { 0 };
	char *text = malloc(ENVIRONMENT_MAX);
	int r = text ? read_all(&all) : -ENOMEM;
	for (size_t i = 0; i < all.n && r == 0; i++)
		if (!all.items[i].is_zombie && all.items[i].pid != getpid() &&
			is_of(all.items[i].pid, instance, text))
			visit(context, all.items[i].pid, NULL);
	free(all.items);
	free(text);
	return r;
}

int orphans_walk(void (*visit)(void *context, pid_t pid, const char *service), void *context)
{
	struct processes all = { 0 };
	char *text = malloc(ENVIRONMENT_MAX);
	int r = text ? read_all(&all) : -ENOMEM;
	if (r == 0) {
		mark_descendants(&all, getpid());
		if (*adopted_instance)
			mark_adopted(&all, text, ENVIRONMENT_MAX);
		for (size_t i = 0; i < all.n; i++)
			if (all.items[i].is_ours && !all.items[i].is_zombie)
				visit(context, all.items[i].pid,
					variable_of(all.items[i].pid, service_variable, text,
						ENVIRONMENT_MAX));
	}
	free(all.items);
	free(text);
	return r;
}

pid_t process_parent(pid_t pid)
{
	struct process process;
	return read_process(pid, &process) && !process.is_zombie ? process.parent : 0;
}

bool process_is_of(pid_t pid, const char *service)
{
	char *text = malloc(ENVIRONMENT_MAX);
	const char *named = text ? variable_of(pid, service_variable, text, ENVIRONMENT_MAX) : NULL;
	bool is_of = named && !strcmp(named, service);
	free(text);
	return is_of;
}
