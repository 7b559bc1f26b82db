/*
 * What lies behind struct fdsup_channel: a queue, or a classic worker socket with its acceptors, in
 * one epoll set that the program can poll.
 *
 * The event makes the set readable when the channel is stopped, from a signal handler as well.
 */
#ifndef FDSUP_LIBRARY_CHANNEL_H
#define FDSUP_LIBRARY_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/unix_name.h"
#include "wire/report.h"
#include "wire/slots.h"

enum { CHANNEL_ACCEPTORS_MAX = 64, CHANNEL_REPORTS_MAX = 1024, CHANNEL_CLAIMS = 1024 };

struct fdsup_channel {
	int epoll_fd;
	int event_fd;
	int queue_fd;  /* -1: classic */
	int listen_fd; /* classic; -1 once it takes no more acceptors */
	pid_t owner;   /* who may remove the socket file */
	struct slots slots; /* of the queue */
	struct slot_claim *claims; /* of connections taken and not begun, CHANNEL_CLAIMS of them */
	bool asks_who; /* the listener has an abstract name: anyone may connect */
	bool is_stopped;
	bool is_gone;        /* nobody is left at the other end of the queue */
	bool waits_for_room; /* the set watches the queue for writing, too */
	struct unix_name name; /* of the listener */
	struct unix_file file;
	size_t n_acceptors;
	int acceptors[CHANNEL_ACCEPTORS_MAX];
	size_t n_reports; /* kept until the queue takes them, oldest first */
	struct report *reports;
};

/* Adds a descriptor to the set, or changes what it waits for there. 0 or -errno. */
int channel_watch(struct fdsup_channel *channel, int fd, uint32_t events);

/* Takes a descriptor out of the set and closes it: copies in other processes would keep it there.
 */
void channel_forget(struct fdsup_channel *channel, int *fd);

/* 0 if one more descriptor can be received; else -EMFILE, -ENFILE or another -errno. */
int channel_room(const struct fdsup_channel *channel);

/* Claims a connection that came from the queue. False: it went to another worker meanwhile. */
bool channel_claim(struct fdsup_channel *channel, const struct handoff *record);

/* The program begins to serve it. */
void channel_begin(struct fdsup_channel *channel, uint64_t connection);

/* Sends the reports that were kept, as far as the queue takes them. */
void channel_flush(struct fdsup_channel *channel);

/* Before the channel is closed: all of them, if they are taken within a second. */
void channel_flush_all(struct fdsup_channel *channel);

/* Stops the channel if a signal has said so. */
void channel_heed_signal(struct fdsup_channel *channel);

/* Gives the signals back if they stop this channel. */
void channel_release_signals(const struct fdsup_channel *channel);

#endif
