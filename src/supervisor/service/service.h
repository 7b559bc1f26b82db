/*
 * A service at run time: the table of states applied to real listeners, queues and workers.
 *
 * Everything that happens to a service goes through service_raise; everything that changes is
 * published in one place.
 */
#ifndef FDSUP_SUPERVISOR_SERVICE_H
#define FDSUP_SUPERVISOR_SERVICE_H

#include <stdbool.h>
#include <stdint.h>
#include <ev.h>

#include "config/config.h"
#include "policy/backoff.h"
#include "policy/growth.h"
#include "policy/health.h"
#include "policy/service_state.h"
#include "policy/standing.h"
#include "supervisor/listeners/listeners.h"
#include "supervisor/service/worker.h"

struct supervisor;
struct acceptor;
struct capture;
struct leftover;
struct roll;

/* How the last worker ended: what health_death needs, kept after it. */
struct last_death {
	bool is_known;
	bool was_spawned;
	bool was_ready;
	const char *step; /* a constant */
	int pid;
	int status;
	enum health_killing killing;
	uint64_t age_ms;
	uint64_t at_ms; /* CLOCK_MONOTONIC */
	unsigned n_left_behind; /* processes that outlived a daemon, and were ended */
	bool was_out_of_memory; /* of its cgroup */
	uint64_t delay_ms; /* until the next try that it has earned */
	bool gave_up;      /* or it was one too many */
};

/* What the past of its workers says about their future. */
struct history {
	struct backoff backoff;
	struct growth growth;
	struct last_death last_death;
	uint32_t n_surplus;      /* workers that are to end once it is known which are idle */
	uint64_t n_oom_kills;    /* in its cgroup, as last seen */
	uint64_t grow_failed_ms; /* when it was last said that there can be no more workers */
	uint64_t renew_after_ms; /* no worker is replaced by another for its size before */
	uint64_t taken;    /* connections that workers had taken when that was last looked at, */
	uint64_t taken_ms; /* and when there was last one more; 0: never looked */
};

/* There are hundreds: what is needed now and then is made then, and little space lies between members. */
struct service {
	struct supervisor *supervisor;
	uint64_t serial;               /* its own among all there ever were */
	struct service_config *config; /* owned */
	char **environment;            /* of its programs; made when first needed */

	/* how it stands */
	enum service_state state;
	unsigned generation;
	uint64_t state_since_ms;
	struct standing standing;      /* as it is shown */
	uint64_t start_ms;             /* when it was last told to start */
	uint64_t terminate_ms;         /* since when it is being ended; 0: it is not */
	bool is_wanted;                /* by the configuration or an administrator */
	bool is_leaving;               /* no longer configured: freed when STOPPED */
	bool is_awaiting;              /* those before it: the key after. It is STOPPED, and wanted */
	bool is_to_stop;               /* as soon as those that come after it have */
	bool is_hurried;               /* it was told so twice: without grace */
	bool is_open;                  /* the acceptor knows it */
	bool is_retry;                 /* the timer stands for a try after a death, or a sweep for orphans */
	bool is_touched;               /* keeper_touch */
	bool has_spawned;              /* there may be processes of it that are not its workers */
	bool has_cgroup;               /* there is one, also if the configuration asks for none any more */
	bool has_said_severing;        /* that a connection cannot be ended whose time is over */

	/* its sockets */
	uint32_t missing_which;        /* the place in the configuration of an address that is not there; */
	int missing_error;             /* -errno; */
	char *missing;                 /* and why; NULL: all are */
	struct listener *listeners;    /* an array; bound, empty while STOPPED */
	uint32_t n_listeners;          /* bound; fewer than in the file while an address is not there */
	uint32_t n_arrivals;
	ev_io *arrivals;               /* while it waits for a client; NULL: it does not. See watch.h */
	int queue[2];                  /* acceptor's end, workers' end; -1 until it is needed */
	uint64_t queue_failed_ms;      /* when it was last needed and could not be made */
	int slots_fd;                  /* made and closed with the queue; -1: none */
	uint32_t slot;                 /* its row on the acceptor's scoreboard */
	struct acceptor *acceptor;     /* NULL: has no listeners */
	uint32_t close_sync;           /* confirms that the acceptor has closed its listeners */
	uint32_t pause_sync;           /* confirms that it has paused them */

	/* its processes */
	struct worker *workers;
	uint32_t n_working;            /* workers that are neither draining nor stopping */
	uint32_t n_workers;            /* all of them */
	unsigned n_deaths;
	unsigned n_restarts;
	struct capture *capture;       /* made when first needed */
	struct history *history;       /* made by the first worker: most services on most days have none */
	struct leftover *leftovers;    /* list: what dead workers left, and is ended */
	ev_timer timer;                /* the next look at the queue, or what `is_retry` says */
	uint64_t next_try_ms;          /* CLOCK_MONOTONIC; 0: none planned */

	/* its next configuration */
	struct roll *roll;             /* that is being tried; NULL: none is */
	char *reload_failure;          /* why the last one that was tried is not in force; NULL: it is */
};

/* Takes the configuration. NULL without memory. */
struct service *service_create(struct supervisor *supervisor, struct service_config *config);

/* The same without an acceptor and its slot. */
struct service *service_make(struct supervisor *supervisor, struct service_config *config);

/* Only in STOPPED, without a process. */
void service_destroy(struct service *service);

/*
 * Binds the listeners that it has not yet, after which EVENT_START can open it. 0, or -errno with a
 * text for the administrator in error, and no more listeners than before.
 */
int service_bind(struct service *service, char error[LISTENERS_ERROR_SIZE]);

/* Gives the listeners up again. Only of one that was not started since. */
void service_unbind(struct service *service);

/* The same at the start of fdsup, see listeners_open_some. */
int service_bind_some(struct service *service, char error[LISTENERS_ERROR_SIZE]);

void service_raise(struct service *service, enum service_event event);

/* Wanted, with the event that suits its type. Its listeners must be bound. */
void service_start(struct service *service);

/*
 * A new configuration for it; `opened` takes the place of its listeners. Takes both, and gives the
 * configuration before, which is the caller's now.
 */
struct service_config *service_reconfigure(struct service *service, struct service_config *config,
	enum config_change change, struct listener *opened, uint32_t n_opened);

/* An address has appeared: its socket is one more of this service, which takes it. False: no memory. */
bool service_add_listener(struct service *service, const struct listener *listener);

/* New workers take the place of all that run, which finish what they have. */
void service_roll(struct service *service);

/* Tells a new acceptor all that it must know of the service. */
void service_introduce(struct service *service);

/* Makes its queue if it has none yet, and tells the acceptor. 0 or -errno. */
int service_make_queue(struct service *service);

/* The first connection has come: it is told when there can be no queue. */
void service_on_need_queue(struct service *service);

/* The acceptor has given the queue back. */
void service_on_queue_closed(struct service *service);

/* The pipe for standard error of its programs; NULL when it cannot be made. */
struct capture *service_capture(struct service *service);

/* The environment of its programs, which stays the service's; NULL without memory. */
char **service_environment(struct service *service);

/* It is made anew from the configuration when it is needed. */
void service_drop_environment(struct service *service);

/* Never NULL: without memory a spare one, which then is nobody's. */
struct history *service_history(struct service *service);

/* An administrator starts it by hand, or its command changed: a new beginning. */
void service_forget_failures(struct service *service);

/* Connections that its workers have taken so far; 0 for a service without a queue. */
uint64_t service_taken(const struct service *service);

/* What is known of it at the moment, for policy to judge; its texts are the service's. */
struct health_facts service_facts(const struct service *service);

void service_judge(const struct service *service, struct health *ret_health);

#endif
