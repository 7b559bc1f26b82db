/*
 * fdsup-keeper: holds what the supervisor would need if it had to begin again, and does nothing else.
 *
 * As long as its supervisor lives nobody else gets anything. When it is gone, the next one of the same
 * user takes over what lies here. What is kept keeps everything alive: acceptors and workers see the
 * end of their channels and queues only when supervisor and keeper are both gone.
 */
#ifndef FDSUP_KEEPER_KEEPER_H
#define FDSUP_KEEPER_KEEPER_H

/* Takes both: the channel of the supervisor, and the listening SOCK_SEQPACKET. The exit status. */
int keeper_run(int control_fd, int listen_fd);

#endif
