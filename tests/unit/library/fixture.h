/*
 * A queue whose workers' end is the library's channel and whose acceptor is the test.
 */
#ifndef FDSUP_TESTS_UNIT_LIBRARY_FIXTURE_H
#define FDSUP_TESTS_UNIT_LIBRARY_FIXTURE_H

#include <criterion/criterion.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "fdsup/worker.h"
#include "unit/wire/descriptors.h"
#include "wire/descriptor.h"
#include "wire/handoff.h"
#include "wire/report.h"

/* Nothing waits for so long when all is well. */
enum { PATIENCE_MS = 20000, QUEUE_DEPTH = 8 };

static int acceptor_end = -1;
static struct fdsup_channel *channel;
static size_t n_before;

static inline void open_queue(void)
{
	int ends[2];
	n_before = count_descriptors();
	cr_assert_eq(handoff_queue_open(QUEUE_DEPTH, ends), 0);
	acceptor_end = ends[0];
	cr_assert_eq(fdsup_open_fd(&channel, ends[1]), 0);
}

/* Nothing may be left. */
static inline void close_queue(void)
{
	fdsup_close(channel);
	fd_close(&acceptor_end);
	cr_assert_eq(count_descriptors(), n_before);
}

static inline struct handoff record_of(uint64_t id)
{
	struct sockaddr_in client = { .sin_family = AF_INET, .sin_port = htons(4711) };
	struct sockaddr_in6 server = { .sin6_family = AF_INET6, .sin6_port = htons(80) };
	client.sin_addr.s_addr = htonl(0xc0000201);
	server.sin6_addr.s6_addr[0] = 0xfe;
	server.sin6_addr.s6_addr[1] = 0x80;
	server.sin6_addr.s6_addr[15] = 1;
	server.sin6_scope_id = 2;
	return (struct handoff){
		.version = HANDOFF_VERSION,
		.length = sizeof(struct handoff),
		.connection = id,
		.accepted_ns = 678,
		.peer = endpoint_from_sockaddr((const struct sockaddr *)&client),
		.local = endpoint_from_sockaddr((const struct sockaddr *)&server),
	};
}

/* Hands over one end of a new socket pair, and returns the other. */
static inline int hand_over(uint64_t id)
{
	int ends[2];
	struct handoff record = record_of(id);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	cr_assert_eq(handoff_send(acceptor_end, &record, ends[1]), 0);
	close(ends[1]);
	return ends[0];
}

static inline bool is_readable(int fd)
{
	struct pollfd polled = { .fd = fd, .events = POLLIN };
	return poll(&polled, 1, 0) == 1;
}

static inline void wait_readable(int fd)
{
	struct pollfd polled = { .fd = fd, .events = POLLIN };
	cr_assert_eq(poll(&polled, 1, PATIENCE_MS), 1);
}

#endif
