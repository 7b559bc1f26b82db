/*
 * Bytes and descriptors in one message of a Unix socket: unix(7), SCM_RIGHTS.
 *
 * Neither call ever waits: a process that is killed while it waits in recvmsg(2) still takes a
 * message with it (measured), so poll first. A received descriptor is close-on-exec; descriptors
 * that were not asked for are closed.
 */
#ifndef FDSUP_WIRE_DESCRIPTOR_H
#define FDSUP_WIRE_DESCRIPTOR_H

#include <stddef.h>
#include <sys/socket.h>
#include <sys/types.h>

/* The kernel's own limit on descriptors in one message (SCM_MAX_FD). */
enum { DESCRIPTOR_MAX = 253 };

/*
 * Sends all of the bytes with n_fds descriptors, which stay the caller's. 0 or -errno: -EAGAIN and
 * -ETOOMANYREFS (too many descriptors of this user are under way) both mean "full, try later";
 * -EPIPE and -ECONNRESET that nobody is left at the other end.
 */
int descriptor_send(int socket, const void *bytes, size_t length, const int fds[], size_t n_fds);

struct descriptor_message {
	void *bytes;         /* in: the buffer */
	size_t size;         /* in: its size */
	int *fds;            /* in: room for descriptors; filled from the front, the caller's to close */
	size_t max_fds;      /* in */
	size_t length;       /* out: bytes received */
	size_t n_fds;        /* out */
	struct ucred sender; /* out: pid 0 unless the socket has SO_PASSCRED */
	int is_cut;          /* out: bytes or descriptors did not fit and are lost */
	int is_out_of_fds;   /* out: of those, descriptors were lost because this process had no room */
};

/*
 * 1: a message, be it an empty one. 0: the other end is gone. -EAGAIN: nothing is waiting. Other
 * -errno: failed.
 */
int descriptor_receive(int socket, struct descriptor_message *message);

/* The same, and the message stays where it is: the descriptors are copies. */
int descriptor_peek(int socket, struct descriptor_message *message);

#endif
