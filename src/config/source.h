/*
 * Reading a file of the configuration without trusting what lies there: it may be a FIFO, a folder,
 * endless, or writable by somebody who must not decide what root runs.
 */
#ifndef FDSUP_CONFIG_SOURCE_H
#define FDSUP_CONFIG_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "config/problems.h"

/* Files are written by people: this is some 20,000 services. */
enum { SOURCE_SIZE_MAX = 1 << 20 };

/* Which file it is, whatever name it was reached by. */
struct file_identity {
	dev_t device;
	ino_t inode;
};

/*
 * Opens a regular file, relative to `folder` (or AT_FDCWD), that only root or the current user can
 * change. -1: a problem was added; `path` is how it calls the file.
 */
int source_open(int folder, const char *name, const char *path, struct problems *problems,
	struct file_identity *ret_identity);

/* Reads all of it, ended by a NUL; the caller's to free. NULL: a problem was added. */
char *source_read(int fd, const char *path, struct problems *problems, size_t *ret_length);

/* Whether only root or the current user can change it. If not, a problem is added at file:line. */
bool source_is_safe(const struct stat *status, const char *path, const char *file, unsigned line,
	const char *key, struct problems *problems);

#endif
