/*
 * Which datagrams are answered.
 *
 * A datagram's sender is whoever it says it is. Two small services that answer each other never
 * stop, and one that answers a forged address attacks it (CERT CA-1996-01). So nothing goes to a
 * port that a service may have, to ourselves, or to more than one host, and what was sent to more
 * than one host is not answered at all.
 */
#ifndef FDSUP_BUILTIN_CAUTION_H
#define FDSUP_BUILTIN_CAUTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/endpoint.h"

enum { CAUTION_PORTS_MAX = 64 };

struct caution {
	uint16_t ports[CAUTION_PORTS_MAX]; /* of other builtin services, above the low ones */
	size_t n_ports;
};

enum verdict {
	VERDICT_ANSWER,
	VERDICT_LOW_PORT,  /* below 1024, where services live */
	VERDICT_SERVICE,   /* a port that we were told to avoid */
	VERDICT_OURSELVES, /* from the address and port that it came to */
	VERDICT_MANY,      /* to or from a multicast or broadcast address, or from none at all */
};

/*
 * `peer` sent it and `local` received it; `is_unicast` says whether it was sent to one host alone,
 * as far as the kernel told.
 */
enum verdict caution_judge(const struct caution *caution, const struct endpoint *peer,
	const struct endpoint *local, bool is_unicast);

/* For a log line. */
const char *verdict_text(enum verdict verdict);

#endif
