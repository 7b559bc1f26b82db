/*
 * The runtime directory: the lock that keeps a second supervisor away, the admin socket, and what
 * `fdsupctl status` reads when fdsup is dead.
 */
#ifndef FDSUP_SUPERVISOR_RUNTIME_DIR_H
#define FDSUP_SUPERVISOR_RUNTIME_DIR_H

#include <stddef.h>
#include <stdio.h>

#include "base/unix_name.h"
#include "config/config.h"

enum { RUNTIME_DIR_ERROR_SIZE = 4608 };

/*
 * Makes the directory where it is missing, refuses one that others could write to, and locks
 * "fdsup.pid" in it; the lock goes with the process. 0, or -errno with a text for the administrator.
 */
int runtime_dir_lock(const struct config *config, char error[RUNTIME_DIR_ERROR_SIZE]);

/* Writes the pid and the start time into fdsup.pid. After a fork, by the process that stays. */
int runtime_dir_write_pid(int64_t started_wall_ms, const char *instance);

/* The instance of the fdsup that wrote the file before; -ENOENT if it tells none. */
int runtime_dir_read_instance(char *instance, size_t size);

/* Binds the admin socket in place of one on which nobody answers. As above; *ret_fd listens. */
int runtime_dir_open_admin(
	const struct config *config, int *ret_fd, char error[RUNTIME_DIR_ERROR_SIZE]);

/* Who may connect to it at all. */
void runtime_dir_set_admin_mode(const struct config *config);

/* Replaces the file "listeners": a line for each, PROTO ADDRESS PORT SERVICE, which `write` writes. */
void runtime_dir_write_listeners(const struct config *config,
	void (*write)(void *context, FILE *stream), void *context);

/* For the program that takes our place, and back. */
struct runtime_dir_saved {
	int lock_fd; /* owned */
	struct unix_file admin_file;
};
void runtime_dir_save(struct runtime_dir_saved *ret);
void runtime_dir_restore(const struct runtime_dir_saved *saved);

/* Those of an fdsup that died. Only with the lock. */
void runtime_dir_remove_sockets(const struct config *config);

/* Removes the socket and the files, as far as they are ours. */
void runtime_dir_clear(const struct config *config);

/* Gives the lock back, and leaves all files as they are. */
void runtime_dir_leave(void);

#endif
