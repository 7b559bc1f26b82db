#include "supervisor/pulse.h"

#include <signal.h>

#include "base/clock.h"
#include "base/log.h"
#include "supervisor/acceptor.h"
#include "supervisor/supervisor.h"

/* The number is the acceptor's own: one that writes nonsense there harms nobody but itself. */
static bool has_turned(const struct acceptor *acceptor)
{
	uint64_t alive_ms = score_get(acceptor->board->alive_ns) / 1000000;
	return alive_ms + PULSE_MS >= clock_now_ms();
}

static void on_look(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)loop, (void)events;
	struct acceptor *acceptor = timer->data;
	if (!acceptor->is_ready)
		return;
	if (has_turned(acceptor)) {
		acceptor->n_missed = 0;
		return;
	}
	if (acceptor->n_missed++ < PULSE_MISSED_MAX) {
		if (acceptor->n_missed == 1)
			acceptor_ask_sync(acceptor);
		return;
	}
	log_error("acceptor %d does not answer for %d s: it is killed, and another takes its place",
		(int)acceptor->child.pid, PULSE_MISSED_MAX * PULSE_MS / 1000);
	pulse_stop(acceptor);
	kill(acceptor->child.pid, SIGKILL);
}

void pulse_init(struct acceptor *acceptor)
{
	ev_timer_init(&acceptor->pulse, on_look, PULSE_MS / 1000.0, PULSE_MS / 1000.0);
	acceptor->pulse.data = acceptor;
}

void pulse_start(struct acceptor *acceptor)
{
	acceptor->n_missed = 0;
	ev_timer_again(acceptor->supervisor->loop, &acceptor->pulse);
}

void pulse_stop(struct acceptor *acceptor)
{
	ev_timer_stop(acceptor->supervisor->loop, &acceptor->pulse);
}
