#include "process/sandbox.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/landlock.h"
#include "base/root.h"
#include "base/system_folders.h"
#include "process/filter.h"
#include "process/file_rules.h"
#include "process/spawn.h"

/* To forbid links and renames between folders is no way to protect /etc: mail would not be delivered. */
enum { LEVEL_OF_BASIC = 2 };

struct rule {
	const char *path;
	unsigned uses;
};

/* What programs find at any host besides what they execute. What is not there needs no rule. */
static const struct rule of_strict[] = {
	{ "/etc", FILE_USE_READ },
	{ "/proc", FILE_USE_READ },
	{ "/sys/devices/system/cpu", FILE_USE_READ },
	{ "/run/systemd/resolve", FILE_USE_READ }, /* where /etc/resolv.conf may lead */
	{ "/run/resolvconf", FILE_USE_READ },
	{ "/dev/null", FILE_USE_READ | FILE_USE_WRITE },
	{ "/dev/zero", FILE_USE_READ | FILE_USE_WRITE },
	{ "/dev/full", FILE_USE_READ | FILE_USE_WRITE },
	{ "/dev/random", FILE_USE_READ },
	{ "/dev/urandom", FILE_USE_READ },
};

enum { FOLDER_USES = FILE_USE_READ | FILE_USE_WRITE, PROGRAM_USES = FILE_USE_READ | FILE_USE_EXECUTE };

static const char *missing;

const char *sandbox_lacks(void)
{
	const char *text = missing;
	missing = NULL;
	return text;
}

static void note_missing(const char *text, bool *is_told)
{
	if (!*is_told)
		missing = text;
	*is_told = true;
}

/* 0 also if there is no such file; -errno. */
static int allow(int rules_fd, const char *root, const char *path, unsigned uses)
{
	fd_auto int fd = root_open(root, path);
	return fd < 0 ? 0 : file_rules_allow(rules_fd, fd, uses);
}

static int allow_needed(int rules_fd, const char *root, const char *path, unsigned uses)
{
	fd_auto int fd = root_open(root, path);
	return fd < 0 ? fd : file_rules_allow(rules_fd, fd, uses);
}

static bool is_of_system(const char *name)
{
	for (size_t i = 0; i < system_folders_n; i++)
		if (!strcmp(system_folders[i].path + 1, name))
			return true;
	return !strcmp(name, ".") || !strcmp(name, "..");
}

/* Where a link in "/" leads has its own place, which is in "/" as well. */
static int allow_entry(int rules_fd, int root_fd, const char *name)
{
	struct stat status;
	fd_auto int fd = openat(root_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &status) < 0 || S_ISLNK(status.st_mode))
		return 0;
	return file_rules_allow(rules_fd, fd, FILE_USE_ALL);
}

/* Everything in "/" but the folders of the system. */
static int allow_writing(int rules_fd, const char *root)
{
	DIR *folder = opendir(root ? root : "/");
	struct dirent *entry;
	int r = 0;
	if (!folder)
		return -errno;
	while (r == 0 && (entry = readdir(folder)))
		if (!is_of_system(entry->d_name))
			r = allow_entry(rules_fd, dirfd(folder), entry->d_name);
	closedir(folder);
	return r;
}

static int allow_common(int rules_fd, const char *root)
{
	int r = 0;
	for (size_t i = 0; i < system_folders_n && r == 0; i++)
		if (system_folders[i].has_programs)
			r = allow(rules_fd, root, system_folders[i].path, PROGRAM_USES);
	for (size_t i = 0; i < sizeof of_strict / sizeof *of_strict && r == 0; i++)
		r = allow(rules_fd, root, of_strict[i].path, of_strict[i].uses);
	return r;
}

static int allow_list(int rules_fd, const char *root, const struct text_list *list, unsigned uses)
{
	int r = 0;
	for (size_t i = 0; i < list->n && r == 0; i++)
		r = allow_needed(rules_fd, root, list->items[i], uses);
	return r;
}

static int allow_own(int rules_fd, const struct service_config *service, const char **ret_step)
{
	const char *root = service->surroundings->chroot;
	*ret_step = "sandbox: command";
	int r = allow_needed(rules_fd, root, service->command_path, PROGRAM_USES);
	if (r == 0 && strcmp(service->surroundings->directory, "/") != 0) {
		*ret_step = "sandbox: directory";
		r = allow_needed(rules_fd, root, service->surroundings->directory, FOLDER_USES);
	}
	if (r == 0) {
		*ret_step = "sandbox_read";
		r = allow_list(rules_fd, root, &service->surroundings->sandbox_read, PROGRAM_USES);
	}
	if (r == 0) {
		*ret_step = "sandbox_write";
		r = allow_list(rules_fd, root, &service->surroundings->sandbox_write, FOLDER_USES);
	}
	return r;
}

static int make_strict(int rules_fd, const struct service_config *service, const char *program,
	const char **ret_step)
{
	*ret_step = "sandbox";
	int r = allow_common(rules_fd, service->surroundings->chroot);
	if (r == 0 && service->type == SERVICE_EXEC) {
		/* fdsup-worker is not below a chroot, and enters it later. */
		r = allow_needed(rules_fd, NULL, program, PROGRAM_USES);
		if (r == 0 && service->surroundings->chroot)
			r = allow_common(rules_fd, NULL);
	}
	return r == 0 ? allow_own(rules_fd, service, ret_step) : r;
}

static int make_basic(int rules_fd, const struct service_config *service)
{
	int r = allow_writing(rules_fd, service->surroundings->chroot);
	if (r == 0 && service->surroundings->chroot)
		r = allow(rules_fd, NULL, "/dev/null", FILE_USE_WRITE);
	return r;
}

static int make_rules(struct sandbox_rules *rules, const struct service_config *service,
	const char *program, const char **ret_step)
{
	static bool is_told;
	bool is_strict = service->surroundings->sandbox == SANDBOX_STRICT;
	if (landlock_level() < (is_strict ? 1 : LEVEL_OF_BASIC)) {
		note_missing("sandbox: this kernel has no Landlock, or none that would do (5.19 has); "
			     "programs are confined by permissions and their filter of system calls alone",
			&is_told);
		return 0;
	}
	*ret_step = "sandbox (landlock)";
	rules->landlock_fd = is_strict ? file_rules_open_of_all() : file_rules_open_of_writing();
	if (rules->landlock_fd < 0)
		return rules->landlock_fd;
	int r = spawn_park(&rules->landlock_fd);
	if (r < 0)
		return r;
	return is_strict ? make_strict(rules->landlock_fd, service, program, ret_step)
			 : make_basic(rules->landlock_fd, service);
}

int sandbox_make(struct sandbox_rules *ret_rules, const struct service_config *service,
	const char *program, const char **ret_step)
{
	static bool is_told;
	*ret_rules = (struct sandbox_rules){ .landlock_fd = -1 };
	if (service->surroundings->sandbox == SANDBOX_NONE)
		return 0;
	*ret_step = "sandbox (seccomp)";
	int r = filter_get(&ret_rules->filter, service->surroundings->sandbox,
		service->surroundings->has_sandbox_network);
	if (r < 0)
		return r;
	if (ret_rules->filter.n == 0)
		note_missing("sandbox: this kernel has no filters of system calls (seccomp); programs are "
			     "confined by what is left",
			&is_told);
	r = make_rules(ret_rules, service, program, ret_step);
	if (r < 0)
		sandbox_fini(ret_rules);
	return r;
}

void sandbox_fini(struct sandbox_rules *rules)
{
	fd_close(&rules->landlock_fd);
}

int sandbox_enter(const struct sandbox_rules *rules)
{
	/* The filter last: it may not know what the other one takes. */
	if (rules->landlock_fd >= 0 && landlock_enter(rules->landlock_fd) < 0)
		return -1;
	return rules->filter.n ? filter_install(&rules->filter) : 0;
}
