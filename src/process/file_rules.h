/*
 * Which files a sandboxed program reaches: sets of rules (base/landlock.h), in the words of what a
 * program uses files for.
 */
#ifndef FDSUP_PROCESS_FILE_RULES_H
#define FDSUP_PROCESS_FILE_RULES_H

/* What a rule may allow. */
enum file_use {
	FILE_USE_READ = 1,  /* files and folders */
	FILE_USE_EXECUTE = 2,
	FILE_USE_WRITE = 4, /* files; and make and remove all but devices */
	FILE_USE_ALL = 8,   /* whatever the set of rules is about */
};

/* The descriptor of a new set, without a rule: nothing of the kind can be done. -errno. */
int file_rules_open_of_all(void);     /* about everything, and signals to processes outside */
int file_rules_open_of_writing(void); /* about whatever changes something; needs level 2 */

/*
 * Allows what is below the folder, or with the file, of this descriptor. 0 or -errno.
 * uses: of enum file_use.
 */
int file_rules_allow(int rules_fd, int fd, unsigned uses);

#endif
