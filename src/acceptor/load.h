/*
 * The load average of the last minute, asked for at most once a second. From sysinfo(2), as an
 * acceptor cannot open /proc/loadavg.
 */
#ifndef FDSUP_ACCEPTOR_LOAD_H
#define FDSUP_ACCEPTOR_LOAD_H

#include <stdint.h>

struct load {
	uint32_t centi;    /* in hundredths */
	uint64_t until_ns; /* how long that is good for */
};

uint32_t load_now_centi(struct load *load, uint64_t now_ns);

#endif
