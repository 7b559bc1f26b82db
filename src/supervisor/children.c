#include "supervisor/children.h"

#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "policy/health.h"

/* Its new parent has to wait for it before the kernel tells how it ended. */
enum { LOOKS_MAX = 10 };
static const double look_s = 0.02;

/* The first version of struct pidfd_info, linux/pidfd.h, which old headers lack. */
struct exit_info {
	uint64_t mask;
	uint64_t cgroup;
	uint32_t ids[11];
	int32_t status;
};
#define GET_EXIT_INFO _IOWR(0xFF, 11, struct exit_info)
static const uint64_t has_status = 1 << 3;

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
	if (!child)
		return NULL;
	*link = child->next;
	if (child->is_adopted) {
		ev_io_stop(children->loop, &child->ended);
		ev_timer_stop(children->loop, &child->look);
	}
	child->is_adopted = false;
	fd_close(&child->pidfd);
	return child;
}

static void tell_end(struct children *children, pid_t pid, int status, const struct rusage *usage)
{
	struct child *child = take(children, pid);
	if (child) {
		child->pid = 0;
		child->on_exit(child, status, usage);
	} else if (children->on_orphan) {
		children->on_orphan(children->context, pid, status, usage);
	}
}

static void on_sigchld(struct ev_loop *loop, ev_signal *watcher, int events)
{
	(void)loop, (void)events;
	struct rusage usage;
	int status;
	pid_t pid;
	while ((pid = wait4(-1, &status, WNOHANG, &usage)) > 0)
		tell_end(watcher->data, pid, status, &usage);
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
	/* What was killed last is not left behind as a zombie. */
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
}

static void link_child(struct children *children, struct child *child)
{
	struct child **bucket = bucket_of(children, child->pid);
	child->children = children;
	child->next = *bucket;
	*bucket = child;
}

void children_add(struct children *children, struct child *child)
{
	child->pidfd = -1;
	child->is_adopted = false;
	link_child(children, child);
}

void children_add_lasting(struct children *children, struct child *child)
{
	children_add(children, child);
	child->pidfd = (int)syscall(SYS_pidfd_open, child->pid, 0);
}

void children_remove(struct children *children, struct child *child)
{
	take(children, child->pid);
	child->pid = 0;
}

/* ---- adopted ones ------------------------------------------------------------------------------ */

/* False: it is not to be had yet. */
static bool find_status(const struct child *child, int *ret_status)
{
	struct exit_info info = { .mask = has_status };
	if (ioctl(child->pidfd, GET_EXIT_INFO, &info) < 0) {
		*ret_status = HEALTH_STATUS_UNKNOWN; /* this kernel keeps none */
		return true;
	}
	*ret_status = info.status;
	return info.mask & has_status;
}

static void look_for_status(struct child *child)
{
	static const struct rusage unknown;
	struct children *children = child->children;
	int status;
	ev_io_stop(children->loop, &child->ended);
	if (!find_status(child, &status)) {
		if (++child->n_looks < LOOKS_MAX) {
			ev_timer_set(&child->look, look_s, 0);
			ev_timer_start(children->loop, &child->look);
			return;
		}
		status = HEALTH_STATUS_UNKNOWN;
	}
	tell_end(children, child->pid, status, &unknown);
}

static void on_ended(struct ev_loop *loop, ev_io *watcher, int events)
{
	(void)loop, (void)events;
	look_for_status(watcher->data);
}

static void on_look(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)loop, (void)events;
	look_for_status(timer->data);
}

void children_resume(struct children *children, struct child *child)
{
	link_child(children, child);
	if (!child->is_adopted)
		return;
	child->n_looks = 0;
	if (child->pidfd < 0) { /* nothing tells of its end: it has ended, as far as we can know */
		ev_timer_init(&child->look, on_look, look_s, 0);
		child->look.data = child;
		ev_timer_start(children->loop, &child->look);
		return;
	}
	ev_io_init(&child->ended, on_ended, child->pidfd, EV_READ);
	ev_timer_init(&child->look, on_look, look_s, 0);
	child->ended.data = child->look.data = child;
	ev_io_start(children->loop, &child->ended);
}
