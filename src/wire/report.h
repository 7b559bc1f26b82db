/*
 * What a worker tells its acceptor about the connections it took.
 *
 * Reports travel on the queue against the stream of connections: one message holds one or several,
 * each of this fixed size. The kernel adds the sender's identity (SO_PASSCRED). They are untrusted:
 * they can change nothing but the entries of their own service. A worker need not send any.
 *
 * Reports repeat what the hand-off said of the connection, so that an acceptor which has just
 * replaced a dead one can rebuild its ledger from them.
 */
#ifndef FDSUP_WIRE_REPORT_H
#define FDSUP_WIRE_REPORT_H

#include <stddef.h>
#include <stdint.h>

#include "wire/endpoint.h"

enum { REPORT_VERSION = 1 };

enum report_kind {
	REPORT_TAKEN = 1,       /* the worker has the connection */
	REPORT_STARTED = 2,     /* pid serves it */
	REPORT_ENDED = 3,       /* pid ended: status, duration, usage */
	REPORT_EXEC_FAILED = 4, /* no command could be started: status is the errno */
	REPORT_SLOTS = 5,       /* of no connection: status is how many more the worker could serve */
};

struct report {
	uint8_t kind;
	uint8_t version;
	uint16_t length;         /* of this report */
	int32_t pid;             /* of the command, 0 if there is none */
	uint64_t connection;
	uint64_t accepted_ns;    /* as in the hand-off */
	uint64_t duration_us;    /* from the start of the command to its end; of a start that is told
	                            again, to a new acceptor, until now */
	uint64_t cpu_us;         /* user and system time of the command */
	int32_t status;          /* as waitpid(2) gives it; see REPORT_EXEC_FAILED, REPORT_SLOTS */
	uint32_t max_rss_kib;
	uint64_t bytes_in;       /* from the client, as far as the worker knows; 0: it does not */
	uint64_t bytes_out;      /* to the client */
	struct endpoint peer;
	struct endpoint local;
};
_Static_assert(sizeof(struct report) == 112, "part of the wire format");

enum { REPORTS_PER_MESSAGE = 16 };

/* Sends up to REPORTS_PER_MESSAGE reports in one message, without waiting. 0 or -errno. */
int report_send(int queue, const struct report reports[], size_t n);

/*
 * Receives one message of reports. Returns how many (0: the message was none, and was dropped),
 * with the sender's process in *ret_pid; -EAGAIN: nothing is waiting; -EPIPE: no worker is left.
 */
int report_receive(int queue, struct report ret_reports[REPORTS_PER_MESSAGE], int *ret_pid);

#endif
