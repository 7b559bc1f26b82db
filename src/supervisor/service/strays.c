#include "supervisor/service/strays.h"

#include <signal.h>

#include "base/clock.h"
#include "base/log.h"
#include "process/orphans.h"
#include "supervisor/supervisor.h"

enum { LOOK_MS = 50, GRACE_MS = 2000 };

struct sweep {
	int signal;
	unsigned n_left;
};

static void sweep_one(void *context, pid_t pid, const char *service)
{
	(void)service;
	struct sweep *sweep = context;
	sweep->n_left++;
	kill(pid, sweep->signal);
	kill(pid, SIGCONT); /* one that is suspended must wake to hear it */
}

static void look(struct supervisor *supervisor, bool is_first)
{
	uint64_t since_ms = clock_now_ms() - supervisor->strays_since_ms;
	struct sweep sweep = { .signal = since_ms >= GRACE_MS ? SIGKILL : SIGTERM };
	/* Without /proc they cannot be found. */
	if (orphans_walk(sweep_one, &sweep) < 0 || sweep.n_left == 0) {
		ev_break(supervisor->loop, EVBREAK_ALL);
		return;
	}
	if (is_first)
		log_notice("%u processes that belong to no service (they cleared their environment) are "
			   "asked to end, and killed after %d s",
			sweep.n_left, GRACE_MS / 1000);
	ev_timer_set(&supervisor->strays, LOOK_MS / 1000.0, 0);
	ev_timer_start(supervisor->loop, &supervisor->strays);
}

static void on_look(struct ev_loop *loop, ev_timer *watcher, int events)
{
	(void)loop, (void)events;
	look(watcher->data, false);
}

void strays_end(struct supervisor *supervisor)
{
	if (supervisor->strays_since_ms)
		return;
	supervisor->strays_since_ms = clock_now_ms();
	ev_timer_init(&supervisor->strays, on_look, 0, 0);
	supervisor->strays.data = supervisor;
	look(supervisor, true);
}
