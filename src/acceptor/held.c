#include "acceptor/held.h"

#include <stdlib.h>

#include "acceptor/acceptor.h"
#include "acceptor/delivery.h"
#include "acceptor/service_log.h"

struct held {
	struct held *next; /* of the service */
	int fd;            /* owned */
	uint32_t place;
	uint64_t deadline_ns;
	enum admission_limit limit; /* what it waits for */
};

static void give_up(struct service *service, int *connection, uint32_t place, const char *reason,
	uint64_t now_ns)
{
	struct ledger *ledger = &service->acceptor->ledger;
	struct ledger_entry *entry = ledger_at(ledger, place);
	admission_give_up(&service->admission, entry->source, now_ns);
	delivery_refuse(service, connection, entry, reason, now_ns);
	ledger_remove(ledger, &service->account, place);
}

void held_add(struct service *service, int connection, uint32_t place, enum admission_limit limit,
	uint64_t now_ns)
{
	struct held *held = malloc(sizeof *held);
	if (!held) {
		give_up(service, &connection, place, "memory", now_ns);
		return;
	}
	*held = (struct held){
		.fd = connection,
		.place = place,
		.deadline_ns = now_ns + (uint64_t)service->overflow_wait_ms * 1000000,
		.limit = limit,
	};
	*(service->last_held ? &service->last_held->next : &service->first_held) = held;
	service->last_held = held;
	service->may_release = true; /* works out when it is to be looked at */
}

static void expire(struct service *service, struct held *held, uint64_t now_ns)
{
	episode_refused(&service->episodes, delivery_episode(held->limit));
	give_up(service, &held->fd, held->place, admission_limit_key(held->limit), now_ns);
}

/* True when it need not be held any longer. */
static bool release_one(struct service *service, struct held *held, uint64_t now_ns)
{
	struct ledger_entry *entry = ledger_at(&service->acceptor->ledger, held->place);
	uint64_t again_ns = NEVER_NS;
	if (service->in_hand.fd < 0) {
		struct admission_answer answer =
			admission_retry(&service->admission, entry->source, now_ns, &again_ns);
		if (answer.verdict == ADMISSION_ADMIT) {
			delivery_admit(service, &held->fd, held->place, now_ns);
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
	if (again_ns < service->release_ns)
		service->release_ns = again_ns;
	return false;
}

void held_release(struct service *service, uint64_t now_ns)
{
	struct held **link = &service->first_held;
	service->may_release = false;
	service->release_ns = NEVER_NS;
	service->last_held = NULL;
	while (*link) {
		struct held *held = *link;
		if (release_one(service, held, now_ns)) {
			*link = held->next;
			free(held);
		} else {
			service->last_held = held;
			link = &held->next;
		}
	}
}

int held_take(struct service *service, uint32_t *ret_place)
{
	struct held *held = service->first_held;
	if (!held)
		return -1;
	int fd = held->fd;
	*ret_place = held->place;
	service->first_held = held->next;
	if (!held->next)
		service->last_held = NULL;
	free(held);
	return fd;
}
