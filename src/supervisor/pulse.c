#include "supervisor/pulse.h"

#include <signal.h>

#include "base/clock.h"
#include "base/log.h"
#include "supervisor/acceptor.h"
#include "supervisor/supervisor.h"

static void end(struct acceptor *acceptor)
{
	log_error("acceptor %d does not answer for %d s: it is killed, and another takes its place",
		(int)acceptor->child.pid, HEARTBEAT_MISSED_MAX * HEARTBEAT_LOOK_MS / 1000);
	pulse_stop(acceptor);
	kill(acceptor->child.pid, SIGKILL);
}

static void on_look(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)loop, (void)events;
	struct acceptor *acceptor = timer->data;
	if (!acceptor->is_ready && !acceptor->child.is_adopted)
		return;
	/* The number is the acceptor's own: one that writes nonsense there harms nobody but itself. */
	uint64_t turned_ms = score_get(acceptor->board->head.alive_ns) / 1000000;
	switch (heartbeat_look(&acceptor->heartbeat, clock_now_ms(), turned_ms,
		acceptor_has_synced(acceptor, acceptor->asked_sync))) {
	case HEARTBEAT_FINE:
		break;
	case HEARTBEAT_ASK:
		acceptor->asked_sync = acceptor_ask_sync(acceptor);
		break;
	case HEARTBEAT_HANGS:
		end(acceptor);
		break;
	}
}

void pulse_init(struct acceptor *acceptor)
{
	static const double look_s = HEARTBEAT_LOOK_MS / 1000.0;
	ev_timer_init(&acceptor->pulse, on_look, look_s, look_s);
	acceptor->pulse.data = acceptor;
}

void pulse_start(struct acceptor *acceptor)
{
	acceptor->heartbeat = (struct heartbeat){ 0 };
	ev_timer_again(acceptor->supervisor->loop, &acceptor->pulse);
}

void pulse_stop(struct acceptor *acceptor)
{
	ev_timer_stop(acceptor->supervisor->loop, &acceptor->pulse);
}
