/*
 * Starting a program: the one path by which fdsup starts anything, so that identity, descriptors and
 * environment are set in one place and in one order.
 *
 * vfork(2) semantics: the child borrows our memory until it executes, which costs half of fork from
 * a small process and a fiftieth from a large one (measured); so between vfork and exec only system
 * calls. Every set*id is checked and read back (CVE-2023-40303), groups first (CVE-2001-0196).
 */
#ifndef FDSUP_PROCESS_SPAWN_H
#define FDSUP_PROCESS_SPAWN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "config/config.h"

struct sandbox_rules;

/* `from` is ours; it appears as `to` in the program. */
struct spawn_descriptor {
	int from;
	int to;
};

enum { SPAWN_DESCRIPTORS = 24 };

struct spawn_request {
	const char *path;            /* absolute */
	char *const *argv;
	char *const *envp;
	const struct account *account; /* NULL, or when we are not root: as we are */
	int cgroup_fd;               /* of cgroup_open; 0: none */
	const char *root;            /* NULL: as ours */
	const char *directory;       /* in root; NULL: "/" */
	unsigned umask;
	int nice;
	unsigned long nofile;        /* soft limit on descriptors, unless `limits` has one; 0: as ours */
	const struct resource_limit *limits; /* LIMIT_KINDS of them; NULL: as ours */
	bool is_leaving_limits;      /* `limits` is for what the program starts: it must be able to set them */
	uint64_t capabilities;       /* bits: exactly these, if is_holding; else what the user's are */
	bool is_holding;
	bool is_bounded;             /* nor can any program that it executes have others */
	bool no_new_privileges;
	const struct sandbox_rules *sandbox; /* needs no_new_privileges; NULL: none */
	char *pid_text;              /* in envp: ten bytes that become the program's own pid; or NULL */
	struct spawn_descriptor descriptors[SPAWN_DESCRIPTORS]; /* no other is inherited */
	size_t n_descriptors;
};

/*
 * The pid of the program, which leads a session of its own, or -errno with the step that failed in
 * *ret_step ("setgroups", "exec", ...: a constant).
 */
pid_t spawn(const struct spawn_request *request, const char **ret_step);

/*
 * What the child needs of ours until it executes must lie above all that is placed: moves a descriptor
 * there. 0 or -errno.
 */
int spawn_park(int *fd);

#endif
