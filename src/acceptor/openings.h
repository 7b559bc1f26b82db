/*
 * How many TCP connections a second are opened in our network namespace, by whomever: the kernel counts them,
 * both ends of one over the loopback, and each costs a notice where notices are wanted. Asked for at most
 * once a second.
 */
#ifndef FDSUP_ACCEPTOR_OPENINGS_H
#define FDSUP_ACCEPTOR_OPENINGS_H

#include <stdint.h>

struct openings {
	int fd; /* owned; -1: the kernel does not say */
	uint64_t count, count_ns;
	uint32_t rate;
};

/* Before the process is confined. */
void openings_open(struct openings *openings);
void openings_close(struct openings *openings);

/* A second; 0 as well when that is not known (yet). */
uint32_t openings_rate(struct openings *openings, uint64_t now_ns);

/* The two counters in the text of /proc/net/snmp, added up; 0: it does not have them. */
uint64_t openings_parse(const char *text);

#endif
