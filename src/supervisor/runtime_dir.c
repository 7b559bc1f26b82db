#include "supervisor/runtime_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/pid.h"
#include "base/unix_name.h"

enum { ADMIN_BACKLOG = 128 };

static int lock_fd = -1;
static struct unix_file admin_file;

static void join_path(char path[4096], const struct config *config, const char *name)
{
	snprintf(path, 4096, "%s/%s", config->runtime_dir, name);
}

static int make_directory(const char *path, char error[RUNTIME_DIR_ERROR_SIZE])
{
	struct stat status;
	if (mkdir(path, geteuid() == 0 ? 0755 : 0700) < 0 && errno != EEXIST) {
		int r = -errno;
		snprintf(error, RUNTIME_DIR_ERROR_SIZE,
			"cannot make the runtime directory %s: %s; make its parent, or set runtime_dir",
			path, strerror(-r));
		return r;
	}
	if (lstat(path, &status) < 0 || !S_ISDIR(status.st_mode)) {
		snprintf(error, RUNTIME_DIR_ERROR_SIZE,
			"%s is not a directory; remove it, or set runtime_dir", path);
		return -ENOTDIR;
	}
	if (status.st_uid != geteuid() && status.st_uid != 0) {
		snprintf(error, RUNTIME_DIR_ERROR_SIZE,
			"the runtime directory %s belongs to another user (uid %u); start fdsup as that "
			"user, or set runtime_dir",
			path, status.st_uid);
		return -EPERM;
	}
	if (status.st_mode & (S_IWGRP | S_IWOTH)) {
		snprintf(error, RUNTIME_DIR_ERROR_SIZE,
			"the runtime directory %s can be written to by others; chmod go-w %s", path, path);
		return -EPERM;
	}
	return 0;
}

enum { LOCK_TRIES = 100, LOCK_PAUSE_MS = 20 };

/* Whoever wrote the file; a zombie has no program any more. */
static bool is_owner_dead(int fd, char text[32])
{
	char path[64], program[2];
	ssize_t n = pread(fd, text, 31, 0);
	text[n > 0 ? n : 0] = 0;
	text[strcspn(text, "\n")] = 0;
	long pid = strtol(text, NULL, 10);
	if (pid <= 0)
		return false;
	snprintf(path, sizeof path, "/proc/%ld/exe", pid);
	return pid_is_gone((pid_t)pid) ||
	       (readlink(path, program, sizeof program) < 0 && errno == ENOENT);
}

/*
 * flock(2), not fcntl: it stays when the process forks into the background. A child that a dead one
 * had just forked has it, too, until it has begun its own program, or has heard of that death.
 */
static int lock_file(int fd, char ret_owner[32])
{
	strcpy(ret_owner, "?");
	for (int i = 0; flock(fd, LOCK_EX | LOCK_NB) < 0; i++) {
		if (errno == EINTR)
			continue;
		if (!is_owner_dead(fd, ret_owner) || i >= LOCK_TRIES)
			return -EBUSY;
		poll(NULL, 0, LOCK_PAUSE_MS);
	}
	return 0;
}

int runtime_dir_lock(const struct config *config, char error[RUNTIME_DIR_ERROR_SIZE])
{
	char path[4096];
	int r = make_directory(config->runtime_dir, error);
	if (r < 0)
		return r;
	join_path(path, config, "fdsup.pid");
	fd_auto int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0644);
	if (fd < 0) {
		r = -errno;
		snprintf(error, RUNTIME_DIR_ERROR_SIZE, "cannot open %s: %s%s", path, strerror(-r),
			r == -ELOOP ? "; it is a symbolic link, remove it" : "");
		return r;
	}
	char owner[32];
	if (lock_file(fd, owner) < 0) {
		snprintf(error, RUNTIME_DIR_ERROR_SIZE,
			"fdsup runs already with the runtime directory %s (pid %s); stop it, or set another "
			"runtime_dir",
			config->runtime_dir, owner);
		return -EBUSY;
	}
	lock_fd = fd_take(&fd);
	return 0;
}

int runtime_dir_read_instance(char *instance, size_t size)
{
	char text[128];
	ssize_t n = pread(lock_fd, text, sizeof text - 1, 0);
	text[n > 0 ? n : 0] = 0;
	char *line = strchr(text, '\n');
	line = line ? strchr(line + 1, '\n') : NULL;
	size_t length = line ? strcspn(line + 1, "\n") : 0;
	if (length == 0 || length >= size)
		return -ENOENT;
	snprintf(instance, size, "%.*s", (int)length, line + 1);
	return 0;
}

int runtime_dir_write_pid(int64_t started_wall_ms, const char *instance)
{
	char text[128];
	int n = snprintf(text, sizeof text, "%d\n%" PRId64 "\n%s\n", (int)getpid(), started_wall_ms,
		instance);
	/* Over what is there, which a full disk has room for. */
	if (pwrite(lock_fd, text, (size_t)n, 0) != n || ftruncate(lock_fd, n) < 0)
		return -errno;
	return 0;
}

static void describe(const char *path, int r, char error[RUNTIME_DIR_ERROR_SIZE])
{
	if (r == -ENAMETOOLONG)
		snprintf(error, RUNTIME_DIR_ERROR_SIZE,
			"the admin socket's path %s has %zu bytes, a socket's may have %d; set a shorter "
			"runtime_dir or admin.socket",
			path, strlen(path), UNIX_NAME_MAX);
	else if (r == -EEXIST)
		snprintf(error, RUNTIME_DIR_ERROR_SIZE,
			"%s is in the way of the admin socket and is not a socket; remove it", path);
	else if (r == -EADDRINUSE)
		snprintf(error, RUNTIME_DIR_ERROR_SIZE,
			"another program answers on the admin socket %s; stop it, or set admin.socket",
			path);
	else
		snprintf(error, RUNTIME_DIR_ERROR_SIZE, "cannot make the admin socket %s: %s", path,
			strerror(-r));
}

int runtime_dir_open_admin(
	const struct config *config, int *ret_fd, char error[RUNTIME_DIR_ERROR_SIZE])
{
	/* From its first moment the socket is ours alone; its mode is widened afterwards. */
	static const struct unix_access ours = { (uid_t)-1, (gid_t)-1, 0600 };
	struct unix_name name;
	int r = unix_name_parse(config->admin_socket, &name);
	if (r == 0)
		r = unix_name_listen(&name, &ours, ADMIN_BACKLOG, &admin_file);
	if (r < 0) {
		describe(config->admin_socket, r, error);
		return r;
	}
	*ret_fd = r;
	runtime_dir_set_admin_mode(config);
	return 0;
}

/* Whom the configuration names may connect; what they may do is decided by their credentials. */
void runtime_dir_set_admin_mode(const struct config *config)
{
	bool is_for_others = config->admin_control.n || config->admin_status.n;
	if (chmod(config->admin_socket, is_for_others ? 0666 : 0600) < 0)
		log_warning("cannot set the mode of %s: %s", config->admin_socket, strerror(errno));
}

static int write_new(const char *path, const char *text, size_t size)
{
	fd_auto int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0)
		return -errno;
	ssize_t n = write(fd, text, size);
	return n == (ssize_t)size ? 0 : n < 0 ? -errno : -ENOSPC;
}

/* Most reloads and all upgrades change nothing here, and a disk takes longer than all the rest. */
static bool holds(const char *path, const char *text, size_t size)
{
	struct stat status;
	fd_auto int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &status) < 0 || !S_ISREG(status.st_mode) ||
		status.st_uid != geteuid() || (size_t)status.st_size != size)
		return false;
	char *found = malloc(size + 1);
	bool is_same = found && read(fd, found, size) == (ssize_t)size && !memcmp(found, text, size);
	free(found);
	return is_same;
}

static int replace(const char *path, const char *temporary, const char *text, size_t size)
{
	unlink(temporary);
	int r = write_new(temporary, text, size);
	if (r == 0 && rename(temporary, path) < 0)
		r = -errno;
	if (r < 0)
		unlink(temporary);
	return r;
}

void runtime_dir_write_listeners(const struct config *config,
	void (*write)(void *context, FILE *stream), void *context)
{
	char path[4096], temporary[4096], *text = NULL;
	size_t size = 0;
	join_path(path, config, "listeners");
	join_path(temporary, config, "listeners.new");
	FILE *stream = open_memstream(&text, &size);
	if (stream)
		write(context, stream);
	int r = stream && fclose(stream) == 0 ? 0 : -ENOMEM;
	if (r == 0 && !holds(path, text, size))
		r = replace(path, temporary, text, size);
	free(text);
	if (r < 0)
		log_warning("cannot write %s: %s; only fdsupctl status after a crash needs it", path,
			strerror(-r));
}

void runtime_dir_save(struct runtime_dir_saved *ret)
{
	*ret = (struct runtime_dir_saved){ lock_fd, admin_file };
}

void runtime_dir_restore(const struct runtime_dir_saved *saved)
{
	if (saved->lock_fd >= 0)
		lock_fd = saved->lock_fd;
	admin_file = saved->admin_file;
}

void runtime_dir_clear(const struct config *config)
{
	char path[4096];
	unix_file_remove(&admin_file, config->admin_socket);
	if (lock_fd < 0)
		return;
	join_path(path, config, "listeners");
	unlink(path);
	join_path(path, config, "fdsup.pid");
	unlink(path);
	fd_close(&lock_fd);
}

void runtime_dir_leave(void)
{
	fd_close(&lock_fd);
}

static void remove_socket(const char *path)
{
	struct stat status;
	if (lstat(path, &status) == 0 && S_ISSOCK(status.st_mode))
		unlink(path);
}

void runtime_dir_remove_sockets(const struct config *config)
{
	char path[4096];
	remove_socket(config->admin_socket);
	join_path(path, config, "notify.sock");
	remove_socket(path);
}
