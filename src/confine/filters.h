/*
 * The filters, ready to be put into force. They come out of rules.c, through generate.c when fdsup is
 * built; where it is built for another machine than this one, through made.c when it runs.
 */
#ifndef FDSUP_CONFINE_FILTERS_H
#define FDSUP_CONFINE_FILTERS_H

#include <linux/filter.h>
#include <stddef.h>

#include "confine/confine.h"

/* Stands in a filter for the process that it is put into force in: no pid is so large. */
#define FILTER_PID 0x7fedfdedUL

struct filter {
	const struct sock_filter *steps; /* the program's, for good */
	size_t n;                        /* 0: there is none */
};

struct filter filter_of(enum confine_role role);

#endif
