#include "supervisor/zone.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "supervisor/acceptor.h"
#include "supervisor/service/service.h"
#include "supervisor/supervisor.h"
#include "wire/control.h"

enum { DAY_S = 24 * 3600, DAYS_BACK = 366, DAYS_AHEAD = 2 * 366, LOOK_AGAIN_S = 3600 };

static int32_t offset_at(int64_t wall_s)
{
	time_t time = (time_t)wall_s;
	struct tm local;
	return localtime_r(&time, &local) ? (int32_t)local.tm_gmtoff : 0;
}

/* The first second of the other offset, in between. */
static int64_t find_change(int64_t before_s, int64_t after_s)
{
	int32_t offset = offset_at(before_s);
	while (after_s - before_s > 1) {
		int64_t middle_s = before_s + (after_s - before_s) / 2;
		if (offset_at(middle_s) == offset)
			before_s = middle_s;
		else
			after_s = middle_s;
	}
	return after_s;
}

/* glibc looks at a file again only if TZ, where there is one, is another than before: tzset(3). */
static void forget_zone(void)
{
	const char *set = getenv("TZ");
	char *kept = set ? strdup(set) : NULL;
	if (kept) {
		setenv("TZ", "UTC0", 1);
		tzset();
		setenv("TZ", kept, 1);
		free(kept);
	}
	tzset();
}

void zone_read(struct zone *ret_zone, int64_t wall_s)
{
	int64_t at_s = wall_s - (int64_t)DAYS_BACK * DAY_S;
	int64_t end_s = wall_s + (int64_t)DAYS_AHEAD * DAY_S;
	memset(ret_zone, 0, sizeof *ret_zone);
	forget_zone();
	int32_t offset = offset_at(at_s), next;
	ret_zone->spans[ret_zone->n++] = (struct zone_span){ .from = at_s, .offset = offset };
	for (; at_s < end_s && ret_zone->n < ZONE_SPANS_MAX; at_s += DAY_S, offset = next) {
		next = offset_at(at_s + DAY_S);
		if (next == offset)
			continue;
		int64_t from = find_change(at_s, at_s + DAY_S);
		ret_zone->spans[ret_zone->n++] =
			(struct zone_span){ .from = from, .offset = offset_at(from) };
	}
}

static bool has_hours(const struct supervisor *supervisor)
{
	for (size_t i = 0; i < supervisor->n_services; i++)
		if (supervisor->services[i]->config->admission->n_windows)
			return true;
	return false;
}

static void on_hour(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)loop, (void)events;
	zone_refresh(timer->data);
}

void zone_watch(struct supervisor *supervisor)
{
	ev_timer_stop(supervisor->loop, &supervisor->zone_timer);
	ev_timer_init(&supervisor->zone_timer, on_hour, LOOK_AGAIN_S, 0);
	supervisor->zone_timer.data = supervisor;
	if (has_hours(supervisor))
		ev_timer_start(supervisor->loop, &supervisor->zone_timer);
}

/* Whether the clock on the wall differs anywhere in the time that both know. */
static bool is_other(const struct zone *before, const struct zone *after)
{
	const struct zone_span *a = before->spans, *b = after->spans;
	uint32_t n = before->n;
	if (n != after->n || a[0].offset != b[0].offset)
		return true;
	return memcmp(a + 1, b + 1, (n - 1) * sizeof *a) != 0;
}

void zone_refresh(struct supervisor *supervisor)
{
	struct zone before = supervisor->zone;
	zone_read(&supervisor->zone, clock_wall_ms() / 1000);
	zone_watch(supervisor);
	if (!is_other(&before, &supervisor->zone))
		return;
	for (size_t i = 0; i < supervisor->n_acceptors; i++)
		zone_tell(supervisor, supervisor->acceptors[i]);
}

void zone_tell(struct supervisor *supervisor, struct acceptor *acceptor)
{
	struct control_zone message = { .kind = CONTROL_ZONE };
	if (!supervisor->zone.n)
		zone_read(&supervisor->zone, clock_wall_ms() / 1000);
	message.zone = supervisor->zone;
	acceptor_tell(acceptor, &message, -1);
}

void zone_stop(struct supervisor *supervisor)
{
	ev_timer_stop(supervisor->loop, &supervisor->zone_timer);
}
