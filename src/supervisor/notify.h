/*
 * Tells systemd, or whoever set NOTIFY_SOCKET, how far we are: sd_notify(3). The protocol is one
 * datagram of text, documented for reimplementation.
 */
#ifndef FDSUP_SUPERVISOR_NOTIFY_H
#define FDSUP_SUPERVISOR_NOTIFY_H

/* Takes NOTIFY_SOCKET out of our environment, so that no program of ours speaks in our name. */
void notify_init(void);

/* Puts it back, for a program that is executed in our place. */
void notify_export(void);

/* "READY=1", "RELOADING=1\nMONOTONIC_USEC=...", "STOPPING=1". Does nothing without a socket. */
void notify_send(const char *state);

/* "RELOADING=1" with the time that it demands. */
void notify_reloading(void);

#endif
