/*
 * Names to addresses, for programs that are started by hand: this may wait for a name server. The
 * supervisor never does that while it serves.
 */
#ifndef FDSUP_NET_RESOLVE_H
#define FDSUP_NET_RESOLVE_H

#include <stdbool.h>

#include "wire/endpoint.h"

enum { RESOLVE_MAX = 32, RESOLVE_ERROR_SIZE = 256 };

/* One address to listen on. */
struct listen_target {
	struct endpoint address;
	bool is_both_families; /* [::], and IPv4 as well */
};

/*
 * All addresses to listen on. "*", "-" and "" mean every address of both families; anything else
 * means itself: "::1" is an address. The port is a number or a service name. Returns how many,
 * each once, or -1 and the error as a sentence.
 */
int resolve_listen(const char *address, const char *port, struct listen_target ret[RESOLVE_MAX],
	char ret_error[RESOLVE_ERROR_SIZE]);

#endif
