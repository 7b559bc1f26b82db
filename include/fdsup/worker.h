/*
 * libfdsup: for programs that take connections from fdsup (type = "worker"), or from fdsup-acceptor
 * by hand. fdsup_worker(3) explains it, fdsup-protocol(7) describes what it sends and receives.
 *
 * Nothing here logs, starts threads, or waits, fdsup_wait excepted. Functions that can fail return
 * a negative errno value and leave errno unspecified. Received descriptors are close-on-exec.
 *
 * A channel belongs to one thread of one process: after fork(2), child and parent may only close
 * one that was opened before.
 */
#ifndef FDSUP_WORKER_H
#define FDSUP_WORKER_H

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- the channel: where connections come from -------------------------------------------------- */

struct fdsup_channel;

/*
 * Opens the queue that this process was started with: the descriptor whose number is in the
 * environment variable FDSUP_QUEUE, or else descriptor 3. As fdsup_open_fd, and -EINVAL: FDSUP_QUEUE
 * is no number.
 */
int fdsup_open(struct fdsup_channel **ret_channel);

/*
 * Opens a given descriptor: a queue (SOCK_SEQPACKET), or a Unix stream socket, which is a listening
 * one or is connected to an acceptor. On success it belongs to the channel, and is close-on-exec.
 * 0; -EBADF, -ENOTSOCK, -EPROTOTYPE: it is no such thing; -ENOMEM, -EMFILE, -ENFILE.
 */
int fdsup_open_fd(struct fdsup_channel **ret_channel, int fd);

/*
 * Listens for acceptors on a Unix stream socket: a path, or "@name" in the abstract namespace. The
 * file gets the permission bits of `mode`, and they decide who may connect; to an abstract name only
 * root and the user of this process may. A file that a dead process left behind is replaced.
 * 0; -EADDRINUSE: another process listens there; -EEXIST: a file that is no socket is there;
 * -ENAMETOOLONG, -EINVAL: not a name for a socket; or what bind(2) says.
 */
int fdsup_listen(struct fdsup_channel **ret_channel, const char *name, mode_t mode);

/* Closes all that belongs to the channel. Connections taken from it stay as they are. NULL is fine. */
void fdsup_close(struct fdsup_channel *channel);

/*
 * For the program's own event loop: readable (level-triggered) when fdsup_take should be called.
 * Belongs to the channel and stays the same; for polling only.
 */
int fdsup_fd(const struct fdsup_channel *channel);

/* ---- connections ------------------------------------------------------------------------------- */

union fdsup_address {
	struct sockaddr any; /* sa_family AF_INET, AF_INET6, AF_UNIX, or AF_UNSPEC: not known */
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

struct fdsup_connection {
	uint64_t id;          /* unique on this machine until it is restarted: SO_COOKIE */
	uint64_t accepted_ns; /* CLOCK_MONOTONIC, when it was accepted; as taken_ns if not known */
	uint64_t taken_ns;    /* CLOCK_MONOTONIC, when fdsup_take returned it */
	union fdsup_address peer;
	union fdsup_address local;
	uid_t peer_uid;       /* these three for AF_UNIX: the process at the other end */
	gid_t peer_gid;
	pid_t peer_pid;
};

/*
 * Takes a connection. Returns its descriptor, which is the caller's to close, in blocking mode as
 * fdsup passes it on. The acceptor may have a copy, see fdsup_taken: take it out of an epoll set
 * (EPOLL_CTL_DEL) before closing it. Otherwise:
 *   -EAGAIN           none is waiting, or another worker was faster
 *   -EPIPE            none will come any more: the channel was stopped, or nobody is left to send.
 *                     Serve what you have, and leave. fdsup_fd stays readable: stop polling it.
 *   -EMFILE, -ENFILE  no descriptor is free. Connections wait: close something first. fdsup_fd stays
 *                     readable: do not poll it until then.
 *   -ENOMEM and others: the system refused; try again later.
 * What arrives and is no connection is closed and dropped.
 */
int fdsup_take(struct fdsup_channel *channel, struct fdsup_connection *ret_connection);

/*
 * The same, waiting up to timeout_ms for one (-1: for ever). -EAGAIN: the time is over. -EINTR: a
 * signal was caught.
 */
int fdsup_wait(
	struct fdsup_channel *channel, struct fdsup_connection *ret_connection, int timeout_ms);

enum { FDSUP_TEXT_SIZE = 80 };

/*
 * "192.0.2.1:80", "[2001:db8::1]:80", "uid=1000,pid=4711", or "-" when it is not known, into
 * FDSUP_TEXT_SIZE bytes. Return text.
 */
char *fdsup_peer_text(const struct fdsup_connection *connection, char *text);
char *fdsup_local_text(const struct fdsup_connection *connection, char *text);

/* ---- reports: optional, and ignored where nobody listens to them ------------------------------- */

/*
 * They return 0 when the report was sent, will be sent by the next call on this channel, or
 * interests nobody (an acceptor by hand). -ENOBUFS: too many wait to be sent, this one is dropped.
 * -EPIPE: nobody is left.
 */

/*
 * This process begins to serve the connection: best called when the first bytes were read or written.
 * Until then the acceptor keeps a copy, and gives the connection to another worker should this one die.
 * As long as it does so, the client does not see that this process has closed the connection: a program
 * that calls this must call it, or fdsup_finished, for every one.
 */
int fdsup_taken(struct fdsup_channel *channel, const struct fdsup_connection *connection);

struct fdsup_result {
	int status;         /* 0: served well; 1 to 255: counted as failed, and shown in the log */
	uint64_t bytes_in;  /* from the client; 0: not known */
	uint64_t bytes_out; /* to the client */
};

/* It is done with; right after closing it. NULL: a result of zeros. Includes fdsup_taken. */
int fdsup_finished(struct fdsup_channel *channel, const struct fdsup_connection *connection,
	const struct fdsup_result *result);

/* So many connections more could this process serve now. */
int fdsup_slots(struct fdsup_channel *channel, unsigned n_free);

/*
 * Tells the supervisor how this process is, in the words of sd_notify(3), by printf(3): "READY=1",
 * "STATUS=%zu connections", "WATCHDOG=1". Several are separated by newlines.
 * 1: sent. 0: NOTIFY_SOCKET is not set. -EAGAIN: the supervisor is slow, try again. Other -errno.
 */
int fdsup_notify(const char *format, ...)
#ifdef __GNUC__
	__attribute__((format(printf, 1, 2)))
#endif
	;

/* How often at least "WATCHDOG=1" is wanted of this process, in microseconds; 0: it is not. */
uint64_t fdsup_watchdog_us(void);

/* ---- stopping ---------------------------------------------------------------------------------- */

/*
 * Takes no more: fdsup_take returns -EPIPE from now on, the other workers of the service go on. On
 * a socket of fdsup_listen, what acceptors had already sent is still returned first.
 */
void fdsup_stop(struct fdsup_channel *channel);

/*
 * Makes a signal, such as SIGTERM, do that, and wake fdsup_wait and the event loop. May be called
 * for several signals; fdsup_close restores their actions. 0; -EINVAL: no such signal, or one that
 * cannot be caught; -EBUSY: another channel of this process already stops on signals.
 */
int fdsup_stop_on(struct fdsup_channel *channel, int signal_number);

/* ---- one descriptor over a Unix socket --------------------------------------------------------- */

/*
 * Sends one descriptor, which stays the caller's (-1: none), along with at least one byte. Never
 * waits. 0; -EAGAIN, -ETOOMANYREFS: full, try later; -EPIPE, -ECONNRESET: nobody is left at the
 * other end; -EINVAL: length is 0; -EMSGSIZE: the socket took a part; other -errno.
 */
int fdsup_send_fd(int socket, int fd, const void *bytes, size_t length);

/*
 * Receives bytes and the descriptor that came with them, -1 if none did. Never waits: poll(2)
 * first. Returns how many bytes; 0: the other end is gone. Otherwise *ret_fd is -1, and nothing of
 * the message is left:
 *   -EAGAIN    nothing is waiting
 *   -EBADMSG   several descriptors, or an empty message; they are closed
 *   -EMSGSIZE  the message is longer than size (not on a stream, where the rest comes next)
 *   -EMFILE    no descriptor was free for the one in the message: it is lost
 */
ssize_t fdsup_receive_fd(int socket, void *bytes, size_t size, int *ret_fd);

#ifdef __cplusplus
}
#endif

#endif
