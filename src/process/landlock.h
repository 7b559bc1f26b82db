/*
 * Which files a sandboxed program reaches: landlock(7), by bare system calls.
 *
 * A set of rules is a descriptor: what is below a folder may be done, what no rule allows may not. It
 * adds to what users and permissions say and replaces nothing of that.
 */
#ifndef FDSUP_PROCESS_LANDLOCK_H
#define FDSUP_PROCESS_LANDLOCK_H

#include <stdint.h>

/* What a rule may allow. */
enum landlock_use {
	LANDLOCK_READ = 1,  /* files and folders */
	LANDLOCK_EXECUTE = 2,
	LANDLOCK_WRITE = 4, /* files; and make and remove all but devices */
	LANDLOCK_ALL = 8,   /* whatever the set of rules is about */
};

/* What the kernel knows: 1 since Linux 5.13, 2 since 5.19, and so on; 0: nothing. */
int landlock_level(void);

/* Without a rule nothing of the kind can be done. -errno. */
int landlock_open_of_all(void);    /* about everything, and signals to processes outside */
int landlock_open_of_writing(void); /* about whatever changes something; needs level 2 */

/*
 * Allows what is below the folder, or with the file, of this descriptor. 0 or -errno.
 * uses: of enum landlock_use.
 */
int landlock_allow(int rules_fd, int fd, unsigned uses);

/* For a vfork child, which has set PR_SET_NO_NEW_PRIVS: for good. 0 or -1 with errno. */
int landlock_enter(int rules_fd);

#endif
