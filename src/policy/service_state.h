/*
 * The life of a service: what it is, what happens to it, and what is to be done then.
 *
 * One table of state against event, without a system call in it. Whoever applies it (the
 * supervisor's service) translates what it sees into events and carries out the actions, in the
 * order of their bits.
 */
#ifndef FDSUP_POLICY_SERVICE_STATE_H
#define FDSUP_POLICY_SERVICE_STATE_H

#include <stdbool.h>

enum service_state {
	STATE_STOPPED,   /* no listener, no worker; nobody wants it */
	STATE_ON_DEMAND, /* listening, no worker: the first connection starts one */
	STATE_STARTING,  /* workers are being started (or ended, to be started again) */
	STATE_UP,        /* as many workers as it should have */
	STATE_DEGRADED,  /* some workers, fewer than it should have */
	STATE_BACKOFF,   /* no worker; the next try has a time */
	STATE_HUNG,      /* connections wait and nobody takes them */
	STATE_PAUSED,    /* told to accept nothing; what was accepted is served */
	STATE_DRAINING,  /* going away: listeners closed, workers finishing or being ended */
	STATE_FAILED,    /* gave up; tried again every ten minutes */
	STATE_COUNT,
};

enum service_event {
	EVENT_START,        /* wanted: by the configuration or an administrator */
	EVENT_START_IDLE,   /* the same, for a service whose workers come on demand */
	EVENT_STOP,         /* not wanted: end the workers and what they run */
	EVENT_DRAIN,        /* not wanted: let the workers finish */
	EVENT_RESTART,      /* end the workers, then start new ones; listeners stay */
	EVENT_PAUSE,
	EVENT_RESUME,
	EVENT_DEMAND,       /* a connection waits and there is no worker */
	EVENT_READY,        /* as many workers are ready as there should be */
	EVENT_SHORT,        /* some, but fewer than there should be, are left */
	EVENT_GONE_EARLY,   /* the last one died before it had been of use */
	EVENT_GONE_LATE,    /* the last one died after good service */
	EVENT_GONE_IDLE,    /* the last one left because there was nothing to do */
	EVENT_GONE_FOR_GOOD, /* the last one ended and `restart` says to leave it at that */
	EVENT_RETRY,        /* the delay is over */
	EVENT_HUNG,         /* connections wait for longer than `watchdog` */
	EVENT_GAVE_UP,      /* too many early deaths: `give_up` */
	EVENT_EMPTY,        /* told to end, and now the last process is gone */
	EVENT_COUNT,
};

/* Bits, in the order in which they are carried out. */
enum service_action {
	ACTION_OPEN = 1,        /* bind and hand the listeners to the acceptor */
	ACTION_CLOSE = 2,       /* close the listeners */
	ACTION_PAUSE = 4,       /* the acceptor stops accepting */
	ACTION_RESUME = 8,      /* the acceptor accepts again */
	ACTION_TERMINATE = 16,  /* end the workers and what they run */
	ACTION_DRAIN = 32,      /* tell the workers to finish */
	ACTION_SPAWN = 64,      /* start workers up to the number there should be, one at least */
	ACTION_WATCH = 128,     /* wait for the first connection */
	ACTION_DELAY = 256,     /* raise EVENT_RETRY after the delay of policy/backoff.h */
	ACTION_DELAY_LONG = 512, /* raise EVENT_RETRY after STATE_FAILED_RETRY_MS */
};

enum { STATE_FAILED_RETRY_MS = 10 * 60 * 1000 };

struct service_step {
	enum service_state next;
	unsigned actions;
	bool is_allowed; /* false: the event means nothing in this state; nothing is to be done */
};

struct service_step service_state_step(enum service_state state, enum service_event event);

/* "UP", "ON-DEMAND", ... */
const char *service_state_name(enum service_state state);

#endif
