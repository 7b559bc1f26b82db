/*
 * What fdsup deposits with fdsup-keeper for the case of its own death, and how the next fdsup gets
 * it back: records of a key, a text and descriptors, over a SOCK_SEQPACKET.
 *
 * A record travels in one message or several, each a struct keeping_message with its part of the
 * text behind it and its part of the descriptors; it counts when the last part is there. The keeper
 * understands nothing of it. Both sides are of the same user, and trust each other.
 */
#ifndef FDSUP_WIRE_KEEPING_H
#define FDSUP_WIRE_KEEPING_H

#include <stdint.h>

enum {
	KEEPING_VERSION = 2, /* 1: no shorthand in the texts (supervisor/succession/shorthand.h) */
	KEEPING_OLDEST = 1,  /* that a supervisor takes over from */
	KEEPING_KEY_SIZE = 64,
	KEEPING_TEXT_MAX = 32 * 1024,
	KEEPING_FDS_MAX = 250,
};

enum keeping_kind {
	/* to the keeper */
	KEEPING_PUT = 1, /* a record, or a part of one: takes the place of the one with this key */
	KEEPING_DROP,    /* the record with this key */
	KEEPING_SYNC,    /* answer KEEPING_SYNCED with the same number */
	KEEPING_BEGIN,   /* what is put from now on is kept beside the rest, */
	KEEPING_COMMIT,  /* and takes its place as a whole now */
	KEEPING_BYE,     /* close everything and end. So in every version */
	/* from the keeper */
	KEEPING_SYNCED,  /* number: all that was sent before is in force, what was dropped is closed */
	KEEPING_HERE,    /* to who takes over: number KEEPING_VERSION, then KEEPING_PUT for each record */
	KEEPING_END,     /* that was all */
};

struct keeping_message {
	uint32_t kind;
	uint32_t number;
	uint32_t is_last;  /* of a record: this is its last part */
	uint32_t length;   /* of the text that follows */
	uint32_t n_fds;    /* that come along */
	uint32_t pid;      /* of the keeper, in what it says */
	char key[KEEPING_KEY_SIZE];
};

/* A whole message, as a buffer. */
struct keeping_buffer {
	struct keeping_message head;
	char text[KEEPING_TEXT_MAX];
};

#endif
