/*
 * The hand-off: one accepted connection on its way from an acceptor to a worker.
 *
 * One message, one descriptor. The message is this record on a queue (SOCK_SEQPACKET), or a single
 * zero byte on a classic worker socket (SOCK_STREAM). The record begins with a zero byte, too, so a
 * reader of one byte and one descriptor works on both. Documented for others in fdsup-protocol(7).
 */
#ifndef FDSUP_WIRE_HANDOFF_H
#define FDSUP_WIRE_HANDOFF_H

#include <stdbool.h>
#include <stdint.h>

#include "wire/endpoint.h"

enum { HANDOFF_VERSION = 1 };

/* Host byte order: it never leaves the machine. */
struct handoff {
	uint8_t zero;
	uint8_t version;
	uint16_t length;         /* of the whole record; a later version may only be longer */
	uint16_t slot;           /* its place in the table of wire/slots.h; 0: it has none */
	uint16_t turn;           /* how often that place was used */
	uint64_t connection;     /* id, unique on this machine until it is restarted: SO_COOKIE */
	uint64_t accepted_ns;    /* CLOCK_MONOTONIC */
	struct endpoint peer;
	struct endpoint local;
};
_Static_assert(sizeof(struct handoff) == 72, "part of the wire format");

/*
 * The queue counts its messages in memory: each costs this much of the sender's SO_SNDBUF whatever
 * its size (measured on Linux 5.10 to 6.18), so a depth becomes a buffer size.
 */
enum { HANDOFF_COST = 768 };

/*
 * Makes a queue that holds `depth` connections: ret_ends[0] is the acceptor's end, ret_ends[1] the
 * workers'. Both close-on-exec; reports that arrive at ret_ends[0] carry the identity of their
 * sender. 0 or -errno.
 */
int handoff_queue_open(unsigned depth, int ret_ends[2]);

/* 0: the descriptor is an end of a queue. -EPROTOTYPE: a socket, but none; -ENOTSOCK, -EBADF. */
int handoff_queue_check(int fd);

/* Another depth for a queue that is in use, at the acceptor's end. What waits in it stays. */
void handoff_queue_set_depth(int acceptor_end, unsigned depth);

/* How many connections wait in the queue, asked at the workers' end; or -errno. */
int handoff_queue_depth(int worker_end);

/* 0 or -errno, as descriptor_send. The connection stays the caller's. */
int handoff_send(int queue, const struct handoff *record, int connection);

/*
 * 1: a connection, *ret_connection the caller's. The record is all zeros (family 0, id 0) when the
 * sender used the classic format. 0: nobody is left to send. -EAGAIN: none is waiting.
 * -EBADMSG: something without exactly one descriptor came and was closed. -EMFILE: the connection in
 * the message was lost because no descriptor was free. Other -errno: failed.
 */
int handoff_receive(int queue, struct handoff *ret_record, int *ret_connection);

#endif
