/*
 * Who may connect to a service, when, and what clients are told: as the supervisor has said.
 */
#ifndef FDSUP_ACCEPTOR_ACCESS_H
#define FDSUP_ACCEPTOR_ACCESS_H

#include "policy/access.h"
#include "policy/hours.h"
#include "wire/control.h"

/* For clients; `length` 0: none. */
struct access_text {
	const char *bytes;
	uint32_t length;
};

/* All pointers lead into `content`. */
struct access {
	struct access_rules rules;
	const struct window *windows;
	uint32_t n_windows;
	uint32_t max_load_centi; /* 0: no limit */
	struct access_text refuse_message;
	struct access_text banner;
	_Alignas(struct network) char content[];
};

/*
 * Reads what CONTROL_ACCESS says. 0 and the caller's *ret_access (free(3)), NULL if there is nothing
 * to observe; or -EINVAL: the file does not hold what was announced, or another -errno.
 */
int access_read(const struct control_access *message, int fd, struct access **ret_access);

/*
 * Sends as much of a text as fits without waiting: once, as nobody waits for a client that does not
 * read (xinetd's banner).
 */
void access_say(const struct access_text *text, int connection);

#endif
