/*
 * cat for a file that this user cannot open: openfile opens it and passes the descriptor.
 *
 *   mycat SOCKET FILE     SOCKET is where the service listens, FILE lies below openfile's DIRECTORY
 *
 *     cc -o mycat mycat.c $(pkg-config --cflags --libs fdsup)
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <fdsup/worker.h>

#include "broker.h"

static int connect_to(const char *path)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	if (strlen(path) >= sizeof name.sun_path) {
		errno = ENAMETOOLONG;
		return -1;
	}
	strcpy(name.sun_path, path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (const struct sockaddr *)&name, sizeof name) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

/* The file, or -errno. */
static int ask(int broker, const char *file)
{
	int32_t error;
	int fd;
	struct pollfd polled = { .fd = broker, .events = POLLIN };
	if (send(broker, file, strlen(file) + 1, MSG_NOSIGNAL) < 0)
		return -errno;
	if (poll(&polled, 1, 2 * BROKER_PATIENCE_MS) != 1)
		return -ETIMEDOUT;
	ssize_t n = fdsup_receive_fd(broker, &error, sizeof error, &fd);
	if (n < 0)
		return (int)n;
	if (n == sizeof error && (error == 0) == (fd >= 0))
		return error ? -error : fd;
	if (fd >= 0)
		close(fd);
	return -EPROTO;
}

static int copy_to_output(int fd)
{
	char bytes[65536];
	ssize_t n;
	while ((n = read(fd, bytes, sizeof bytes)) > 0)
		for (ssize_t done = 0; done < n;) {
			ssize_t written = write(STDOUT_FILENO, bytes + done, (size_t)(n - done));
			if (written < 0)
				return -errno;
			done += written;
		}
	return n < 0 ? -errno : 0;
}

int main(int argc, char *argv[])
{
	if (argc != 3) {
		fprintf(stderr, "usage: %s SOCKET FILE\n", argv[0]);
		return 64;
	}
	int broker = connect_to(argv[1]);
	if (broker < 0) {
		fprintf(stderr, "%s: %s\n", argv[1], strerror(errno));
		return 1;
	}
	int fd = ask(broker, argv[2]);
	int r = fd < 0 ? fd : copy_to_output(fd);
	if (r < 0)
		fprintf(stderr, "%s: %s\n", argv[2], strerror(-r));
	return r < 0;
}
