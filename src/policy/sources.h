/*
 * The sources of one service: how many connections each has, and its token bucket. A source is an
 * IPv4 address, an IPv6 /64 (what one customer gets, so that nobody has 2^64 identities), or a user
 * of this machine at a Unix socket.
 *
 * The table grows with the sources that matter and no further than SOURCES_MAX: one whose
 * connections have ended and whose bucket is full is forgotten. When the table is full of others,
 * newcomers share one entry, the crowd: limits then hold for them together. So a stranger with very
 * many addresses can make limits stricter for other newcomers, but never escape them, and sources
 * that are already known do not notice.
 */
#ifndef FDSUP_POLICY_SOURCES_H
#define FDSUP_POLICY_SOURCES_H

#include <stdint.h>

#include "policy/bucket.h"
#include "wire/endpoint.h"

/* Entries are named by their place. A place stays valid while the source has connections. */
enum { SOURCE_CROWD = 0, SOURCES_MAX = 16384 };

struct source {
	uint64_t key;
	struct bucket bucket;
	uint32_t live; /* connections handed off, or admitted and about to be */
	uint32_t held; /* connections that wait for a limit */
	uint32_t next; /* chain of the same hash, or of free places; SOURCE_CROWD ends it */
	uint16_t family;
	uint16_t is_used;
};

struct sources {
	struct source *entries; /* NULL until the first source; [SOURCE_CROWD] is not used */
	uint32_t *heads;        /* hash to place; as many as entries */
	uint32_t capacity;      /* a power of two */
	uint32_t n;
	uint32_t free;     /* the first free place */
	uint64_t seed;     /* strangers choose addresses: they must not choose chains */
	uint64_t sweep_ns; /* a full table is not searched for idle sources before that */
	struct source crowd;
	struct bucket fullest; /* of the source that has used the most of its rate */
	uint32_t most_live;    /* what the busiest source has; 0 also if there was no memory to count */
	uint32_t *n_with;      /* how many sources have so many live connections; [0] is not used */
	uint32_t n_levels;
};

void sources_init(struct sources *sources, uint64_t seed);
void sources_fini(struct sources *sources);

/* The place of a source, new or known, or SOURCE_CROWD: no room, no memory, or nothing is known of it. */
uint32_t sources_find(struct sources *sources, const struct endpoint *end, uint64_t now_ns);

struct source *sources_at(struct sources *sources, uint32_t place);

/* The source has one live connection more or less. */
void sources_add_live(struct sources *sources, uint32_t place);
void sources_remove_live(struct sources *sources, uint32_t place);

/* It has these before anybody counts. */
void sources_set_crowd(struct sources *sources, uint32_t live, uint32_t held);

/* Takes a token of the source. */
void sources_take(struct sources *sources, uint32_t place, struct bucket_rule rule, uint64_t now_ns);

/* Call when a connection of the source has ended. Forgets the source if nothing depends on it. */
void sources_settle(struct sources *sources, uint32_t place, uint64_t now_ns);

/* The rule of the buckets has changed. */
void sources_adapt(struct sources *sources, struct bucket_rule rule, uint64_t now_ns);

#endif
