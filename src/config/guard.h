/*
 * What a text must be before libconfig may see it: whole, well nested, of bounded size, without
 * numbers that libconfig would wrap silently, and without its @include.
 *
 * As this reads the whole grammar, it can also tell where a syntax error is and what is missing,
 * where libconfig only says "syntax error".
 */
#ifndef FDSUP_CONFIG_GUARD_H
#define FDSUP_CONFIG_GUARD_H

#include <stddef.h>

#include "config/problems.h"

enum {
	GUARD_DEPTH_MAX = 16,
	/* libconfig's time grows with the square of it. No group but `services` needs so many. */
	GUARD_GROUP_MAX = 128,
	GUARD_LIST_MAX = 4096,
	GUARD_SETTINGS_MAX = 20000, /* of a file */
};

/* Where the members of `services` stand in the text: every GUARD_PIECE_SIZE-th of them. */
enum { GUARD_PIECE_SIZE = 16 };

struct guard_services {
	struct guard_piece {
		const char *start;
		unsigned line;
	} * items;
	size_t n;
	const char *end; /* the closing brace */
};

void guard_services_fini(struct guard_services *services);

/*
 * 0: libconfig may read it. A number that does not fit has then been told and become 0 in the text,
 * so that the rest can be checked as well; *ret_services points into the text and is the caller's
 * to free. -EINVAL: problems were added, the text is of no use. -ENOMEM.
 */
int guard_check(char *text, size_t length, const char *file, struct problems *problems,
	struct guard_services *ret_services);

#endif
