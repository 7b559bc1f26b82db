/*
 * A configuration in one piece of memory, pointers and all, which two processes can share: a loading
 * process fills it, the one that asked for it keeps it. The piece goes with the last of those that
 * lie in it, the configuration and each of its services.
 *
 * Of keys that resolve to something (address, port, user, group, groups) a packed configuration has
 * what they resolved to, and no longer how they were written; and its texts only as a file.
 */
#ifndef FDSUP_CONFIG_PACK_H
#define FDSUP_CONFIG_PACK_H

#include <stddef.h>
#include <stdint.h>

#include "config/config.h"

struct texts_file;

/* The beginning of the piece. */
struct pack {
	uint64_t layout;              /* of a file: what the program that filled it takes structs for */
	void *address;                /* of a file: where it must lie, since it is full of pointers */
	size_t size;                  /* of the whole */
	size_t n_users;               /* who lies in it and was not freed */
	struct config *config;        /* NULL: it has errors, or nothing */
	struct config_errors *errors; /* likewise; they go with pack_destroy */
	struct texts_file *texts;     /* what it was loaded from; a user of it; NULL: unknown */
};

/* A piece that can be filled up to `size` bytes; what is not used costs nothing. NULL and errno. */
struct pack *pack_create(size_t size);

/*
 * The same in a memory file, which stays the caller's: for another process that runs the same
 * program, and takes the piece from the file with pack_open. NULL and errno.
 */
struct pack *pack_create_in(int fd, size_t size);

/*
 * The piece that a process of the same program has filled. NULL and errno: EINVAL if it is none or
 * of another program, EEXIST if its place is taken here.
 */
struct pack *pack_open(int fd);

/* An empty piece, or one with errors, or one whose configuration nobody will take. */
void pack_destroy(struct pack *pack);

/* Copies the source into an empty piece. False, and it stays empty, if there is not enough room. */
bool pack_fill(struct pack *pack, const struct config *source);
bool pack_fill_errors(struct pack *pack, const struct config_errors *source);

/*
 * The configuration, the caller's with each of its services: for config_free and
 * service_config_free, with the last of which the piece goes. NULL: it has none.
 */
struct config *pack_take(struct pack *pack);

/* Processes that are forked from now on do not have it: a later loader, for one, reads files of others. */
void pack_keep_from_children(struct pack *pack);

/* One of those in it is freed. */
void pack_release(struct pack *pack);

/* A copy in a piece of its own. NULL without memory. */
struct config *config_copy(const struct config *source);

#endif
