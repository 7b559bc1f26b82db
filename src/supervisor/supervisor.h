/*
 * The supervisor: the loop and the tables that everything else hangs from.
 */
#ifndef FDSUP_SUPERVISOR_SUPERVISOR_H
#define FDSUP_SUPERVISOR_SUPERVISOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <ev.h>

#include "config/builtin_ports.h"
#include "config/config.h"
#include "supervisor/children.h"
#include "supervisor/deaths/death_list.h"
#include "wire/hours.h"

struct acceptor;
struct connections_round;
struct admin_server;
struct keeper;
struct readiness;
struct reload;
struct repeat;
struct saved_configs;
struct service;
struct state;
struct stream;
struct upgrade;
struct wait;

struct supervisor {
	struct ev_loop *loop;
	struct children children;
	const char *config_path;
	const char *pid_file;       /* NULL: none was asked for */
	struct config *config;      /* the global keys; the services have taken theirs */
	uint64_t last_serial;       /* of services */
	uint64_t last_edition;      /* of configurations */
	struct service **services;  /* by name; those that are leaving behind all others */
	size_t n_services;
	struct builtin_ports builtin_ports; /* of the running configuration */
	struct acceptor **acceptors;
	size_t n_acceptors;
	struct admin_server *admin;
	struct readiness *readiness;
	struct keeper *keeper;      /* NULL: there can be none */
	_Atomic uint32_t *doubt;    /* keeper_doubt; NULL: it cannot be noted */
	int doubt_fd;
	bool has_touched;           /* keeper_flush has something to send */
	struct wait *waits;         /* list: admin calls that wait for services */
	struct death_list deaths, command_deaths;
	struct severing *severings; /* commands that have been told to end; list */
	struct connections_round *connections; /* being asked for; made when first needed */
	struct repeat *repeats;     /* list: admin calls that are answered again and again */
	struct stream *streams;     /* list: admin calls that are told what happens */
	struct reload *reloads;     /* list: the one under way, then those that come after it */
	struct reload *rolling;     /* list: carried out, but for services that are still trying */
	struct upgrade *upgrade;    /* the one under way */
	bool has_hup;               /* a reload was asked for meanwhile */
	char **arguments;           /* our command line */
	uint64_t worker_programs;   /* which files our workers' programs are: helpers_identity_of_workers */
	char *acceptor_path;        /* of our other programs */
	char *worker_path;
	char *redirect_path;
	char *builtin_path;
	char *relay_path;
	char *keeper_path;
	char *program_path;         /* our own, as it was found */
	char instance[33];          /* of all that descends from one start, through crashes and upgrades */
	pid_t pid_before;           /* of the process that has saved what we restored */
	char version_before[32];    /* of the program whose place we took; empty: none */
	unsigned n_upgrades;        /* since the start, */
	unsigned n_crashes;         /* and supervisors that died meanwhile */
	int64_t taken_over_wall_ms; /* when we did that of one that had died; 0: we did not */
	int kept_notify_fd;         /* restoring: the sockets of before */
	int kept_admin_fd;
	int pack_fd;                /* the configuration as a check has loaded it; -1: none */
	bool is_check;              /* this process only tries whether it could take over */
	struct state *state;        /* restoring: what is being restored */
	struct saved_configs *configs; /* restoring: those of before, for the services to take theirs */
	unsigned long nofile;       /* the soft limit that programs get */
	int null_fd;                /* /dev/null, standard input of programs */
	uint64_t started_ms;
	int64_t started_wall_ms;
	int64_t loaded_wall_ms;     /* when the running configuration was loaded */
	char *reload_error;         /* why the last reload failed; NULL: it did not */
	struct zone zone;           /* what the acceptors were told; n 0: nothing yet */
	ev_timer zone_timer;        /* the next look at it, while a service has hours */
	bool is_stopping;
	bool is_ending_acceptors;   /* all services are stopped; only the acceptors are left */
	bool has_departed;          /* a leaving service is stopped and can be freed */
	ev_timer memory;            /* the next look at the workers of services with max_rss */
	ev_timer standing;          /* the next look at how services stand, while somebody follows */
	bool is_standing_new;       /* that is the first one: how they stand then is no news */
	ev_timer late;              /* the next look for addresses that are not there yet */
	ev_io late_news;            /* the kernel announces some; -1: nobody waits for any */
	ev_timer sequence;          /* the end of somebody's patience with the services before it */
	bool is_sequence_held;      /* sequence_look is at work, or not to begin yet */
	ev_timer strays;            /* the next look at what is left at the very end */
	uint64_t strays_since_ms;   /* 0: it is not that far yet */
	ev_prepare departed;        /* frees it, when nobody works with it any more */
	ev_signal on_term, on_int, on_hup;
};

/* NULL if there is none; one that is leaving is not found. */
struct service *supervisor_find(struct supervisor *supervisor, const char *name);

/* Room for so many services in all, so that none has to be refused later. 0 or -ENOMEM. */
int supervisor_reserve(struct supervisor *supervisor, size_t n);

/* Takes the service, for which there must be room, and which appears in the order of the names. */
void supervisor_add(struct supervisor *supervisor, struct service *service);

/* A service changed its state: whoever waits for that is told, a leaving one may be freed. */
void supervisor_on_change(struct supervisor *supervisor, struct service *service);

/* Frees leaving services that are stopped. Never from within an event of theirs. */
void supervisor_free_departed(struct supervisor *supervisor);

/* The acceptor with the fewest services. */
struct acceptor *supervisor_choose_acceptor(struct supervisor *supervisor);

/* An acceptor is gone that was told to end. */
void supervisor_on_acceptor_gone(struct supervisor *supervisor, struct acceptor *acceptor);

/* Ends everything in order; when already ending: without grace. */
void supervisor_stop(struct supervisor *supervisor);

#endif
