/*
 * The keeper, among the files that make it up: keeper.c (the process), keeper_tell.c, keeper_doubt.c,
 * keeper_take.c, keeper_deaths.c.
 */
#ifndef FDSUP_SUPERVISOR_KEEPER_PARTS_H
#define FDSUP_SUPERVISOR_KEEPER_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <ev.h>

#include "supervisor/children.h"
#include "supervisor/succession/state.h"
#include "wire/channel.h"

struct sockaddr_un;
struct supervisor;

struct keeper {
	struct supervisor *supervisor;
	struct child child;
	struct channel channel;
	ev_io readable;
	ev_io writable; /* active while the channel has a backlog */
	ev_timer retry;    /* until the next is started */
	ev_timer patience; /* active while it owes us something */
	ev_timer deaths;   /* active for a while after it was told of deaths */
	ev_idle filling;   /* active while more can be told at once to one that has nothing yet */
	uint64_t started_ms;
	uint64_t program;  /* the file that it executes: helpers_identity */
	uint32_t n_syncs;
	uint32_t n_synced;
	bool is_told_off; /* it has not answered in time: it is not waited for until it does */
	bool is_touched;  /* everything */
	bool is_empty;    /* it has nothing yet: it is told piece by piece */
	bool is_filling;  /* between BEGIN and COMMIT of that; services before n_told were told */
	size_t n_told;
	bool is_behind;   /* something could not be told to it */
	uint64_t *editions; /* of configurations that it has; owned */
	size_t n_editions;
};

/* Without a process. NULL without memory. */
struct keeper *keeper_make(struct supervisor *supervisor);

/* Where it is asked for what it has, in the runtime directory. */
void keeper_name_socket(const struct supervisor *supervisor, struct sockaddr_un *ret_name);

/* keeper_tell.c. NULL is not there either. */
bool keeper_is_there(const struct keeper *keeper);
void keeper_on_readable(struct ev_loop *loop, ev_io *watcher, int events);
void keeper_on_writable(struct ev_loop *loop, ev_io *watcher, int events);
void keeper_on_filling(struct ev_loop *loop, ev_idle *idle, int events);
void keeper_on_patience(struct ev_loop *loop, ev_timer *timer, int events);

/* Takes the JSON and the descriptors' list, not the descriptors. */
void keeper_put(struct keeper *keeper, const char *key, json_t *json, struct state_fds *fds);

/* keeper_deaths.c: what has died since it was told so, now or soon; or all of it. */
void keeper_tell_deaths(struct keeper *keeper);
void keeper_put_deaths(struct keeper *keeper);
void keeper_on_deaths(struct ev_loop *loop, ev_timer *timer, int events);

/* keeper_doubt.c: of `doubt` and `doubt_fd` of the supervisor. 0 or -errno. */
int keeper_make_doubt(struct supervisor *supervisor);
int keeper_map_doubt(struct supervisor *supervisor);
void keeper_free_doubt(struct supervisor *supervisor);

/* Unless an acceptor has yet to be told something. */
void keeper_end_doubt(struct supervisor *supervisor);

#endif
