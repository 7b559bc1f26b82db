#include "supervisor/succession/unknown.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "process/orphans.h"
#include "supervisor/service/service.h"
#include "supervisor/supervisor.h"

enum { PATH_SIZE = 4096 };

static bool is_known(const struct supervisor *supervisor, pid_t pid)
{
	for (size_t i = 0; i < supervisor->n_services; i++)
		for (const struct worker *worker = supervisor->services[i]->workers; worker;
			worker = worker->next)
			if (worker->pid == pid)
				return true;
	return false;
}

static bool runs_ours(const struct supervisor *supervisor, pid_t pid)
{
	const char *const ours[] = { supervisor->worker_path, supervisor->redirect_path,
		supervisor->builtin_path, supervisor->relay_path };
	char link[32], path[PATH_SIZE];
	snprintf(link, sizeof link, "/proc/%d/exe", (int)pid);
	ssize_t n = readlink(link, path, sizeof path - 1);
	path[n > 0 ? n : 0] = 0;
	for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
		if (!strcmp(path, ours[i]))
			return true;
	return false;
}

/*
 * A program of type worker, which alone is given a queue, and not a child of one: what fdsup starts
 * leads a session, and has lost its parent.
 */
static bool is_worker_of_others(const struct supervisor *supervisor, pid_t pid)
{
	return getsid(pid) == pid && !is_known(supervisor, process_parent(pid)) &&
	       process_has_variable(pid, "FDSUP_QUEUE");
}

static void look_at(void *context, pid_t pid, const char *service)
{
	(void)service;
	const struct supervisor *supervisor = context;
	if (is_known(supervisor, pid))
		return;
	bool is_ours = runs_ours(supervisor, pid);
	if (!is_ours && !is_worker_of_others(supervisor, pid))
		return;
	/* What a worker has just forked is a command in a moment. */
	if (runs_ours(supervisor, process_parent(pid)))
		return;
	log_notice("worker %d was started by the fdsup that died, and is not needed: it finishes what it has",
		(int)pid);
	kill(pid, is_ours ? SIGHUP : SIGTERM);
}

void unknown_end(const struct supervisor *supervisor)
{
	(void)orphans_walk_instance(supervisor->instance, look_at, (void *)supervisor);
}
