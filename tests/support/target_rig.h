/*
 * fdsup-redirect under test: the test is its acceptor, its clients and its target.
 *
 * Sockets are blocking, and every call that waits fails the test when nothing comes.
 */
#ifndef FDSUP_TESTS_SUPPORT_TARGET_RIG_H
#define FDSUP_TESTS_SUPPORT_TARGET_RIG_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "support/worker_rig.h"

struct target_rig {
	struct worker_rig worker;
	int listener;
	struct sockaddr_in address; /* of the listener */
	uint64_t n_sent;            /* connections handed over: their ids */
};

/* Listens on a new port of this address, "127.0.0.1" for instance. */
void target_listen(struct target_rig *rig, const char *address);

/* Starts fdsup-redirect --to HOST:PORT-OF-THE-LISTENER OPTIONS... */
void target_start(struct target_rig *rig, const char *host, const char *const options[]);

/* Starts it with this --to. */
void target_start_to(
	struct target_rig *rig, const char *to, const char *const options[], unsigned long nofile);

void target_stop(struct target_rig *rig);

/* Hands over a connection; the client's end. */
int target_client(struct target_rig *rig);

/* Takes the connection that comes in at the listener. */
int target_accept(struct target_rig *rig);

/* The next report, which is of this kind. */
struct report target_report(struct target_rig *rig, enum report_kind kind);

void target_send(int fd, const char *text);

/* Expects exactly this text. */
void target_expect(int fd, const char *text);

/* Expects the end: 0, or the errno of the failed read. */
int target_end(int fd);

/* Closes so that the other side sees a reset. */
void target_reset(int *fd);

#endif
