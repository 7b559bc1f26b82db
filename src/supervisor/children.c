#include "supervisor/children.h"

#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

static struct child **bucket_of(struct children *children, pid_t pid)
{
	return &children->buckets[(unsigned)pid % CHILDREN_BUCKETS];
}

static struct child *take(struct children *children, pid_t pid)
{
	struct child **link = bucket_of(children, pid);
	while (*link && (*link)->pid != pid)
		link = &(*link)->next;
	struct child *child = *link;
	if (child)
		*link = child->next;
	return child;
}

static void on_sigchld(struct ev_loop *loop, ev_signal *watcher, int events)
{
	(void)loop, (void)events;
	struct children *children = watcher->data;
	struct rusage usage;
	int status;
	pid_t pid;
	while ((pid = wait4(-1, &status, WNOHANG, &usage)) > 0) {
		struct child *child = take(children, pid);
		if (child) {
			child->pid = 0;
			child->on_exit(child, status, &usage);
		} else if (children->on_orphan) {
			children->on_orphan(children->context, pid, status, &usage);
		}
	}
}

void children_init(struct children *children, struct ev_loop *loop)
{
	memset(children, 0, sizeof *children);
	children->loop = loop;
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	ev_signal_init(&children->signal, on_sigchld, SIGCHLD);
	children->signal.data = children;
	ev_signal_start(loop, &children->signal);
}

void children_fini(struct children *children)
{
	ev_signal_stop(children->loop, &children->signal);
}

void children_add(struct children *children, struct child *child)
{
	struct child **bucket = bucket_of(children, child->pid);
	child->next = *bucket;
	*bucket = child;
}

void children_remove(struct children *children, struct child *child)
{
	take(children, child->pid);
	child->pid = 0;
}
