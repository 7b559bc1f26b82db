/*
 * The list of live connections, as an acceptor hands it to the supervisor: rows of this size, one
 * behind the other, in a sealed memory file. For the supervisor these are numbers to show, from a
 * process that is not trusted; nothing in them is an offset or a size.
 */
#ifndef FDSUP_WIRE_CONNECTIONS_H
#define FDSUP_WIRE_CONNECTIONS_H

#include <stddef.h>
#include <stdint.h>

#include "wire/endpoint.h"

/* How far it has come; as enum ledger_state of the acceptor. */
enum connection_stage {
	CONNECTION_HELD,    /* accepted, waits for a limit or for room in the queue */
	CONNECTION_QUEUED,  /* waits for a worker */
	CONNECTION_TAKEN,   /* a worker has it */
	CONNECTION_STARTED, /* a process was started for it */
	CONNECTION_STAGES,
};

enum {
	CONNECTION_HAS_FACTS = 1, /* the kernel knows it: what is said of queues, times and state is true */
	CONNECTION_HAS_BYTES = 2,
	CONNECTION_IS_FOLLOWED = 4, /* the kernel was asked, or will tell its end */
};

struct connection_row {
	uint64_t id;
	uint64_t accepted_ns;     /* CLOCK_MONOTONIC */
	uint64_t bytes_in, bytes_out;
	struct endpoint peer, local;
	uint32_t service;         /* row on the scoreboard */
	int32_t pid;              /* of the process that serves it; 0: unknown */
	int32_t worker;           /* who has reported it; 0: nobody */
	uint32_t recv_q, send_q;
	uint32_t rtt_us;
	uint32_t idle_ms;         /* since data came or went */
	uint8_t stage;            /* enum connection_stage */
	uint8_t state;            /* TCP_ESTABLISHED and so on: netinet/tcp.h */
	uint8_t flags;            /* CONNECTION_* */
	uint8_t zero;
	uint32_t inode;           /* as /proc/PID/fd has it; 0: unknown */
	uint32_t zeros;
};
_Static_assert(sizeof(struct connection_row) == 120, "no gaps");

/*
 * Maps such a file read-only: 0 with *ret_rows and *ret_n, -EINVAL if it is none or could still
 * change under its reader, other -errno. Of an empty one *ret_rows is NULL.
 */
int connections_map(int fd, const struct connection_row **ret_rows, size_t *ret_n);
void connections_unmap(const struct connection_row *rows, size_t n);

#endif
