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

static const char *service_of(pid_t pid, char *text, size_t size)
{
	static const char name[] = "FDSUP_SERVICE=";
	ssize_t length = read_file(pid, "environ", text, size);
	for (ssize_t i = 0; i < length; i += (ssize_t)strlen(text + i) + 1)
		if (!strncmp(text + i, name, sizeof name - 1))
			return text + i + sizeof name - 1;
	return NULL;
}

int orphans_walk(void (*visit)(void *context, pid_t pid, const char *service), void *context)
{
	struct processes all = { 0 };
	char *text = malloc(ENVIRONMENT_MAX);
	int r = text ? read_all(&all) : -ENOMEM;
	if (r == 0) {
		mark_descendants(&all, getpid());
		for (size_t i = 0; i < all.n; i++)
			if (all.items[i].is_ours && !all.items[i].is_zombie)
				visit(context, all.items[i].pid,
					service_of(all.items[i].pid, text, ENVIRONMENT_MAX));
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
	const char *named = text ? service_of(pid, text, ENVIRONMENT_MAX) : NULL;
	bool is_of = named && !strcmp(named, service);
	free(text);
	return is_of;
}
