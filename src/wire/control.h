/*
 * The catalogue of messages between the supervisor and an acceptor, over one channel.
 *
 * The supervisor commands, the acceptor confirms. Each message is one struct, whole; its descriptors
 * are named beside it. A message that does not fit the catalogue ends the acceptor (a sibling that
 * talks nonsense is broken), and never the supervisor, which replaces the acceptor.
 */
#ifndef FDSUP_WIRE_CONTROL_H
#define FDSUP_WIRE_CONTROL_H

#include <stddef.h>
#include <stdint.h>

#include "wire/confinement.h"
#include "wire/endpoint.h"
#include "wire/hours.h"

enum { CONTROL_VERSION = 1, CONTROL_NAME_SIZE = 64, CONTROL_FDS_MAX = 3, CONTROL_UIDS = 2,
	CONTROL_CLIENTS = 4 };

enum control_kind {
	/* supervisor to acceptor */
	CONTROL_SERVICE = 1,    /* struct control_service: a new service, with the descriptors that it
	                           names, or other limits for a known one, without */
	CONTROL_LISTENER,       /* struct control_listener; one descriptor: listening, non-blocking */
	CONTROL_LISTENER_CLOSE, /* struct control_listener: stop accepting there, close */
	CONTROL_PAUSE,          /* struct control_number: service; stop accepting, keep listening */
	CONTROL_RESUME,         /* struct control_number: service */
	CONTROL_FORGET,         /* struct control_number: service; its listeners are closed, its workers
	                           are gone: drop its ledger and its queue, whose other end may come
	                           along so that it stays open until then */
	CONTROL_WORKER_GONE,    /* struct control_process: service, pid of the worker */
	CONTROL_CHILD_ENDED,    /* struct control_process: a command whose worker had died before it */
	CONTROL_ACCESS,         /* struct control_access: who may connect to a service and when, which
	                           replaces what held before; one descriptor, a memory file with all that
	                           is counted there, unless all counts are 0 */
	CONTROL_ZONE,           /* struct control_zone: the local time, for all services */
	CONTROL_QUEUE,          /* struct control_number: service, which was opened without a queue; the
	                           acceptor's end of it, and its slots if there are any */
	CONTROL_QUEUE_BACK,     /* struct control_number: service; give its queue back if nothing is in it */
	CONTROL_SYNC,           /* struct control_number: answer CONTROL_SYNCED with the same number */
	CONTROL_LIST,           /* struct control_number: answer CONTROL_LISTED with the same number */
	CONTROL_ESTATE_OUT,     /* struct control_number: 0; one descriptor, which what the acceptor
	                           leaves is sent to when it ends or dies: wire/estate.h; the first
	                           message */
	CONTROL_ESTATE_IN,      /* struct control_number: 0; it knows all services that somebody served
	                           before it. One descriptor, at which there is what was left to it, or
	                           none: nothing was */
	CONTROL_SEVERED,        /* struct control_connection: it is being ended by order, `reason` says
	                           by whose; 0: it could not be, and goes on */
	CONTROL_WORKER_ENDING,  /* struct control_process: service, pid of a worker that is told to end, and
	                           to end the commands that it has: how they end is no fault of theirs */
	/* acceptor to supervisor */
	CONTROL_READY,          /* struct control_ready; the first message */
	CONTROL_SYNCED,         /* struct control_number: all that was sent before is in force */
	CONTROL_NEED_QUEUE,     /* struct control_number: service, which has a client and no queue */
	CONTROL_QUEUE_CLOSED,   /* struct control_number: service; it was given back */
	CONTROL_LISTED,         /* struct control_number; one descriptor: the live connections, as
	                           wire/connections.h has them, or none: that failed */
	CONTROL_WORKER_WORN,    /* struct control_process: service, pid of a worker with max_uses uses */
	CONTROL_WORKER_SLOTS,   /* struct control_process: service, pid of a process that says how many more
	                           connections it could serve, and in status how many */
	CONTROL_TOLL,           /* struct control_toll: what CONTROL_WORKER_GONE has cost, said once for
	                           each, unless the workers of the service tell nothing */
	CONTROL_COMMAND_DIED,   /* struct control_command: a command that did not end with status 0; of
	                           many in a short time only some, with the number of the others */
	CONTROL_UNGUARDED,      /* struct control_number: 0; its guard has died: renew it */
	CONTROL_LAPSED,         /* struct control_connection: its time is over, end it */
};

/* Every message begins with its kind. */
struct control_number {
	uint32_t kind;
	uint32_t number;
};

/* It is confined, and reads from now on. */
struct control_ready {
	uint32_t kind;
	uint32_t version;         /* CONTROL_VERSION */
	struct confinement confinement;
	int32_t guard;            /* 0: what it has does not die with it; else why: -errno */
	uint32_t zero;
};

/* See policy/access.h and policy/hours.h. The file holds these one behind the other. */
struct control_access {
	uint32_t kind;
	uint32_t service;
	uint32_t has_allow;
	uint32_t n_allow;         /* struct network */
	uint32_t n_deny;          /* struct network */
	uint32_t n_windows;       /* struct window; 0: always open */
	uint32_t refuse_length;   /* bytes of the text for those who are refused */
	uint32_t banner_length;   /* bytes of the text for those who are admitted */
	uint32_t max_load_centi;  /* hundredths of the load average; not in the file; 0: no limit */
};

struct control_zone {
	uint32_t kind;
	uint32_t zero;
	struct zone zone;
};

/* Limits of 0 mean "none". */
struct control_service {
	uint32_t kind;
	uint32_t service;         /* row on the scoreboard; names the service in all other messages */
	char name[CONTROL_NAME_SIZE];
	uint32_t max_connections;
	uint32_t max_per_source;
	uint32_t rate_count;      /* tokens gained in rate_per_ms */
	uint32_t rate_per_ms;
	uint32_t rate_burst;
	uint32_t source_rate_count;
	uint32_t source_rate_per_ms;
	uint32_t source_rate_burst;
	uint32_t overflow;        /* enum overflow_rule */
	uint32_t overflow_wait_ms;
	uint32_t log_events;      /* bits of enum LOG_EVENT_* */
	uint32_t log_address;     /* enum log_address */
	uint32_t queue_depth;
	uint32_t may_be_silent;   /* its workers are strangers' programs, and need not report */
	uint32_t max_uses;        /* connections after which a worker is replaced */
	uint32_t awaits_access;   /* of a new one: nobody gets in before CONTROL_ACCESS has come */
	uint32_t redelivers;      /* what a dead worker has not touched goes to another */
	uint32_t has_queue;       /* of a new one: its end of the queue comes along, */
	uint32_t has_slots;       /* and then the slots: wire/slots.h; */
	uint32_t listener;        /* then a listener, whose id this is; 0: none */
	uint64_t first_byte_ms;   /* how long connections may last, and how long be silent */
	uint64_t silence_ms;
	uint64_t duration_ms;
};

struct control_listener {
	uint32_t kind;
	uint32_t service;
	uint32_t listener;        /* id given by the supervisor, unique among all listeners */
	uint32_t is_entrance;     /* a worker socket: not clients connect, but who sends their connections */
	uint32_t checks_uids;     /* only these and root may, whatever the permissions say */
	uint32_t uids[CONTROL_UIDS];
};

struct control_process {
	uint32_t kind;
	uint32_t service;         /* of CONTROL_WORKER_* */
	int32_t pid;
	int32_t status;           /* as waitpid(2) gives it; or see the kind */
	uint64_t cpu_us;
	uint64_t max_rss_kib;
};

struct control_client {
	uint64_t connection;
	struct endpoint peer;
};

struct control_toll {
	uint32_t kind;
	uint32_t service;
	int32_t pid;              /* of the worker */
	uint32_t n_held;          /* connections that it had */
	uint32_t n_redelivered;   /* of these: they go to another worker */
	uint32_t n_lost;          /* of these: nobody will serve them */
	uint32_t n_given_up;      /* of those lost: too many workers had died with them */
	uint32_t zero;
	struct control_client given_up[CONTROL_CLIENTS]; /* the first of them */
};

struct control_command {
	uint32_t kind;
	uint32_t service;
	int32_t pid;
	int32_t status;           /* as waitpid(2) gives it */
	uint32_t n_untold;        /* others since the last message; in one with pid 0 they are all there is */
	uint32_t max_rss_kib;
	uint64_t accepted_ns;     /* CLOCK_MONOTONIC, when its connection was accepted */
	uint64_t duration_us;
	uint64_t cpu_us;
	struct control_client client;
};

/* Why a connection is ended that neither side has ended: in the log as severance_name() has it. */
enum severance {
	SEVERANCE_NONE,
	SEVERANCE_FIRST_BYTE, /* first_byte_timeout */
	SEVERANCE_SILENCE,    /* silence_timeout */
	SEVERANCE_DURATION,   /* max_duration */
	SEVERANCE_ORDER,      /* kill-connection */
	SEVERANCES,
};

/* One connection. The process is what a worker has reported: who ends it looks for himself. */
struct control_connection {
	uint32_t kind;
	uint32_t service;
	uint64_t id;
	struct endpoint peer, local;
	int32_t pid;              /* serves it; 0: unknown */
	uint32_t reason;          /* enum severance */
};

union control_message {
	uint32_t kind;
	struct control_number number;
	struct control_ready ready;
	struct control_service service;
	struct control_access access;
	struct control_zone zone;
	struct control_listener listener;
	struct control_process process;
	struct control_toll toll;
	struct control_command command;
	struct control_connection connection;
};

/* "silence_timeout"; NULL for what is none. */
const char *severance_name(uint32_t reason);

/* The size of the file that comes with CONTROL_ACCESS. */
size_t control_access_size(const struct control_access *message);

/* The size that a message of this kind must have; 0 for an unknown kind. */
unsigned control_size(uint32_t kind);

#endif
