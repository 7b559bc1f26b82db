#include "config/program.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "config/problems.h"
#include "base/root.h"

/* 0 if it can be executed, else -EINVAL and why not, or -ENOENT. */
static int examine(const char *root, const char *path, char reason[PROGRAM_REASON_SIZE])
{
	struct stat status = { 0 };
	char shown[QUOTE_SIZE];
	quote(shown, path);
	fd_auto int fd = root_open(root, path);
	if (fd < 0 || fstat(fd, &status) < 0) {
		int error = fd < 0 ? -fd : errno;
		const char *remedy = error == ENOENT || error == ENOTDIR
					     ? "install it or correct the path"
					     : "see to it that it can be reached";
		snprintf(reason, PROGRAM_REASON_SIZE, "%s%s: %s; %s", shown, root ? " in the chroot" : "",
			strerror(error), remedy);
		return error == ENOENT || error == ENOTDIR ? -ENOENT : -EINVAL;
	}
	if (S_ISDIR(status.st_mode))
		snprintf(reason, PROGRAM_REASON_SIZE, "%s is a folder; name the program in it",
			shown);
	else if (!S_ISREG(status.st_mode))
		snprintf(reason, PROGRAM_REASON_SIZE, "%s is not a regular file; name a program",
			shown);
	else if (root ? faccessat(fd, "", X_OK, AT_EACCESS | AT_EMPTY_PATH)
		      : faccessat(AT_FDCWD, path, X_OK, AT_EACCESS))
		snprintf(reason, PROGRAM_REASON_SIZE,
			"%s is not executable; chmod +x it or name another program", shown);
	else
		return 0;
	return -EINVAL;
}

static int search(const char *root, const char *word, char path[PATH_MAX], char reason[PROGRAM_REASON_SIZE])
{
	char shown[QUOTE_SIZE];
	const char *folder = PROGRAM_PATH;
	bool is_near = false; /* found, but not a program: that is the better reason */
	while (*folder) {
		size_t length = strcspn(folder, ":");
		char why[PROGRAM_REASON_SIZE];
		int n = snprintf(path, PATH_MAX, "%.*s/%s", (int)length, folder, word);
		int r = n < PATH_MAX ? examine(root, path, why) : -ENOENT;
		if (r == 0)
			return 0;
		if (r == -EINVAL && !is_near) {
			memcpy(reason, why, sizeof why);
			is_near = true;
		}
		folder += length;
		folder += *folder == ':';
	}
	if (!is_near)
		snprintf(reason, PROGRAM_REASON_SIZE,
			"there is no program %s in %s%s; install it or write its whole path",
			quote(shown, word), PROGRAM_PATH, root ? " of the chroot" : "");
	return -EINVAL;
}

static int locate(const char *root, const char *word, char path[PATH_MAX], char reason[PROGRAM_REASON_SIZE])
{
	char shown[QUOTE_SIZE];
	if (!strchr(word, '/'))
		return search(root, word, path, reason);
	if (word[0] != '/') {
		snprintf(reason, PROGRAM_REASON_SIZE,
			"%s is a relative path, and programs start in another folder; write the "
			"whole path",
			quote(shown, word));
		return -EINVAL;
	}
	if (strlen(word) >= PATH_MAX) {
		snprintf(reason, PROGRAM_REASON_SIZE,
			"the path has %zu bytes; the system allows %d", strlen(word), PATH_MAX - 1);
		return -EINVAL;
	}
	strcpy(path, word);
	return examine(root, path, reason) < 0 ? -EINVAL : 0;
}

/* A word that is not found any more has some path all the same: the program was there. */
static int locate_unseen(const char *root, const char *word, char path[PATH_MAX])
{
	char reason[PROGRAM_REASON_SIZE];
	if (!strchr(word, '/') && search(root, word, path, reason) == 0)
		return 0;
	int n = snprintf(path, PATH_MAX, "%s%s", strchr(word, '/') ? "" : "/usr/bin/", word);
	return n < PATH_MAX ? 0 : -EINVAL;
}

static void remember(struct program_cache *cache, const char *word, const char *path)
{
	struct program_entry *entry = &cache->entries[cache->next++ % PROGRAM_CACHE_SIZE];
	free(entry->word);
	free(entry->path);
	*entry = (struct program_entry){ strdup(word), strdup(path) };
}

int program_find(struct program_cache *cache, const char *root, const char *word, char **ret_path,
	char reason[PROGRAM_REASON_SIZE])
{
	char path[PATH_MAX];
	const char *found = NULL;
	for (size_t i = 0; i < PROGRAM_CACHE_SIZE && !found && !root; i++) {
		const struct program_entry *entry = &cache->entries[i];
		if (entry->word && entry->path && !strcmp(entry->word, word))
			found = entry->path;
	}
	if (!found) {
		int r = cache->is_trusting ? locate_unseen(root, word, path)
					   : locate(root, word, path, reason);
		if (r < 0)
			return r;
		if (!root)
			remember(cache, word, path);
	}
	*ret_path = strdup(found ? found : path);
	return *ret_path ? 0 : -ENOMEM;
}

void program_cache_fini(struct program_cache *cache)
{
	for (size_t i = 0; i < PROGRAM_CACHE_SIZE; i++) {
		free(cache->entries[i].word);
		free(cache->entries[i].path);
	}
	*cache = (struct program_cache){ 0 };
}
