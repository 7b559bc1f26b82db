#include "acceptor/traffic.h"

#include <stdlib.h>

#include "acceptor/acceptor.h"
#include "acceptor/reports.h"
#include "acceptor/service.h"
#include "base/fd.h"
#include "base/heap.h"

/*
 * How many connections a worker may tell us of that nobody has announced. A few are unavoidable: a
 * predecessor may have died between the hand-off and the scoreboard.
 */
enum { ADOPTABLE = 1024 };

static const struct traffic none = {
	.queue_io.fd = -1,
	.timer_ns = NEVER_NS,
	.in_hand.fd = -1,
	.release_ns = NEVER_NS,
	.retry_ns = NEVER_NS,
	.open_ns = NEVER_NS,
	.copies = (struct copies *)&copies_none,
	.copies_ns = NEVER_NS,
	.adoptable = ADOPTABLE,
	.ask_ns = NEVER_NS,
	.suspects_ns = NEVER_NS,
	.casualties.due_ns = NEVER_NS,
	.vacancies.due_ns = NEVER_NS,
	.deaf_ns = NEVER_NS,
	.silent_ns = NEVER_NS,
	.peek_ns = NEVER_NS,
	.look_ns = NEVER_NS,
};

void traffic_init(struct service *service)
{
	service->traffic = (struct traffic *)&none;
}

bool service_is_at_rest(const struct service *service)
{
	return service->traffic == &none;
}

bool traffic_take(struct service *service)
{
	if (!service_is_at_rest(service))
		return true;
	struct traffic *traffic = malloc(sizeof *traffic);
	if (!traffic)
		return false;
	*traffic = none;
	ev_init(&traffic->timer, service_on_timer);
	ev_io_init(&traffic->queue_io, reports_on_readable, -1, EV_READ);
	traffic->timer.data = traffic->queue_io.data = service;
	service->traffic = traffic;
	return true;
}

void traffic_end(struct service *service)
{
	struct traffic *traffic = service->traffic;
	struct ev_loop *loop = service->acceptor->loop;
	if (service_is_at_rest(service))
		return;
	ev_io_stop(loop, &traffic->queue_io);
	ev_timer_stop(loop, &traffic->timer);
	fd_close(&traffic->queue_io.fd);
	copies_close(service);
	episodes_fini(&traffic->episodes);
	uses_fini(&traffic->uses);
	vacancies_fini(&traffic->vacancies);
	free(traffic);
	traffic_init(service);
}

/* What is left are counts of lines, and of what others may yet say that are all gone. */
static bool is_over(const struct service *service, uint64_t now_ns)
{
	const struct traffic *traffic = service->traffic;
	bool is_under_way = traffic->account.n || traffic->in_hand.fd >= 0 || service->first_held ||
			    traffic->toll || traffic->n_missing || traffic->uses.n_items ||
			    traffic->vacancies.due_ns != NEVER_NS;
	bool is_waiting = traffic->ask_ns != NEVER_NS || traffic->suspects_ns != NEVER_NS ||
			  traffic->deaf_ns != NEVER_NS || service->unknown_ns != NEVER_NS;
	bool is_to_be_said = traffic->episodes.kinds || traffic->n_refused_silent ||
			     traffic->casualties.n_untold || traffic->warn_full_ns > now_ns;
	return !is_under_way && !is_waiting && !is_to_be_said && !service_has_queue(service);
}

void traffic_end_if_over(struct service *service, uint64_t now_ns)
{
	if (service_is_at_rest(service) || !is_over(service, now_ns))
		return;
	traffic_end(service);
	heap_give_back();
}
