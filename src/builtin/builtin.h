/*
 * fdsup-builtin as a whole: one of the small services, by TCP and by UDP.
 */
#ifndef FDSUP_BUILTIN_BUILTIN_H
#define FDSUP_BUILTIN_BUILTIN_H

#include "builtin/options.h"
#include "policy/bucket.h"
#include "taker/taker.h"

struct builtin;

/* A UDP socket that is answered on. */
struct port {
	struct builtin *builtin;
	ev_io io;
	uint16_t number;
};

struct builtin {
	struct taker taker;
	const struct options *options;
	struct port ports[OPTIONS_UDP_MAX];
	struct bucket answers; /* of UDP, for all ports together */
	struct bucket_rule answers_rule;
	unsigned chargen_position; /* of UDP */
	bool is_limited;           /* answers are left out, and that has been said */
	bool is_refusal_said;
	uint64_t refusal_said_ms;
	uint64_t n_refused; /* datagrams, since it was last said */
};

/* Serves until the end. 0, or the exit status after having logged why not. */
int builtin_run(const struct options *options);

#endif
