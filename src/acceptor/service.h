/*
 * One service as its acceptor sees it: listeners, limits, the queue to its workers, and the
 * connections in between.
 *
 * Whatever happens to a service, its handler ends with service_settle, which brings everything that
 * follows from its state up to date in one place: held connections, listeners, scoreboard, timer.
 */
#ifndef FDSUP_ACCEPTOR_SERVICE_H
#define FDSUP_ACCEPTOR_SERVICE_H

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#include "acceptor/settings.h"
#include "acceptor/traffic.h"
#include "policy/admission.h"
#include "wire/control.h"
#include "wire/estate.h"
#include "wire/scoreboard.h"

struct acceptor;
struct access;
struct entrance;
struct listener;
struct held;

/* There are hundreds, and most are at rest: no space between members. */
struct service {
	struct acceptor *acceptor;
	struct settings *settings; /* a user of them */
	struct score *score;
	struct traffic *traffic;   /* owned; of those at rest one for all */
	uint64_t opened_ns;
	struct access *access; /* owned; NULL: everybody may connect, unless awaits_access */
	struct admission admission;
	struct listener *listeners;
	struct entrance *entrances;
	struct held *first_held; /* in the order of acceptance */
	uint64_t unknown_ns; /* when to ask for those that an acceptor before us left, then to write them off */
	struct service *next_unsettled; /* following.c: connections of these have just ended */
	uint32_t number;         /* row on the scoreboard; names the service in messages */
	uint32_t estate_name;    /* wire/estate.h */
	uint32_t paused;         /* enum score_pause */
	uint32_t n_unknown_alive; /* of the unknown, as far as the inventory that is under way has come */

	bool is_unknown_due : 1;     /* the kernel is to be asked how many of them live */
	bool is_unsettled : 1;
	bool awaits_access : 1;      /* who may connect is not known yet */
	bool may_release : 1;        /* a limit may have become free for one that is held */
	bool redelivers : 1;
	bool is_paused_by_admin : 1;
	bool is_near_full : 1;       /* since it was last far from it */
	bool has_reports : 1;        /* its workers do report */
	bool may_be_silent : 1;      /* they need not */
	bool is_silent : 1;          /* and did not, for one that the kernel followed to its end */
	bool has_odd_reports : 1;    /* that has been logged */
	bool is_unfollowed : 1;      /* it has been logged that its workers do not report */

	char name[]; /* last: every service has its own */
};

/*
 * NULL: out of memory. Takes the queue and its slots; -1: there are no slots; the queue is asked for when
 * the first connection comes.
 */
struct service *service_open(struct acceptor *acceptor, const struct control_service *settings,
	int queue_fd, int slots_fd);

/* Takes the list of those who may connect; NULL: everybody. It holds for who comes from now on. */
void service_set_access(struct service *service, struct access *access);

/* Whether to accept one more now: the gate is open and there is a queue, which else is asked for. */
bool service_may_accept(struct service *service, uint64_t now_ns);
void service_ask_queue(struct service *service, uint64_t now_ns);

/* Closes its queue if it is not needed now. False: it is. */
bool service_give_queue_back(struct service *service);

/* Takes the queue that was asked for, with its slots. 0 or -ENOMEM. */
int service_give_queue(struct service *service, int fd, int slots_fd);

/* Nobody has come since it was opened. */
bool service_is_at_rest(const struct service *service);

static inline bool service_has_queue(const struct service *service)
{
	return service->traffic->queue_io.fd >= 0;
}

/* 0 or -ENOMEM. */
int service_change(struct service *service, const struct control_service *settings);

/* The service is no more: refuses what it still holds, visibly, and drops everything. */
void service_close(struct service *service);

/*
 * The acceptor is no more, the service lives on: what it holds goes to the queue, limits or not, or
 * is refused visibly if there is no room. The scoreboard is left as the next acceptor wants it.
 */
void service_abandon(struct service *service);

/*
 * What was left to us of this service is here. `is_complete`: all of it, so nothing is missing; `is_late`:
 * that was said before.
 */
void service_settle_estate(
	struct service *service, bool is_complete, bool is_late, uint64_t now_ns);

void service_pause(struct service *service, bool is_paused);

/* Writes down how far a connection has come: traces.h. */
void service_trace(struct service *service, int connection, const struct ledger_entry *entry,
	enum estate_state state);

void service_settle(struct service *service, uint64_t now_ns);

void service_on_timer(struct ev_loop *loop, ev_timer *timer, int revents);

static inline enum log_address service_log_address(const struct service *service)
{
	return (enum log_address)service->settings->told.log_address;
}

static inline const char *service_name(const struct service *service)
{
	return service->name;
}

#endif
