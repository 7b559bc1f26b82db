/*
 * Which socket to speak to, and what lies beside it in the runtime directory.
 */
#ifndef FDSUP_CTL_SOCKET_PATH_H
#define FDSUP_CTL_SOCKET_PATH_H

#include <stdbool.h>

#define SOCKET_PATH_SYSTEM "/run/fdsup/admin.sock"

/* All that the choice depends on; NULL or "" for what is not set. */
struct socket_choice {
	const char *option;      /* -s */
	const char *environment; /* $FDSUP_SOCKET */
	const char *runtime_dir; /* $XDG_RUNTIME_DIR */
	bool is_root;
	bool has_system; /* SOCKET_PATH_SYSTEM exists, or may not be looked at */
	bool has_own;    /* there is a socket below runtime_dir */
};

/* The path, to be freed; NULL without memory. Pure. */
char *socket_path_choose(const struct socket_choice *choice);

/* The same for this process. */
char *socket_path_find(const char *option);

/* "DIRECTORY OF THE SOCKET/NAME", to be freed; NULL without memory. */
char *socket_path_beside(const char *socket_path, const char *name);

#endif
