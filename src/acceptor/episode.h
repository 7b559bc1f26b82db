/*
 * Episodes: a limit that is reached a thousand times in a minute is one event for whoever reads the
 * log. An episode begins when something happens and ends when it has not happened for a while.
 * A pure data structure; a service that has no trouble pays for one pointer.
 */
#ifndef FDSUP_ACCEPTOR_EPISODE_H
#define FDSUP_ACCEPTOR_EPISODE_H

#include <stdbool.h>
#include <stdint.h>

enum episode_kind {
	EPISODE_MAX_CONNECTIONS,
	EPISODE_RATE,
	EPISODE_QUEUE,
	EPISODE_HELD,
	EPISODE_MAX_PER_SOURCE,
	EPISODE_RATE_PER_SOURCE,
	EPISODE_MAX_LOAD,
	EPISODE_EXEC_FAILED,
	EPISODE_KINDS,
};

#define EPISODE_QUIET_NS UINT64_C(5000000000)

struct episode {
	uint64_t begin_ns; /* 0: none is going on */
	uint64_t last_ns;  /* when it was last seen going on */
	uint32_t n_times;
	uint32_t n_refused;
};

struct episodes {
	struct episode *kinds; /* EPISODE_KINDS of them while at least one is going on */
};

void episodes_fini(struct episodes *episodes);

/* It happened. True if this begins an episode. */
bool episode_happened(struct episodes *episodes, enum episode_kind kind, uint64_t now_ns);

/* It still lasts: keeps a running episode from ending. */
void episode_lasts(struct episodes *episodes, enum episode_kind kind, uint64_t now_ns);

/* A connection was refused because of it. */
void episode_refused(struct episodes *episodes, enum episode_kind kind);

/* When the next one may be over; UINT64_MAX if none is going on. */
uint64_t episodes_check_ns(const struct episodes *episodes);

/* Ends one that is over. False if there is none. */
bool episodes_end_one(struct episodes *episodes, uint64_t now_ns, enum episode_kind *ret_kind,
	struct episode *ret_episode);

#endif
