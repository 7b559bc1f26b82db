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

#include "acceptor/casualties.h"
#include "acceptor/copies.h"
#include "acceptor/episode.h"
#include "acceptor/ledger.h"
#include "acceptor/settings.h"
#include "acceptor/uses.h"
#include "wire/control.h"
#include "wire/estate.h"
#include "wire/scoreboard.h"

struct acceptor;
struct access;
struct entrance;
struct listener;
struct held;

#define NEVER_NS UINT64_MAX

/* An accepted connection that is still ours. */
struct in_hand {
	int fd;         /* owned; -1: none */
	uint32_t place; /* in the ledger */
};

/* There are hundreds, and most are at rest: no space between members. */
struct service {
	struct acceptor *acceptor;
	struct settings *settings; /* a user of them */
	struct score *score;
	uint64_t opened_ns;
	struct access *access; /* owned; NULL: everybody may connect, unless awaits_access */
	struct admission admission;
	struct ledger_account account;
	uint32_t number; /* row on the scoreboard; names the service in messages */
	struct listener *listeners;
	struct entrance *entrances;
	ev_io queue_io; /* reports; its descriptor is the acceptor's end of the queue */
	ev_timer timer; /* for the earliest of the times below */
	uint64_t timer_ns;

	/* Delivery. */
	struct in_hand in_hand;  /* admitted, and the queue had no room */
	struct held *first_held; /* in the order of acceptance */
	struct held *last_held;
	uint64_t release_ns; /* when a held one is to be looked at again */
	uint64_t retry_ns;   /* when to try the queue again */
	uint32_t retry_ms;

	/* Accepting. */
	uint32_t paused;       /* enum score_pause */
	uint64_t open_ns;      /* when the gate opens by itself */
	uint64_t warn_full_ns; /* not before is it said again that it is near full */

	struct copies *copies; /* owned; those of a service without slots are one for all */
	uint64_t copies_ns;    /* when to look whether any is kept for too long */

	bool awaits_access;      /* who may connect is not known yet */
	bool may_release;        /* a limit may have become free for one that is held */
	bool redelivers;
	bool is_paused_by_admin;
	bool is_near_full;       /* since it was last far from it */
	bool has_reports;        /* its workers do report */
	bool may_be_silent;      /* they need not */
	bool is_silent;          /* and did not, for one that the kernel followed to its end */
	bool has_odd_reports;    /* that has been logged */
	bool is_unfollowed;      /* it has been logged that its workers do not report */

	/* Reports and losses. */
	uint32_t adoptable;   /* how many unknown connections workers may still tell us of */
	uint64_t ask_ns;      /* when to ask for a queue again; NEVER_NS: it was not asked for */
	uint64_t unknown_ns;  /* when to ask for those that an acceptor before us left, then to write them off */
	bool is_unknown_due;  /* the kernel is to be asked how many of them live */
	uint32_t n_unknown_alive; /* so many, as far as the inventory that is under way has come */
	uint64_t suspects_ns; /* when connections that nobody reported are lost */
	struct casualties casualties;
	struct { /* commands that outlived their worker and have ended, of the last such worker */
		pid_t worker;
		uint32_t n;
	} orphans;
	struct control_toll *toll; /* a worker has died, and its connections are being judged; else NULL */
	uint64_t deaf_ns;     /* when to say that the queue's other end is gone */
	uint64_t silent_ns;   /* when to give up waiting for a first report */
	uint64_t peek_ns;     /* when to look whether any has left the queue: clients wait for that */
	uint32_t peek_ms;
	uint64_t look_ns;     /* when to publish anew how many are in the queue, of which nobody tells us */
	uint32_t silent_left; /* how many had left the queue when that was last looked at */
	struct uses uses;

	/* Saying it once. */
	struct episodes episodes;
	uint64_t refused_ns; /* since when REFUSED lines are counted */
	uint32_t n_refused_lines;
	uint32_t n_refused_silent;

	struct service *next_unsettled; /* following.c: connections of these have just ended */
	bool is_unsettled;

	/* After an acceptor before us. */
	uint32_t n_missing;   /* connections that it held, and that nobody has handed to us yet */
	uint32_t estate_name; /* wire/estate.h */

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

/* Takes the queue that was asked for, with its slots. */
void service_give_queue(struct service *service, int fd, int slots_fd);

static inline bool service_has_queue(const struct service *service)
{
	return service->queue_io.fd >= 0;
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

/* All that was left to us of this service is here: what is missing is lost. `is_late`: that was said before. */
void service_settle_estate(struct service *service, bool is_late, uint64_t now_ns);

void service_pause(struct service *service, bool is_paused);

/* Writes down how far a connection has come: traces.h. */
void service_trace(struct service *service, int connection, const struct ledger_entry *entry,
	enum estate_state state);

/* Of those that an acceptor before us left, one has been heard of: the others are given their time again. */
void service_await_unknown(struct service *service, uint64_t now_ns);

void service_settle(struct service *service, uint64_t now_ns);

static inline enum log_address service_log_address(const struct service *service)
{
	return (enum log_address)service->settings->told.log_address;
}

static inline const char *service_name(const struct service *service)
{
	return service->name;
}

#endif
