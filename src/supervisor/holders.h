/*
 * Which process has which connection, where none has said so: found as netstat finds it, by the number
 * of the socket in /proc/PID/fd of the workers and of what they have forked.
 *
 * A descriptor takes two microseconds, so it is done a few hundred in a turn of the loop, only for
 * services of which somebody wants the list, and not where a single process can have them all.
 */
#ifndef FDSUP_SUPERVISOR_HOLDERS_H
#define FDSUP_SUPERVISOR_HOLDERS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct connection_row;
struct connections;
struct holders;
struct service;
struct supervisor;

struct holder {
	uint32_t inode;
	pid_t pid, worker; /* the process, and the worker that it is or descends from */
};

typedef bool holders_filter(const void *context, const struct service *service);

/* NULL: out of memory, and nobody is found. The caller's to free. */
struct holders *holders_begin(const struct supervisor *supervisor, const struct connections *connections,
	holders_filter *is_wanted, const void *context);
void holders_free(struct holders *holders);

/* Looks at some more. False: that was all, and holders_of may be asked. */
bool holders_step(struct holders *holders);

/*
 * Who has what a row of this part is about; *ret is then set. False: it was not found, or it is not
 * known to have been taken.
 */
bool holders_of(const struct holders *holders, size_t part, const struct connection_row *row,
	struct holder *ret);

#endif
