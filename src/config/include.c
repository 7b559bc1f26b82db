#include "config/include.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "config/list.h"

int seen_add(struct seen *seen, struct file_identity identity)
{
	for (size_t i = 0; i < seen->n; i++)
		if (seen->items[i].device == identity.device &&
			seen->items[i].inode == identity.inode)
			return 0;
	struct file_identity *items = realloc(seen->items, (seen->n + 1) * sizeof *items);
	if (!items)
		return -ENOMEM;
	seen->items = items;
	seen->items[seen->n++] = identity;
	return 1;
}

void seen_fini(struct seen *seen)
{
	free(seen->items);
	*seen = (struct seen){ 0 };
}

/* The folder as it is opened and called. */
static char *folder_path(const char *folder, const char *from)
{
	const char *slash = strrchr(from, '/');
	char *path;
	if (folder[0] == '/' || !slash)
		return strdup(folder);
	if (asprintf(&path, "%.*s/%s", (int)(slash - from), from, folder) < 0)
		return NULL;
	return path;
}

/* Opens a folder that only root or the current user can change; -1 after a problem. */
static int open_folder(const char *path, const char *from, unsigned line, struct seen *seen,
	struct problems *problems)
{
	struct stat status;
	char shown[QUOTE_SIZE];
	fd_auto int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_DIRECTORY);
	quote(shown, path);
	if (fd < 0 || fstat(fd, &status) < 0) {
		const char *remedy = errno == ENOTDIR  ? "name the folder that holds the files"
				     : errno == ENOENT ? "create it or remove the key"
						       : "make it readable";
		problem_add(problems, from, line, "include", "%s cannot be read: %s; %s", shown,
			strerror(errno), remedy);
		return -1;
	}
	if (!source_is_safe(&status, shown, from, line, "include", problems))
		return -1;
	int r = seen_add(seen, (struct file_identity){ status.st_dev, status.st_ino });
	if (r < 0)
		problems->is_out_of_memory = true;
	if (r == 0)
		problem_add(problems, from, line, "include",
			"the folder %s is included twice; remove one of the two", shown);
	return r == 1 ? fd_take(&fd) : -1;
}

static bool is_wanted(const char *name)
{
	size_t length = strlen(name);
	return name[0] != '.' && length > 5 && !strcmp(name + length - 5, ".conf");
}

static int compare_texts(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The names of the files in the folder, sorted. Takes the descriptor. */
static int list_folder(int fd, struct text_list *ret_names)
{
	DIR *stream = fdopendir(fd);
	if (!stream) {
		int r = -errno;
		close(fd);
		return r;
	}
	struct text_list names = { 0 };
	const struct dirent *entry;
	int r = 0;
	while (r == 0 && (errno = 0, entry = readdir(stream))) {
		if (is_wanted(entry->d_name))
			r = text_list_take(&names, strdup(entry->d_name));
		if (names.n > INCLUDE_FILES_MAX)
			r = -E2BIG;
	}
	if (r == 0)
		r = -errno;
	closedir(stream);
	if (names.n > 0)
		qsort(names.items, names.n, sizeof *names.items, compare_texts);
	if (r < 0)
		text_list_fini(&names);
	else
		*ret_names = names;
	return r;
}

/* One file of the folder. */
static void open_included(int folder, const char *path, const char *name, struct seen *seen,
	struct problems *problems, void (*read_file)(void *context, const char *path, int fd),
	void *context)
{
	struct file_identity identity;
	fd_auto int fd = source_open(folder, name, path, problems, &identity);
	if (fd < 0)
		return;
	int r = seen_add(seen, identity);
	if (r < 0)
		problems->is_out_of_memory = true;
	else if (r == 0)
		problem_add(problems, path, 0, NULL,
			"this file has been read already, under another name or as the main file; "
			"remove the link, or move the main file out of the included folder");
	else
		read_file(context, path, fd_take(&fd));
}

int include_folder(const char *folder, const char *from, unsigned line, struct seen *seen,
	struct problems *problems, void (*read_file)(void *context, const char *path, int fd),
	void *context)
{
	char *path = folder_path(folder, from);
	struct text_list names = { 0 };
	if (!path) {
		problems->is_out_of_memory = true;
		return -1;
	}
	fd_auto int fd = open_folder(path, from, line, seen, problems);
	int n_files = -1, r = fd < 0 ? 0 : list_folder(fd_copy(fd), &names);
	if (r == -ENOMEM)
		problems->is_out_of_memory = true;
	else if (r == -E2BIG)
		problem_add(problems, from, line, "include",
			"the folder holds more than %d *.conf files; join some", INCLUDE_FILES_MAX);
	else if (r < 0)
		problem_add(problems, from, line, "include",
			"the folder cannot be listed: %s; make it readable", strerror(-r));
	if (fd >= 0 && r == 0)
		n_files = (int)names.n;
	for (size_t i = 0; i < names.n; i++) {
		char *file;
		if (asprintf(&file, "%s/%s", path, names.items[i]) < 0) {
			problems->is_out_of_memory = true;
			break;
		}
		open_included(fd, file, names.items[i], seen, problems, read_file, context);
		free(file);
	}
	text_list_fini(&names);
	free(path);
	return n_files;
}
