/*
 * Descriptors: one owner each, -1 when absent, close-on-exec from birth.
 */
#ifndef FDSUP_BASE_FD_H
#define FDSUP_BASE_FD_H

#include <stddef.h>

/* Closes *fd unless it is -1, and makes it -1. errno is kept. */
void fd_close(int *fd);

/* Local clean-up: `fd_auto int fd = open(...);` closes at the end of the scope. */
#define fd_auto __attribute__((cleanup(fd_close), unused))

/* Moves a descriptor out of the variable that owned it. */
int fd_take(int *fd);

/* A copy that is close-on-exec, at 3 or above; -1 and errno. */
int fd_copy(int fd);

/* The other way, for a connection that goes to a program which expects it so. */
void fd_set_blocking(int fd);

/* An option of the level SOL_SOCKET; -1 and errno. */
int fd_socket_option(int fd, int option);

/* Whether so many descriptors can still be opened. 0 or -errno: -EMFILE, -ENFILE. */
enum { FD_ROOM_MAX = 64 };
int fd_check_room(unsigned n);

/* 0 or -errno. O_NONBLOCK belongs to the open file: never call this on a connection. */
int fd_set_nonblocking(int fd);

/* Descriptors 0 to 2 that are closed become /dev/null, before something else takes their place. */
void fd_open_standard(void);

/* Closes every descriptor from `first` on. */
void fd_close_from(int first);

/* All of it, to a file. 0 or -errno. */
int fd_write_all(int fd, const void *bytes, size_t n);

/*
 * Raises the soft limit on descriptors to the hard limit. The soft limit found is stored in
 * *ret_before, to be given back to the programs we start (select(2) breaks above 1024).
 */
int fd_raise_limit(unsigned long *ret_before);

#endif
