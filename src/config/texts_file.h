/*
 * The texts that a configuration was loaded from, in a memory file. Nobody here reads them again: they
 * are for the fdsup that comes after us, which gets the descriptor. So they take no memory twice.
 */
#ifndef FDSUP_CONFIG_TEXTS_FILE_H
#define FDSUP_CONFIG_TEXTS_FILE_H

#include <stddef.h>

#include "config/config.h"

/* Shared by the packs that come from the same texts. */
struct texts_file {
	int fd; /* owned */
	unsigned n_users;
};

/* Takes the descriptor. NULL without memory. */
struct texts_file *texts_file_take(int fd);

/* An empty one. NULL and errno. */
struct texts_file *texts_file_create(void);
struct texts_file *texts_file_share(struct texts_file *file);

/* The last one closes it. NULL: nothing to do. */
void texts_file_release(struct texts_file *file);

/* Each path and each text ended by a NUL, which neither of them can hold. 0 or -errno. */
int texts_file_write(int fd, const struct config *config);

struct texts {
	char *bytes; /* owned */
	struct config_text *items;
	size_t n;
};

/* 0 or -errno; texts_fini in both cases. */
int texts_file_read(int fd, struct texts *ret_texts);
void texts_fini(struct texts *texts);

#endif
