/*
 * Where connections come from: a queue of the supervisor's, or a classic worker socket. The loop in
 * serve.c knows only this interface.
 *
 * The loop owns polled[0]; a source keeps the entries behind it in order.
 */
#ifndef FDSUP_WORKER_SOURCE_H
#define FDSUP_WORKER_SOURCE_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>

#include "wire/handoff.h"
#include "wire/report.h"

struct source;

struct source_methods {
	/* Fills in what the next poll waits for: connections, and room for reports. */
	void (*watch)(struct source *source, bool for_connections, bool for_reports);

	/*
	 * Takes one connection, which becomes the caller's. 1: taken. 0: none will come any more.
	 * -EAGAIN: none is here. Other -errno: the machine lacks something, try again later.
	 * Never waits. What is wrong with a message is logged here, where its sender is known.
	 */
	int (*take)(struct source *source, struct handoff *ret_record, int *ret_connection);

	/* Sends reports as report_send does; NULL where nobody listens to them. */
	int (*tell)(struct source *source, const struct report reports[], size_t n);

	/* No new connections: only what would be lost otherwise is still to be taken. */
	void (*retire)(struct source *source);

	void (*close)(struct source *source);
};

struct source {
	const struct source_methods *methods;
	struct pollfd *polled;
	size_t n_polled;
};

#endif
