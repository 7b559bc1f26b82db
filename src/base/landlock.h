/*
 * Landlock (landlock(7)) by bare system calls: which files, ports and processes are out of reach,
 * whatever users and permissions say. A set of rules is a descriptor; what it is about and no rule
 * allows is denied to those that have entered it, for good.
 *
 * The numbers are those of the kernel's linux/landlock.h, which on the systems that we build on is
 * older than the kernels that we run on, and which the C library of fdsup-worker has not.
 */
#ifndef FDSUP_BASE_LANDLOCK_H
#define FDSUP_BASE_LANDLOCK_H

#include <stdint.h>

/* What may be done with files; the first thirteen since level 1. */
enum landlock_file {
	LANDLOCK_FILE_EXECUTE = 1 << 0,
	LANDLOCK_FILE_WRITE = 1 << 1,
	LANDLOCK_FILE_READ = 1 << 2,
	LANDLOCK_FILE_READ_FOLDER = 1 << 3,
	LANDLOCK_FILE_REMOVE_FOLDER = 1 << 4,
	LANDLOCK_FILE_REMOVE = 1 << 5,
	LANDLOCK_FILE_MAKE_CHAR = 1 << 6,
	LANDLOCK_FILE_MAKE_FOLDER = 1 << 7,
	LANDLOCK_FILE_MAKE_REGULAR = 1 << 8,
	LANDLOCK_FILE_MAKE_SOCKET = 1 << 9,
	LANDLOCK_FILE_MAKE_FIFO = 1 << 10,
	LANDLOCK_FILE_MAKE_BLOCK = 1 << 11,
	LANDLOCK_FILE_MAKE_LINK = 1 << 12,
	LANDLOCK_FILE_REFER = 1 << 13,    /* level 2: links and renames between folders */
	LANDLOCK_FILE_TRUNCATE = 1 << 14, /* level 3 */
	LANDLOCK_FILE_IOCTL = 1 << 15,    /* level 5: of devices */
};

enum landlock_net { LANDLOCK_NET_BIND_TCP = 1, LANDLOCK_NET_CONNECT_TCP = 2 };
enum landlock_scope { LANDLOCK_SCOPED_ABSTRACT_UNIX = 1, LANDLOCK_SCOPED_SIGNAL = 2 };

/* What a set of rules is about, as the kernel reads it: 0 where the running one knows nothing. */
struct landlock_rights {
	uint64_t file;
	uint64_t net;   /* level 4 */
	uint64_t scope; /* level 6: to processes outside */
};

/* What the kernel knows: 1 since Linux 5.13, 2 since 5.19, and so on; -errno: nothing. */
int landlock_level(void);

/* Everything about files that a kernel of this level knows. */
uint64_t landlock_file_rights(int level);

/* The descriptor of a new set, close-on-exec, or -errno. */
int landlock_open(struct landlock_rights rights);

/*
 * Allows this (of enum landlock_file) below the folder, or with the file, of this descriptor.
 * 0 or -errno.
 */
int landlock_allow(int rules_fd, int fd, uint64_t file_rights);

/* Needs PR_SET_NO_NEW_PRIVS; may be called between vfork and exec. 0 or -1 with errno. */
int landlock_enter(int rules_fd);

#endif
