/*
 * One file in pieces that libconfig reads fast.
 *
 * libconfig compares each name of a group with all before it, at a cost that makes 500 services in
 * one group most of the time a load takes. So the members of `services` are parsed a few at a time:
 * the guard has seen to it that no name is given twice.
 */
#ifndef FDSUP_CONFIG_PIECES_H
#define FDSUP_CONFIG_PIECES_H

#include <libconfig.h>

#include "config/guard.h"
#include "config/problems.h"

struct pieces {
	const char *path;
	char *text;
	size_t length;
	struct guard_services services;
};

/* Reads and checks a file. Takes the descriptor; `path` must stay. 0, or -errno after a problem. */
int pieces_read(struct pieces *pieces, const char *path, int fd, struct problems *problems);
void pieces_fini(struct pieces *pieces);

/* The file without the members of `services`. 0, or -errno after a problem. */
int pieces_parse_head(const struct pieces *pieces, struct problems *problems, config_t *ret_tree);

size_t pieces_count(const struct pieces *pieces);

/*
 * Some members of `services`, in a group of that name. A line of the tree becomes one of the file
 * by adding *ret_line_offset. 0, or -errno after a problem.
 */
int pieces_parse(const struct pieces *pieces, size_t i, struct problems *problems,
	config_t *ret_tree, unsigned *ret_line_offset);

#endif
