#include "supervisor/service/sequence.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "config/sequence.h"
#include "supervisor/service/service.h"
#include "supervisor/supervisor.h"

/* ---- starting -------------------------------------------------------------------------------- */

static bool is_waiting_for(const struct service *service, const struct service *other, size_t depth);

/* What is not told to be ready in time is not waited for any longer. */
static uint64_t deadline_ms(const struct service *before)
{
	return before->start_ms + before->config->supervision->start_timeout;
}

static bool is_settled(const struct service *before, const struct service *waiting, uint64_t now_ms)
{
	if (!before || !before->is_wanted)
		return true;
	if (before->is_awaiting) /* two configurations, of which one was not put in force, may make a circle */
		return is_waiting_for(before, waiting, before->supervisor->n_services);
	switch (before->state) {
	case STATE_STARTING:
	case STATE_BACKOFF:
	case STATE_HUNG:
		return now_ms >= deadline_ms(before);
	default:
		return true;
	}
}

static bool is_waiting_for(const struct service *service, const struct service *other, size_t depth)
{
	const struct text_list *after = &service->config->after;
	if (service == other)
		return true;
	for (size_t i = 0; depth && service->is_awaiting && i < after->n; i++) {
		const struct service *before = supervisor_find(service->supervisor, after->items[i]);
		if (before && before->is_awaiting && is_waiting_for(before, other, depth - 1))
			return true;
	}
	return false;
}

const struct service *sequence_awaited(const struct service *service)
{
	const struct text_list *after = &service->config->after;
	uint64_t now_ms = clock_now_ms();
	for (size_t i = 0; service->is_awaiting && i < after->n; i++) {
		const struct service *before = supervisor_find(service->supervisor, after->items[i]);
		if (!is_settled(before, service, now_ms))
			return before;
	}
	return NULL;
}

static void tell_late(const struct service *service)
{
	const struct text_list *after = &service->config->after;
	char text[TEXT_DURATION_SIZE];
	for (size_t i = 0; i < after->n; i++) {
		const struct service *before = supervisor_find(service->supervisor, after->items[i]);
		bool is_late = before && before->is_wanted && !before->is_awaiting &&
			       (before->state == STATE_STARTING || before->state == STATE_BACKOFF);
		if (is_late)
			log_warning("%s: is started without %s, which is not ready after %s "
				    "(after, start_timeout)",
				service->config->name, before->config->name,
				text_format_duration(
					text, before->config->supervision->start_timeout));
	}
}

void sequence_start(struct service *service)
{
	service->is_to_stop = false;
	if (service->config->after.n == 0) {
		service_start(service);
		return;
	}
	service->is_wanted = true;
	service->is_awaiting = true;
}

/* The next time at which somebody is not waited for any longer; 0: none. */
static uint64_t next_deadline_ms(const struct supervisor *supervisor)
{
	uint64_t next_ms = 0;
	for (size_t i = 0; i < supervisor->n_services; i++) {
		const struct service *before = sequence_awaited(supervisor->services[i]);
		if (!before || before->is_awaiting)
			continue;
		if (!next_ms || deadline_ms(before) < next_ms)
			next_ms = deadline_ms(before);
	}
	return next_ms;
}

static void set_timer(struct supervisor *supervisor)
{
	uint64_t next_ms = next_deadline_ms(supervisor), now_ms = clock_now_ms();
	ev_timer_stop(supervisor->loop, &supervisor->sequence);
	if (!next_ms)
		return;
	ev_timer_set(&supervisor->sequence,
		next_ms > now_ms ? (double)(next_ms - now_ms + 1) / 1000 : 0.001, 0);
	ev_timer_start(supervisor->loop, &supervisor->sequence);
}

/* One that is started may be what the next one waits for, which this is called for again. */
static void look_starts(struct supervisor *supervisor)
{
	for (size_t i = 0; i < supervisor->n_services; i++) {
		struct service *service = supervisor->services[i];
		if (!service->is_awaiting || sequence_awaited(service))
			continue;
		service->is_awaiting = false;
		tell_late(service);
		service_start(service);
		i = (size_t)-1;
	}
	set_timer(supervisor);
}

static void on_timer(struct ev_loop *loop, ev_timer *watcher, int events)
{
	(void)loop, (void)events;
	sequence_look(watcher->data);
}

/* ---- stopping -------------------------------------------------------------------------------- */

static bool is_ending(const struct service *service)
{
	return service->is_to_stop || service->state == STATE_DRAINING;
}

/* One that was started after it, and that is to end before it. */
static bool has_user(const struct service *service)
{
	const struct supervisor *supervisor = service->supervisor;
	for (size_t i = 0; i < supervisor->n_services; i++) {
		const struct service *other = supervisor->services[i];
		if (other != service && is_ending(other) &&
			sequence_names(other->config, service->config->name))
			return true;
	}
	return false;
}

static void stop_now(struct service *service)
{
	service->is_to_stop = false;
	service_raise(service, EVENT_STOP);
}

static bool look_stops_once(struct supervisor *supervisor, bool ignores_users)
{
	for (size_t i = 0; i < supervisor->n_services; i++) {
		struct service *service = supervisor->services[i];
		if (!service->is_to_stop || (!ignores_users && has_user(service)))
			continue;
		stop_now(service);
		return true;
	}
	return false;
}

static bool is_any_draining(const struct supervisor *supervisor)
{
	for (size_t i = 0; i < supervisor->n_services; i++)
		if (supervisor->services[i]->state == STATE_DRAINING)
			return true;
	return false;
}

/* When nobody can be the next one, it is a circle: all of them. */
static void look_stops(struct supervisor *supervisor)
{
	while (look_stops_once(supervisor, false))
		;
	while (!is_any_draining(supervisor) && look_stops_once(supervisor, true))
		;
}

void sequence_stop(struct service *service)
{
	service->is_wanted = false;
	if (service->is_awaiting) {
		service->is_awaiting = false;
		service_unbind(service);
	}
	if (service->state == STATE_DRAINING)
		service_raise(service, EVENT_STOP); /* once more: at once */
	else
		service->is_to_stop = service->state != STATE_STOPPED;
}

void sequence_stop_all(struct supervisor *supervisor)
{
	sequence_hold(supervisor);
	for (size_t i = 0; i < supervisor->n_services; i++) {
		struct service *service = supervisor->services[i];
		bool is_hurried = service->is_to_stop;
		if (is_hurried)
			stop_now(service);
		sequence_stop(service);
	}
	sequence_release(supervisor);
}

/* ---- both ------------------------------------------------------------------------------------ */

void sequence_look(struct supervisor *supervisor)
{
	if (supervisor->is_sequence_held) /* what it does calls it again */
		return;
	supervisor->is_sequence_held = true;
	look_starts(supervisor);
	look_stops(supervisor);
	supervisor->is_sequence_held = false;
}

void sequence_hold(struct supervisor *supervisor)
{
	supervisor->is_sequence_held = true;
}

void sequence_release(struct supervisor *supervisor)
{
	supervisor->is_sequence_held = false;
	sequence_look(supervisor);
}

uint64_t sequence_longest_ms(const struct service *service)
{
	const struct supervisor *supervisor = service->supervisor;
	uint64_t ms = 0;
	for (size_t i = 0; i < supervisor->n_services; i++) {
		const struct service *other = supervisor->services[i];
		if (other != service && (service->is_awaiting || service->is_to_stop) &&
			(is_ending(other) || other->is_awaiting || other->state == STATE_STARTING))
			ms += other->config->supervision->start_timeout +
			      other->config->supervision->stop_timeout;
	}
	return ms;
}

void sequence_init(struct supervisor *supervisor)
{
	ev_timer_init(&supervisor->sequence, on_timer, 0, 0);
	supervisor->sequence.data = supervisor;
}

void sequence_fini(struct supervisor *supervisor)
{
	ev_timer_stop(supervisor->loop, &supervisor->sequence);
}
