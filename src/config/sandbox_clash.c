#include "config/sandbox_clash.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/root.h"
#include "base/system_folders.h"

/* Where a path leads when its links are followed. False: nowhere, or it cannot be told. */
static bool resolve(const char *root, const char *path, char result[PATH_MAX])
{
	char link[40];
	fd_auto int fd = root_open(root, path);
	if (fd < 0)
		return false;
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	ssize_t length = readlink(link, result, PATH_MAX - 1);
	if (length <= 0)
		return false;
	result[length] = 0;
	return *result == '/';
}

/* Whether the path is the folder or lies in it. */
static bool is_within(const char *path, const char *folder)
{
	size_t length = strlen(folder);
	if (length == 1) /* "/" */
		return true;
	return !strncmp(path, folder, length) && (path[length] == '/' || !path[length]);
}

/* The folder of the system that would be opened up by this one, below the root; NULL: none. */
static const char *find_of_system(const char *root, const char *written)
{
	char path[PATH_MAX];
	for (size_t i = 0; i < system_folders_n; i++) {
		const struct system_folder *folder = &system_folders[i];
		if (!resolve(root, folder->path, path))
			continue;
		/* Below /etc or /sys one place may well be meant: nothing is executed there. */
		if (is_within(path, written) || (folder->has_programs && is_within(written, path)))
			return folder->path;
	}
	return NULL;
}

/* The item of sandbox_read, whose files may be executed, that shares a place with this; NULL: none. */
static const char *find_read(const struct service_config *service, const char *written)
{
	char path[PATH_MAX];
	for (size_t i = 0; i < service->surroundings->sandbox_read.n; i++) {
		const char *item = service->surroundings->sandbox_read.items[i];
		if (resolve(service->surroundings->chroot, item, path) &&
			(is_within(path, written) || is_within(written, path)))
			return item;
	}
	return NULL;
}

/* What is wrong with writing there, into text; false: nothing. */
static bool explain(const struct service_config *service, const char *item, const char *remedy,
	char text[512])
{
	char written[PATH_MAX], shown[QUOTE_SIZE], other[QUOTE_SIZE];
	if (!resolve(service->surroundings->chroot, item, written))
		return false;
	const char *of_system = find_of_system(service->surroundings->chroot, written);
	if (!of_system && service->surroundings->chroot)
		of_system = find_of_system(NULL, written);
	const char *read = of_system ? NULL : find_read(service, written);
	quote(shown, item);
	if (of_system)
		snprintf(text, 512,
			"%s lies in %s or holds it, which no sandbox lets a program change: it could "
			"execute what it writes, or spoil the system; %s",
			shown, of_system, remedy);
	else if (read)
		snprintf(text, 512,
			"%s lies in %s of sandbox_read or holds it, so the program could execute what it "
			"writes; name folders in both that do not hold each other",
			shown, quote(other, read));
	return of_system || read;
}

void sandbox_clash_check(struct draft *draft)
{
	const struct service_config *service = draft->fields;
	char text[512];
	if (draft->is_trusting)
		return;
	for (size_t i = 0; i < service->surroundings->sandbox_write.n; i++)
		if (explain(service, service->surroundings->sandbox_write.items[i],
			    "name the folders that it needs, as \"/var/lib/name\"", text))
			draft_item_problem(draft, "sandbox_write", i, "%s", text);
	if (service->surroundings->directory &&
		strcmp(service->surroundings->directory, "/") != 0 &&
		explain(service, service->surroundings->directory,
			"remove the key, or name a folder that the program may write to", text))
		draft_problem(draft, "directory", "%s", text);
}
