#include "acceptor/scoring.h"

#include "acceptor/acceptor.h"
#include "acceptor/losses.h"
#include "acceptor/service.h"

/* What is published of silent workers; two seconds in the queue are too long (policy/health.c). */
static const uint64_t look_again_ns = 1000000000;

/* The one that has waited longest, of n at the end of the list; the others have left the queue. */
static uint32_t first_of_last(const struct service *service, uint32_t n)
{
	const struct ledger_account *account = &service->traffic->account;
	struct ledger *ledger = &service->acceptor->ledger;
	if (n == account->n_waiting)
		return account->first_waiting;
	uint32_t place = n ? account->last_waiting : LEDGER_NOWHERE;
	for (; n > 1; n--)
		place = ledger_at(ledger, place)->ahead;
	return place;
}

/* The oldest of all, and the first of those that wait in the queue. */
static void publish_oldest(struct service *service, uint32_t n_inherited, uint32_t n_waiting)
{
	const struct ledger_account *account = &service->traffic->account;
	struct ledger *ledger = &service->acceptor->ledger;
	struct score *score = service->score;
	uint64_t oldest_ns = 0, oldest_waiting_ns = 0;
	int32_t oldest_pid = 0;
	if (account->oldest) {
		const struct ledger_entry *entry = ledger_at(ledger, account->oldest);
		oldest_ns = entry->accepted_ns;
		oldest_pid = entry->pid;
	}
	uint32_t first_waiting = first_of_last(service, n_waiting);
	if (n_inherited) {
		oldest_waiting_ns = service->opened_ns;
	} else if (first_waiting) {
		const struct ledger_entry *entry = ledger_at(ledger, first_waiting);
		oldest_waiting_ns = entry->accepted_ns + entry->handed_after_ms * UINT64_C(1000000);
	}
	score_set(score->oldest_ns, oldest_ns);
	score_set(score->oldest_pid, oldest_pid);
	score_set(score->oldest_waiting_ns, oldest_waiting_ns);
}

static void publish_limits(struct service *service)
{
	const struct admission *admission = &service->admission;
	const struct sources *sources = admission->sources;
	struct score *score = service->score;
	score_set(score->rate_full_ns, admission->bucket.full_ns);
	score_set(score->source_rate_full_ns, sources ? sources->fullest.full_ns : 0);
	score_set(score->most_per_source, sources ? sources->most_live : 0);
}

/* Workers that say nothing: the kernel tells how many connections they have taken, if it is asked. */
static uint32_t count_waiting(struct service *service, uint64_t now_ns)
{
	uint32_t n = service->traffic->account.n_waiting;
	if (service_is_at_rest(service))
		return n;
	service->traffic->look_ns = NEVER_NS;
	if (!n || service->has_reports || !service->may_be_silent)
		return n;
	n -= losses_n_out_of_queue(service);
	if (n)
		service->traffic->look_ns = now_ns + look_again_ns;
	return n;
}

void scoring_publish(struct service *service, uint64_t now_ns)
{
	struct score *score = service->score;
	uint32_t n_waiting = count_waiting(service, now_ns);
	publish_limits(service);
	uint32_t n_unknown = service->admission.unknown;
	uint32_t n_inherited = n_unknown ? losses_n_inherited(service) : 0;
	score_set(score->live, service->traffic->account.n + n_unknown + service->traffic->n_missing);
	score_set(score->waiting, n_waiting + n_inherited);
	score_set(score->held, service->traffic->account.n_held + service->traffic->n_missing);
	publish_oldest(service, n_inherited, n_waiting);
}
