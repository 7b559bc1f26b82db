/*
 * The filters of system calls, ready to be put into force: those of our own processes and those of the
 * key sandbox. They come out of own_rules.c and sandbox_rules.c, through generate.c when fdsup is built;
 * where it is built for another machine than this one, through made.c when it runs.
 */
#ifndef FDSUP_SECCOMP_FILTERS_H
#define FDSUP_SECCOMP_FILTERS_H

#include <linux/filter.h>
#include <stddef.h>

enum filter_kind {
	/* of our own processes, as in confine/confine.h */
	FILTER_ACCEPTOR,
	FILTER_GUARD,
	FILTER_ACCEPTOR_BY_HAND,
	FILTER_TAKER,
	FILTER_TAKER_WIDE, /* for builds with sanitizers */
	/* of programs with sandbox = "basic", "strict", and that with sandbox_network */
	FILTER_BASIC,
	FILTER_STRICT,
	FILTER_STRICT_NETWORK,
	FILTER_KINDS,
};

/* Stands in a filter for the process that it is put into force in: no pid is so large. */
#define FILTER_PID 0x7fedfdedUL

struct filter {
	const struct sock_filter *steps; /* for good, and nobody's to change */
	size_t n;                        /* 0: there is none */
};

struct filter filter_of(enum filter_kind kind);

#endif
