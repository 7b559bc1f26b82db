#include "acceptor/unknowns.h"

#include "acceptor/accepting.h"
#include "acceptor/acceptor.h"
#include "acceptor/following.h"
#include "acceptor/losses.h"
#include "acceptor/service.h"

/* After a takeover, and after the last news where the kernel can be asked then. */
static const uint64_t patience_ns = UINT64_C(5000000000), write_off_ns = UINT64_C(60000000000);

static void set(struct service *service, uint32_t n, uint64_t now_ns)
{
	admission_set_unknown(&service->admission, n);
	service->unknown_ns = n ? now_ns + patience_ns : NEVER_NS;
	service->may_release = service->first_held != NULL;
}

/* What an acceptor writes, which may be another version's, is believed as far as it makes sense. */
static uint32_t n_live(const struct score *score)
{
	uint64_t n_accepted = score_get(score->accepted);
	uint64_t n_over = score_get(score->refused) + score_get(score->served) + score_get(score->lost);
	uint64_t n = n_accepted > n_over ? n_accepted - n_over : 0;
	return n < LEDGER_MAX ? (uint32_t)n : LEDGER_MAX;
}

void unknowns_take_over(struct service *service, uint64_t now_ns)
{
	uint32_t live = n_live(service->score), held = score_get(service->score->held);
	if (!live)
		return;
	service->traffic->n_missing = held < live ? held : live;
	service->traffic->adoptable += live;
	set(service, live - service->traffic->n_missing, now_ns);
	following_check(service->acceptor);
}

bool unknowns_identify(struct service *service, bool is_held)
{
	uint32_t n = service->admission.unknown;
	if (service->traffic->n_missing && (is_held || !n))
		service->traffic->n_missing--;
	else if (n)
		admission_set_unknown(&service->admission, n - 1);
	else
		return false;
	return true;
}

uint32_t unknowns_settle_estate(struct service *service, bool is_complete, uint64_t now_ns)
{
	uint32_t n_missing = service->traffic->n_missing;
	service->traffic->n_missing = 0;
	if (!n_missing)
		return 0;
	/* It had just been handed off, which had not been published yet. */
	if (is_complete) {
		set(service, service->admission.unknown + n_missing, now_ns);
		return 0;
	}
	score_add(service->score->lost, n_missing);
	return n_missing;
}

static uint32_t n_in_queue(const struct service *service)
{
	uint32_t n_unknown = service->admission.unknown;
	uint32_t n = n_unknown && service_has_queue(service) ? losses_n_inherited(service) : 0;
	return n < n_unknown ? n : n_unknown;
}

static bool is_counted_by_kernel(const struct service *service)
{
	return service->acceptor->following && accepting_is_followed(service);
}

void unknowns_await(struct service *service, uint64_t now_ns)
{
	service->unknown_ns = now_ns + (is_counted_by_kernel(service) ? patience_ns : write_off_ns);
}

static void keep(struct service *service, uint32_t n_kept, uint64_t now_ns)
{
	score_add(service->score->served, service->admission.unknown - n_kept);
	set(service, n_kept, now_ns);
}

void unknowns_judge(struct service *service, uint64_t now_ns)
{
	bool is_last = service->is_unknown_due || !is_counted_by_kernel(service);
	service->is_unknown_due = !is_last;
	if (is_last) {
		keep(service, n_in_queue(service), now_ns);
		return;
	}
	service->unknown_ns = now_ns + write_off_ns;
	following_check(service->acceptor);
}

void unknowns_settle(struct service *service, uint32_t n_alive, uint64_t now_ns)
{
	uint32_t n = service->admission.unknown;
	keep(service, n_alive < n ? n_alive : n, now_ns);
	service->unknown_ns = n_alive ? now_ns + write_off_ns : NEVER_NS;
	service->is_unknown_due = false;
}

uint32_t unknowns_close(struct service *service)
{
	uint32_t n_waiting = n_in_queue(service), n_unserved = n_waiting + service->traffic->n_missing;
	score_add(service->score->served, service->admission.unknown - n_waiting);
	admission_set_unknown(&service->admission, 0);
	if (service->traffic->n_missing)
		service->traffic->n_missing = 0;
	return n_unserved;
}
