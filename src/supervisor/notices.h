/*
 * The socket on which the kernel tells an acceptor of the ends of connections. It is made here, since
 * only a privileged process may give it a deep buffer; reading it takes no privilege.
 */
#ifndef FDSUP_SUPERVISOR_NOTICES_H
#define FDSUP_SUPERVISOR_NOTICES_H

/* The caller's. -errno: this kernel has none. */
int notices_open(void);

#endif
