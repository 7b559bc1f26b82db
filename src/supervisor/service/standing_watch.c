#include "supervisor/service/standing_watch.h"

#include "base/clock.h"
#include "supervisor/supervisor.h"
#include "supervisor/verbs/events.h"
#include "supervisor/verbs/streams.h"

static const double period_s = STANDING_LOOK_MS / 1000.0;

static void start(struct supervisor *supervisor)
{
	if (!ev_is_active(&supervisor->standing))
		ev_timer_again(supervisor->loop, &supervisor->standing);
}

void standing_watch_judge(struct service *service, struct health *ret_health)
{
	service_judge(service, ret_health);
	standing_note(&service->standing, ret_health, clock_now_ms());
	if (standing_is_open(&service->standing, service->state))
		start(service->supervisor);
}

/* How it stood when nobody asked is no news. */
static void forget_untold(struct supervisor *supervisor)
{
	for (size_t i = 0; i < supervisor->n_services; i++) {
		struct service *service = supervisor->services[i];
		struct health health;
		standing_watch_judge(service, &health);
		service->standing.told = service->standing.shown;
	}
}

static void tell(struct service *service)
{
	struct health health;
	enum service_state was;
	standing_watch_judge(service, &health);
	if (standing_tell(&service->standing, &was))
		events_on_state(service, was, (enum service_state)service->standing.shown);
}

static void on_look(struct ev_loop *loop, ev_timer *timer, int revents)
{
	(void)loop, (void)revents;
	struct supervisor *supervisor = timer->data;
	bool is_needed = supervisor->streams != NULL;
	if (supervisor->is_standing_new)
		forget_untold(supervisor);
	supervisor->is_standing_new = false;
	for (size_t i = 0; i < supervisor->n_services; i++) {
		struct service *service = supervisor->services[i];
		tell(service);
		is_needed |= standing_is_open(&service->standing, service->state);
	}
	if (!is_needed)
		standing_watch_stop(supervisor);
}

/* The services may just be restored: in the next turn they stand as they are. */
void standing_watch_begin(struct supervisor *supervisor)
{
	if (ev_is_active(&supervisor->standing))
		return;
	supervisor->is_standing_new = true;
	ev_timer_set(&supervisor->standing, 0, period_s);
	ev_timer_start(supervisor->loop, &supervisor->standing);
}

void standing_watch_init(struct supervisor *supervisor)
{
	ev_timer_init(&supervisor->standing, on_look, period_s, period_s);
	supervisor->standing.data = supervisor;
}

void standing_watch_stop(struct supervisor *supervisor)
{
	ev_timer_stop(supervisor->loop, &supervisor->standing);
}
