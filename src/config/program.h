/*
 * The first word of a command to the program it names, looked for once a word.
 *
 * The path is fixed: what a service runs must not depend on the environment fdsup was started from.
 */
#ifndef FDSUP_CONFIG_PROGRAM_H
#define FDSUP_CONFIG_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>

#define PROGRAM_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

enum { PROGRAM_REASON_SIZE = 256, PROGRAM_CACHE_SIZE = 16 };

/* The last answers; services of one kind stand together. */
struct program_cache {
	struct program_entry {
		char *word;
		char *path;
	} entries[PROGRAM_CACHE_SIZE];
	size_t next;
	bool is_trusting; /* what is named was there once: it is not looked at again */
};

void program_cache_fini(struct program_cache *cache);

/*
 * `root` is the directory below which it is looked for; NULL: "/".
 * 0 and the absolute path there, the caller's to free. -EINVAL with the reason and the remedy: it does
 * not exist, is no regular file, is not executable, or is a relative path. -ENOMEM.
 */
int program_find(struct program_cache *cache, const char *root, const char *word, char **ret_path,
	char reason[PROGRAM_REASON_SIZE]);

#endif
