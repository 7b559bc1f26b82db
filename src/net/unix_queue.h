/* What waits at a listening Unix socket, of which no socket option tells: sock_diag(7). */
#ifndef FDSUP_NET_UNIX_QUEUE_H
#define FDSUP_NET_UNIX_QUEUE_H

/*
 * Connections that wait to be accepted, and how many may. It takes no privilege. 0; -ENOENT if this
 * kernel has no unix_diag, or another -errno.
 */
int unix_queue(int listener, unsigned *ret_waiting, unsigned *ret_backlog);

#endif
