#include "supervisor/holders.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "supervisor/acceptor.h"
#include "supervisor/connections.h"
#include "supervisor/service/service.h"
#include "supervisor/supervisor.h"

/* Bounds, should a worker fork or open without end. */
enum { PROCESSES_MAX = 1024, SOCKETS_MAX = 1 << 18 };

/* In one turn of the loop: less than a millisecond. */
enum { STEP_DESCRIPTORS = 300 };

struct process {
	pid_t pid, worker;
};

struct holders {
	size_t n_parts;
	pid_t *alone;                /* owned; by part and row of the scoreboard: all that has left the queue */
	size_t n_processes, process; /* the one that is being looked at */
	struct process *processes;   /* owned */
	DIR *directory;              /* its descriptors; NULL: not yet opened */
	size_t n, capacity;
	struct holder *list; /* owned; in the order of the inodes when all are in it */
};

/* ---- who is to be looked at ------------------------------------------------------------------ */

static void add_process(struct holders *holders, pid_t pid, pid_t worker)
{
	if (holders->n_processes < PROCESSES_MAX)
		holders->processes[holders->n_processes++] = (struct process){ pid, worker };
}

static FILE *open_children(pid_t pid)
{
	char path[64];
	snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)pid, (int)pid);
	return fopen(path, "re");
}

static void add_children(struct holders *holders, const struct process *parent)
{
	int child;
	FILE *file = open_children(parent->pid);
	while (file && fscanf(file, "%d", &child) == 1)
		add_process(holders, child, parent->worker);
	if (file)
		fclose(file);
}

/* One worker that has forked nothing, and nothing waits for it. */
static bool is_alone(const struct service *service)
{
	if (!service->workers || service->workers->next ||
		score_get(acceptor_score(service->acceptor, service->slot)->waiting))
		return false;
	FILE *file = open_children(service->workers->pid);
	bool has_children = !file || fgetc(file) != EOF;
	if (file)
		fclose(file);
	return !has_children;
}

/* Other types have workers of ours, who report. */
static bool is_sought(const struct service *service, const struct acceptor *acceptor,
	const bool has_unknown[SCOREBOARD_SLOTS])
{
	return service->acceptor == acceptor && service->config->type == SERVICE_WORKER &&
	       service->slot < SCOREBOARD_SLOTS && has_unknown[service->slot];
}

static void add_service(struct holders *holders, size_t part, const struct service *service)
{
	if (is_alone(service)) {
		holders->alone[part * SCOREBOARD_SLOTS + service->slot] = service->workers->pid;
		return;
	}
	for (const struct worker *worker = service->workers; worker; worker = worker->next)
		add_process(holders, worker->pid, worker->pid);
}

static void add_part(struct holders *holders, const struct supervisor *supervisor, size_t number,
	const struct connections_part *part, holders_filter *is_wanted, const void *context)
{
	static bool has_unknown[SCOREBOARD_SLOTS];
	memset(has_unknown, 0, sizeof has_unknown);
	for (size_t i = 0; i < part->n; i++)
		if (part->rows[i].inode && !part->rows[i].worker && part->rows[i].service < SCOREBOARD_SLOTS)
			has_unknown[part->rows[i].service] = true;
	for (size_t i = 0; i < supervisor->n_services; i++) {
		const struct service *service = supervisor->services[i];
		if (is_sought(service, part->acceptor, has_unknown) && is_wanted(context, service))
			add_service(holders, number, service);
	}
}

struct holders *holders_begin(const struct supervisor *supervisor, const struct connections *connections,
	holders_filter *is_wanted, const void *context)
{
	struct holders *holders = calloc(1, sizeof *holders);
	if (!holders)
		return NULL;
	holders->n_parts = connections->n_parts;
	holders->alone = calloc(holders->n_parts * SCOREBOARD_SLOTS + 1, sizeof *holders->alone);
	holders->processes = calloc(PROCESSES_MAX, sizeof *holders->processes);
	if (!holders->alone || !holders->processes) {
		holders_free(holders);
		return NULL;
	}
	for (size_t i = 0; i < holders->n_parts; i++)
		add_part(holders, supervisor, i, &connections->parts[i], is_wanted, context);
	return holders;
}

/* ---- what they have -------------------------------------------------------------------------- */

static uint32_t inode_of(int directory, const char *name)
{
	static const char kind[] = "socket:[";
	char target[40];
	ssize_t n = readlinkat(directory, name, target, sizeof target - 1);
	if (n <= 0)
		return 0;
	target[n] = 0;
	return strncmp(target, kind, sizeof kind - 1) ? 0
						      : (uint32_t)strtoul(target + sizeof kind - 1, NULL, 10);
}

static bool add(struct holders *holders, const struct holder *holder)
{
	if (holders->n == holders->capacity) {
		size_t capacity = holders->capacity ? 2 * holders->capacity : 256;
		struct holder *list = capacity > SOCKETS_MAX
					      ? NULL : realloc(holders->list, capacity * sizeof *list);
		if (!list)
			return false;
		holders->list = list;
		holders->capacity = capacity;
	}
	holders->list[holders->n++] = *holder;
	return true;
}

/* One that has forked comes before its children, which may have a copy that they do not know of. */
static int compare(const void *a, const void *b)
{
	const struct holder *left = a, *right = b;
	if (left->inode != right->inode)
		return left->inode < right->inode ? -1 : 1;
	return (left->pid != left->worker) - (right->pid != right->worker);
}

/* Nothing is found of one that has ended, or that we may not look into. */
static void open_process(struct holders *holders)
{
	char path[40];
	const struct process *process = &holders->processes[holders->process];
	snprintf(path, sizeof path, "/proc/%d/fd", (int)process->pid);
	holders->directory = opendir(path);
	add_children(holders, process);
	if (!holders->directory)
		holders->process++;
}

static void close_process(struct holders *holders)
{
	closedir(holders->directory);
	holders->directory = NULL;
	holders->process++;
}

bool holders_step(struct holders *holders)
{
	for (int i = 0; i < STEP_DESCRIPTORS && holders->process < holders->n_processes; i++) {
		if (!holders->directory) {
			open_process(holders);
			continue;
		}
		const struct process *process = &holders->processes[holders->process];
		const struct dirent *entry = readdir(holders->directory);
		struct holder holder = { .pid = process->pid, .worker = process->worker };
		if (entry)
			holder.inode = inode_of(dirfd(holders->directory), entry->d_name);
		if (!entry || (holder.inode && !add(holders, &holder)))
			close_process(holders);
	}
	if (holders->process < holders->n_processes)
		return true;
	if (holders->n)
		qsort(holders->list, holders->n, sizeof *holders->list, compare);
	return false;
}

void holders_free(struct holders *holders)
{
	if (!holders)
		return;
	if (holders->directory)
		closedir(holders->directory);
	free(holders->alone);
	free(holders->processes);
	free(holders->list);
	free(holders);
}

static const struct holder *find(const struct holders *holders, uint32_t inode)
{
	size_t low = 0, high = holders->n;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (holders->list[middle].inode < inode)
			low = middle + 1;
		else
			high = middle;
	}
	return low < holders->n && holders->list[low].inode == inode ? &holders->list[low] : NULL;
}

bool holders_of(const struct holders *holders, size_t part, const struct connection_row *row,
	struct holder *ret)
{
	if (!holders || row->worker || !row->inode || row->stage == CONNECTION_HELD ||
		part >= holders->n_parts || row->service >= SCOREBOARD_SLOTS)
		return false;
	pid_t alone = holders->alone[part * SCOREBOARD_SLOTS + row->service];
	const struct holder *holder = alone ? NULL : find(holders, row->inode);
	if (!alone && !holder)
		return false;
	*ret = alone ? (struct holder){ row->inode, alone, alone } : *holder;
	return true;
}
