#include "acceptor/held.h"

#include <stdlib.h>

#include "acceptor/acceptor.h"
#include "acceptor/delivery.h"
#include "acceptor/service_log.h"

struct held {
	struct held *older, *newer; /* of the service */
	int fd;                     /* owned */
	uint32_t place;
	uint64_t deadline_ns;
	enum admission_limit limit; /* what it waits for */
	bool is_of_flood;           /* when that was last looked at */
	bool is_greeted;
};

/* That there was another acceptor meanwhile is not the client's doing. */
static const uint64_t resume_patience_ns = 1000000000;

static uint32_t source_of(const struct service *service, const struct held *held)
{
	return ledger_at(&service->acceptor->ledger, held->place)->source;
}

static void remove_held(struct service *service, struct held *held)
{
	*(held->older ? &held->older->newer : &service->first_held) = held->newer;
	*(held->newer ? &held->newer->older : &service->traffic->last_held) = held->older;
	free(held);
}

static void give_up(struct service *service, int *connection, uint32_t place, const char *reason,
	uint64_t now_ns)
{
	struct ledger *ledger = &service->acceptor->ledger;
	struct ledger_entry *entry = ledger_at(ledger, place);
	admission_give_up(&service->admission, entry->source, now_ns);
	delivery_refuse(service, connection, entry, reason, now_ns);
	ledger_remove(ledger, &service->traffic->account, place);
}

static void add(struct service *service, const struct held *like, uint64_t now_ns)
{
	struct held *held = malloc(sizeof *held);
	int connection = like->fd;
	if (!held) {
		give_up(service, &connection, like->place, "memory", now_ns);
		return;
	}
	traces_set(service->acceptor->guard.traces, connection,
		like->is_greeted ? ESTATE_ADMITTED : ESTATE_HELD);
	*held = *like;
	held->older = service->traffic->last_held;
	*(held->older ? &held->older->newer : &service->first_held) = held;
	service->traffic->last_held = held;
	service->may_release = true; /* works out when it is to be looked at */
}

static uint64_t wait_ns(const struct service *service)
{
	return (uint64_t)service->settings->told.overflow_wait_ms * 1000000;
}

void held_add(struct service *service, int connection, uint32_t place, enum admission_limit limit,
	uint64_t now_ns)
{
	const struct held held = {
		.fd = connection,
		.place = place,
		.deadline_ns = now_ns + wait_ns(service),
		.limit = limit,
	};
	add(service, &held, now_ns);
}

void held_resume(
	struct service *service, int connection, uint32_t place, bool is_admitted, uint64_t now_ns)
{
	uint64_t accepted_ns = ledger_at(&service->acceptor->ledger, place)->accepted_ns;
	const struct held held = {
		.fd = connection,
		.place = place,
		.deadline_ns = is_admitted ? NEVER_NS : accepted_ns + wait_ns(service) + resume_patience_ns,
		.limit = ADMISSION_MAX_CONNECTIONS,
		.is_greeted = is_admitted,
	};
	add(service, &held, now_ns);
}

static void expire(struct service *service, struct held *held, uint64_t now_ns)
{
	episode_refused(&service->traffic->episodes, delivery_episode(held->limit));
	give_up(service, &held->fd, held->place, admission_limit_key(held->limit), now_ns);
}

/* True when it need not be held any longer. */
static bool release_one(struct service *service, struct held *held, uint64_t now_ns)
{
	struct ledger_entry *entry = ledger_at(&service->acceptor->ledger, held->place);
	uint64_t again_ns = NEVER_NS;
	if (service->traffic->in_hand.fd < 0) {
		struct admission_answer answer =
			admission_retry(&service->admission, entry->source, now_ns, &again_ns);
		if (answer.verdict == ADMISSION_ADMIT) {
			delivery_admit(service, &held->fd, held->place, held->is_greeted, now_ns);
			return true;
		}
		held->limit = answer.limit;
	}
	if (held->deadline_ns <= now_ns) {
		expire(service, held, now_ns);
		return true;
	}
	if (held->deadline_ns < again_ns)
		again_ns = held->deadline_ns;
	if (again_ns < service->traffic->release_ns)
		service->traffic->release_ns = again_ns;
	return false;
}

void held_drop_oldest(struct service *service, uint32_t source, uint64_t now_ns)
{
	struct held *held = service->first_held;
	while (held && source_of(service, held) != source)
		held = held->newer;
	if (!held)
		return;
	expire(service, held, now_ns);
	remove_held(service, held);
}

/* In the order of their coming; those of a flood are left for the next one. */
static void release_lines(struct service *service, uint64_t now_ns)
{
	struct held *newer;
	for (struct held *held = service->first_held; held; held = newer) {
		newer = held->newer;
		held->is_of_flood = admission_is_flooding(&service->admission, source_of(service, held));
		if (!held->is_of_flood && release_one(service, held, now_ns))
			remove_held(service, held);
	}
}

static void release_floods(struct service *service, uint64_t now_ns)
{
	struct held *older;
	for (struct held *held = service->traffic->last_held; held; held = older) {
		older = held->older;
		if (held->is_of_flood && release_one(service, held, now_ns))
			remove_held(service, held);
	}
}

void held_release(struct service *service, uint64_t now_ns)
{
	service->may_release = false;
	service->traffic->release_ns = NEVER_NS;
	release_lines(service, now_ns);
	release_floods(service, now_ns);
}

int held_take(struct service *service, uint32_t *ret_place)
{
	struct held *held = service->first_held;
	if (!held)
		return -1;
	int fd = held->fd;
	*ret_place = held->place;
	remove_held(service, held);
	return fd;
}
