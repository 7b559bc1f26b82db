#include "supervisor/runtime_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"

static int lock_fd = -1;
static bool has_admin_socket;

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
			"the runtime directory %s belongs to another user (uid %u); chown it, or set "
			"runtime_dir",
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

/* flock(2), not fcntl: it stays when the process forks into the background. */
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
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		char text[32] = "?";
		ssize_t n = pread(fd, text, sizeof text - 1, 0);
		text[n > 0 ? strcspn(text, "\n") : 0] = 0;
		snprintf(error, RUNTIME_DIR_ERROR_SIZE,
			"fdsup runs already with the runtime directory %s (pid %s); stop it, or set another "
			"runtime_dir",
			config->runtime_dir, text);
		return -EBUSY;
	}
	lock_fd = fd_take(&fd);
	return 0;
}

int runtime_dir_write_pid(int64_t started_wall_ms)
{
	char text[64];
	int n = snprintf(text, sizeof text, "%d\n%" PRId64 "\n", (int)getpid(), started_wall_ms);
	if (ftruncate(lock_fd, 0) < 0 || pwrite(lock_fd, text, (size_t)n, 0) != n)
		return -errno;
	return 0;
}

static bool is_answered(const struct sockaddr_un *name)
{
	fd_auto int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	return fd >= 0 && connect(fd, (const struct sockaddr *)name, sizeof *name) == 0;
}

/* Only a socket, and only one on which nobody answers, is removed. */
static int remove_stale(const struct sockaddr_un *name, char error[RUNTIME_DIR_ERROR_SIZE])
{
	struct stat status;
	if (lstat(name->sun_path, &status) < 0)
		return 0;
	if (!S_ISSOCK(status.st_mode)) {
		snprintf(error, RUNTIME_DIR_ERROR_SIZE,
			"%s is in the way of the admin socket and is not a socket; remove it",
			name->sun_path);
		return -EEXIST;
	}
	if (is_answered(name)) {
		snprintf(error, RUNTIME_DIR_ERROR_SIZE,
			"another program answers on the admin socket %s; stop it, or set admin.socket",
			name->sun_path);
		return -EADDRINUSE;
	}
	unlink(name->sun_path);
	return 0;
}

static int open_admin(const struct sockaddr_un *name)
{
	fd_auto int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	/* From its first moment the socket is ours alone; its mode is widened afterwards. */
	mode_t before = umask(0177);
	int r = bind(fd, (const struct sockaddr *)name, sizeof *name);
	int bind_errno = errno;
	umask(before);
	if (r < 0)
		return -bind_errno;
	if (listen(fd, 128) < 0)
		return -errno;
	return fd_take(&fd);
}

int runtime_dir_open_admin(
	const struct config *config, int *ret_fd, char error[RUNTIME_DIR_ERROR_SIZE])
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	if (strlen(config->admin_socket) >= sizeof name.sun_path) {
		snprintf(error, RUNTIME_DIR_ERROR_SIZE,
			"the admin socket's path %s has %zu bytes, a socket's may have %zu; set a shorter "
			"runtime_dir or admin.socket",
			config->admin_socket, strlen(config->admin_socket), sizeof name.sun_path - 1);
		return -ENAMETOOLONG;
	}
	strcpy(name.sun_path, config->admin_socket);
	int r = remove_stale(&name, error);
	if (r < 0)
		return r;
	r = open_admin(&name);
	if (r < 0) {
		snprintf(error, RUNTIME_DIR_ERROR_SIZE, "cannot make the admin socket %s: %s",
			config->admin_socket, strerror(-r));
		return r;
	}
	*ret_fd = r;
	has_admin_socket = true;
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

void runtime_dir_write_listeners(const struct config *config, const char *text, size_t length)
{
	char path[4096], temporary[4096];
	join_path(path, config, "listeners");
	join_path(temporary, config, "listeners.new");
	unlink(temporary);
	fd_auto int fd =
		open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
	bool is_written = fd >= 0 && write(fd, text, length) == (ssize_t)length;
	if (!is_written || rename(temporary, path) < 0) {
		log_warning("cannot write %s: %s; only fdsupctl status after a crash needs it", path,
			strerror(errno));
		unlink(temporary);
	}
}

void runtime_dir_clear(const struct config *config)
{
	char path[4096];
	if (has_admin_socket)
		unlink(config->admin_socket);
	if (lock_fd < 0)
		return;
	join_path(path, config, "listeners");
	unlink(path);
	join_path(path, config, "fdsup.pid");
	unlink(path);
	fd_close(&lock_fd);
}
