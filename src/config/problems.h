/*
 * What is wrong with a configuration: collected over the whole run, one problem a place and key,
 * and told in the order of the lines.
 */
#ifndef FDSUP_CONFIG_PROBLEMS_H
#define FDSUP_CONFIG_PROBLEMS_H

#include <stdbool.h>
#include <stddef.h>

#include "config/config.h"

/* More would not be read; how many more there are is said. */
enum { PROBLEMS_MAX = 200 };

/* Room for one value as it is shown in a message: quoted, escaped, cut. */
enum { QUOTE_SIZE = 72 };

/* `text` in quotes, safe for a terminal. Returns result. */
char *quote(char result[QUOTE_SIZE], const char *text);

struct problem {
	char *file;
	unsigned line; /* 0: the file as a whole */
	size_t order;  /* in which it was found */
	char *path;    /* "services.rsync.port", or empty */
	char *text;    /* what is wrong; what to do */
};

struct problems {
	struct problem *items;
	size_t n;
	size_t n_dropped;      /* beyond PROBLEMS_MAX */
	const char *main_file; /* told first; not owned */
	bool is_out_of_memory;
};

/* path may be NULL. */
void problem_add(struct problems *problems, const char *file, unsigned line, const char *path,
	const char *format, ...) __attribute__((format(printf, 5, 6)));

static inline bool problems_are_there(const struct problems *problems)
{
	return problems->n > 0 || problems->is_out_of_memory;
}

/*
 * Sorts, leaves out what was said twice, writes the texts and frees the problems.
 * 0 or -ENOMEM, with as many texts as there was memory for.
 */
int problems_tell(struct problems *problems, struct config_errors *ret_errors);

#endif
