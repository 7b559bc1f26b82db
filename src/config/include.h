/*
 * include = "/etc/fdsup.d": the *.conf files of a folder, in the order of their names.
 *
 * Every file and folder is known by its device and inode, so nothing is read twice, by whatever
 * links it is reached.
 */
#ifndef FDSUP_CONFIG_INCLUDE_H
#define FDSUP_CONFIG_INCLUDE_H

#include "config/problems.h"
#include "config/source.h"

/* Files of one folder. */
enum { INCLUDE_FILES_MAX = 4096 };

/* What was read so far. */
struct seen {
	struct file_identity *items;
	size_t n;
};

/* 1: new, and noted; 0: seen before; -ENOMEM. */
int seen_add(struct seen *seen, struct file_identity identity);
void seen_fini(struct seen *seen);

/*
 * Calls `read_file` for each file of the folder with a path to call it by and an open descriptor,
 * which it takes. A relative folder is relative to that of the file `from`, where the key stands in
 * `line`. Problems are added. How many files there were; -1: the folder could not be read.
 */
int include_folder(const char *folder, const char *from, unsigned line, struct seen *seen,
	struct problems *problems, void (*read_file)(void *context, const char *path, int fd),
	void *context);

#endif
