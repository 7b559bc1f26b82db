#include "acceptor/losses.h"

#include <errno.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "acceptor/acceptor.h"
#include "acceptor/following.h"
#include "acceptor/outliving.h"
#include "acceptor/redelivery.h"
#include "acceptor/reports.h"
#include "acceptor/toll.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/pid.h"
#include "wire/descriptor.h"
#include "wire/handoff.h"

static const uint64_t suspicion_ns = 1000000000;
static const uint64_t silence_ns = UINT64_C(5000000000);
static const uint64_t known_silence_ns = 1000000000;

/* The pauses between two looks; they double while nothing leaves the queue. */
enum { PEEK_MIN_MS = 1, PEEK_MAX_MS = 32 };

/* Values of ledger_entry.suspicion: judged when the running second is over, or one later. */
enum { SUSPICION_NONE, SUSPICION_NOW, SUSPICION_NEXT };

static int bytes_under_way(int queue)
{
	int bytes;
	return ioctl(queue, SIOCOUTQ, &bytes) < 0 ? -errno : bytes;
}

int losses_measure_queue_unit(void)
{
	static const struct handoff record = { .version = HANDOFF_VERSION,
		.length = sizeof record };
	int ends[2];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	int r = descriptor_send(ends[0], &record, sizeof record, NULL, 0);
	if (r == 0)
		r = bytes_under_way(ends[0]);
	fd_close(&ends[0]);
	fd_close(&ends[1]);
	return r > 0 ? r : HANDOFF_COST;
}

uint32_t losses_n_inside(const struct service *service)
{
	int bytes = bytes_under_way(service->traffic->queue_io.fd);
	return bytes < 0 ? 0 : (uint32_t)bytes / service->acceptor->queue_unit;
}

uint32_t losses_n_inherited(const struct service *service)
{
	uint32_t n = losses_n_inside(service), n_waiting = service->traffic->account.n_waiting;
	return n > n_waiting ? n - n_waiting : 0;
}

/* It is first in, first out. */
uint32_t losses_n_out_of_queue(const struct service *service)
{
	uint32_t n = losses_n_inside(service), n_waiting = service->traffic->account.n_waiting;
	return n_waiting > n ? n_waiting - n : 0;
}

void losses_lose(struct service *service, uint32_t place, pid_t worker, uint64_t now_ns)
{
	if (!ledger_at(&service->acceptor->ledger, place)->is_counted)
		score_add(service->score->lost, 1);
	toll_lost(service);
	service_log_lost(service, ledger_at(&service->acceptor->ledger, place), worker);
	service->traffic->adoptable++; /* should somebody have it after all */
	reports_drop(service, place, now_ns);
}

/* Its worker is dead. */
static void watch_command(struct service *service, const struct ledger_entry *entry)
{
	if (entry->pid != entry->worker)
		outliving_watch(service->acceptor, entry->pid);
}

void losses_look_after(struct service *service, uint32_t place)
{
	const struct ledger_entry *entry = ledger_at(&service->acceptor->ledger, place);
	if (pid_is_gone(entry->worker))
		watch_command(service, entry);
}

static void lose_taken_by(struct service *service, pid_t worker, uint64_t now_ns)
{
	struct ledger *ledger = &service->acceptor->ledger;
	for (uint32_t place = service->traffic->account.oldest; place;) {
		const struct ledger_entry *entry = ledger_at(ledger, place);
		uint32_t newer = entry->newer;
		if (entry->worker == worker && entry->state == LEDGER_TAKEN) {
			losses_lose(service, place, worker, now_ns);
		} else if (entry->worker == worker) {
			toll_lives_on(service);
			watch_command(service, entry);
		}
		place = newer;
	}
}

static void suspect(struct service *service, uint64_t now_ns)
{
	struct ledger *ledger = &service->acceptor->ledger;
	uint32_t n = losses_n_out_of_queue(service);
	bool is_judging = service->traffic->suspects_ns != NEVER_NS;
	if (!n)
		return;
	if (!is_judging)
		service->traffic->suspects_ns = now_ns + suspicion_ns;
	for (uint32_t place = service->traffic->account.first_waiting; n; n--) {
		struct ledger_entry *entry = ledger_at(ledger, place);
		if (entry->suspicion == SUSPICION_NONE && !copies_covers(service, place))
			entry->suspicion = is_judging ? SUSPICION_NEXT : SUSPICION_NOW;
		place = entry->behind;
	}
}

void losses_worker_gone(struct service *service, pid_t worker, uint64_t now_ns)
{
	struct control_toll toll;
	if (service_is_at_rest(service))
		return;
	/* What it said before it died counts. */
	reports_drain(service, REPORTS_AT_ONCE, now_ns);
	toll_begin(service, &toll, worker);
	lose_taken_by(service, worker, now_ns);
	redelivery_worker_gone(service, worker, now_ns);
	toll_end(service);
	if (service->has_reports)
		suspect(service, now_ns);
}

void losses_judge_suspects(struct service *service, uint64_t now_ns)
{
	struct ledger *ledger = &service->acceptor->ledger;
	service->traffic->suspects_ns = NEVER_NS;
	for (uint32_t place = service->traffic->account.first_waiting; place;) {
		struct ledger_entry *entry = ledger_at(ledger, place);
		uint32_t behind = entry->behind;
		if (entry->suspicion == SUSPICION_NOW) {
			losses_lose(service, place, 0, now_ns);
		} else if (entry->suspicion == SUSPICION_NEXT) {
			entry->suspicion = SUSPICION_NOW;
			service->traffic->suspects_ns = now_ns + suspicion_ns;
		}
		place = behind;
	}
}

void losses_expect_reports(struct service *service, uint64_t now_ns)
{
	if (service->has_reports || !service->traffic->account.n_waiting)
		service->traffic->silent_ns = NEVER_NS;
	else if (service->traffic->silent_ns == NEVER_NS)
		service->traffic->silent_ns = now_ns + (service->is_silent ? known_silence_ns : silence_ns);
}

void losses_note_silence(struct service *service)
{
	if (!service->is_silent && !service->is_unfollowed && service->settings->told.max_uses)
		log_notice("%s: its workers do not report: max_uses has no effect",
			service_name(service));
	service->is_silent = true;
}

static void note_unfollowed(struct service *service)
{
	if (!service->is_unfollowed)
		log_notice("%s: its workers do not report: max_connections and max_per_source "
			   "count only connections that wait for a worker%s",
			service_name(service),
			service->settings->told.max_uses ? ", and max_uses has no effect" : "");
	service->is_unfollowed = true;
}

/* It has left the queue for a worker that tells us nothing. False: the kernel will tell its end. */
static bool let_go(struct service *service, uint32_t place, uint64_t now_ns)
{
	struct ledger *ledger = &service->acceptor->ledger;
	if (ledger_at(ledger, place)->is_followed) {
		ledger_set_state(ledger, &service->traffic->account, place, LEDGER_TAKEN);
		return following_end(service, place, now_ns);
	}
	note_unfollowed(service);
	if (!ledger_at(ledger, place)->is_counted)
		score_add(service->score->served, 1);
	service->traffic->adoptable++;
	reports_drop(service, place, now_ns);
	return true;
}

/* The n oldest of those that left the queue. False: all of them are live, and followed. */
static bool drop(struct service *service, uint32_t n_gone, uint64_t now_ns)
{
	bool has_dropped = false;
	for (; n_gone; n_gone--)
		has_dropped |= let_go(service, service->traffic->account.first_waiting, now_ns);
	return has_dropped;
}

void losses_judge_silence(struct service *service, uint64_t now_ns)
{
	uint32_t n = losses_n_out_of_queue(service);
	uint32_t n_gone = n < service->traffic->silent_left ? n : service->traffic->silent_left;
	service->traffic->silent_ns = NEVER_NS;
	service->traffic->silent_left = n - n_gone;
	drop(service, n_gone, now_ns);
	/* Where the kernel tells of an end, silence is known from what follows on it. */
	service->is_silent |= n_gone && service->is_unfollowed;
}

void losses_mark_out_of_queue(struct service *service)
{
	struct ledger *ledger = &service->acceptor->ledger;
	uint32_t n = service->may_be_silent && !service->has_reports ? losses_n_out_of_queue(service) : 0;
	for (uint32_t place = service->traffic->account.first_waiting; n; n--) {
		ledger_at(ledger, place)->has_left_queue = true;
		place = ledger_at(ledger, place)->behind;
	}
}

bool losses_drop_unfollowed(struct service *service, uint64_t now_ns)
{
	uint32_t n_gone = losses_n_out_of_queue(service);
	if (!service->may_be_silent || service->has_reports || n_gone == 0)
		return false;
	return drop(service, n_gone, now_ns);
}

void losses_peek(struct service *service, uint64_t now_ns)
{
	service->traffic->peek_ns = NEVER_NS;
	if (losses_drop_unfollowed(service, now_ns))
		service->traffic->peek_ms = PEEK_MIN_MS;
	else if (service->traffic->peek_ms < PEEK_MAX_MS)
		service->traffic->peek_ms *= 2;
}

void losses_expect_taking(struct service *service, uint64_t now_ns)
{
	bool is_awaited = service->paused & SCORE_PAUSED_FULL || service->first_held;
	bool is_told = service->has_reports || !service->may_be_silent;
	if (!is_awaited || is_told || !service->traffic->account.n_waiting) {
		service->traffic->peek_ns = NEVER_NS;
		service->traffic->peek_ms = PEEK_MIN_MS;
	} else if (service->traffic->peek_ns == NEVER_NS) {
		service->traffic->peek_ns = now_ns + (uint64_t)service->traffic->peek_ms * 1000000;
	}
}
