/*
 * A descriptor broker: opens files below one directory with its own rights, for programs that have
 * none, and passes the open files to them.
 *
 *   openfile DIRECTORY             under fdsup (broker.conf)
 *   openfile DIRECTORY SOCKET      waits for acceptors there
 *
 * The client gets a descriptor and nothing else: it can read this file and no other, although it
 * could not open even this one. What it may ask for is decided here, by the kernel (openat2(2),
 * RESOLVE_BENEATH): no "..", no link leads out of DIRECTORY.
 *
 *     cc -o openfile openfile.c $(pkg-config --cflags --libs fdsup)
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <fdsup/worker.h>

#include "broker.h"

/* 0 or an errno. */
static int32_t receive_name(int client, char name[BROKER_NAME_MAX])
{
	struct timeval patience = { .tv_sec = BROKER_PATIENCE_MS / 1000 };
	size_t length = 0;
	setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	do {
		ssize_t n = recv(client, name + length, BROKER_NAME_MAX - length, 0);
		if (n <= 0)
			return n < 0 ? errno : EPROTO;
		length += (size_t)n;
		if (memchr(name, 0, length))
			return 0;
	} while (length < BROKER_NAME_MAX);
	return ENAMETOOLONG;
}

/* A regular file below the directory, or -1 and errno. */
static int open_below(int directory, const char *name)
{
	struct stat found;
	struct open_how how = {
		/* Not to be kept waiting by a pipe that nobody writes to. */
		.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
	};
	int fd = (int)syscall(SYS_openat2, directory, name, &how, sizeof how);
	if (fd >= 0 && fstat(fd, &found) == 0 && S_ISREG(found.st_mode))
		return fd;
	if (fd >= 0)
		close(fd);
	/* EXDEV: the name leads out of the directory. */
	if (fd >= 0 || errno == EXDEV)
		errno = EACCES;
	return -1;
}

static int32_t serve(int client, int directory)
{
	char name[BROKER_NAME_MAX];
	int fd = -1;
	int32_t error = receive_name(client, name);
	if (error == 0) {
		fd = open_below(directory, name);
		error = fd < 0 ? errno : 0;
	}
	/* The answer is the only thing that we send: a socket has room for it. */
	int r = fdsup_send_fd(client, fd, &error, sizeof error);
	if (fd >= 0)
		close(fd);
	return r < 0 ? -r : error;
}

static void serve_all(struct fdsup_channel *channel, int directory)
{
	for (;;) {
		struct fdsup_connection connection;
		char who[FDSUP_TEXT_SIZE];
		int client = fdsup_wait(channel, &connection, -1);
		if (client == -EPIPE)
			return;
		if (client < 0) {
			if (client != -EINTR)
				sleep(1); /* out of memory or descriptors: it passes */
			continue;
		}
		int32_t error = serve(client, directory);
		close(client);
		fdsup_finished(channel, &connection, NULL);
		if (error)
			fprintf(stderr, "%s: refused: %s\n", fdsup_peer_text(&connection, who),
				strerror(error));
	}
}

int main(int argc, char *argv[])
{
	struct fdsup_channel *channel;
	int directory = argc > 1 ? open(argv[1], O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
	if (argc < 2 || argc > 3 || directory < 0) {
		fprintf(stderr, "usage: %s DIRECTORY [SOCKET]\n", argv[0]);
		if (directory < 0 && argc > 1)
			fprintf(stderr, "%s: %s\n", argv[1], strerror(errno));
		return 64;
	}
	int r = argc > 2 ? fdsup_listen(&channel, argv[2], 0600) : fdsup_open(&channel);
	if (r < 0) {
		fprintf(stderr, "%s: %s\n", argc > 2 ? argv[2] : "descriptor 3", strerror(-r));
		return 1;
	}
	fdsup_stop_on(channel, SIGTERM);
	fdsup_notify("READY=1");
	serve_all(channel, directory);
	fdsup_close(channel);
	return 0;
}
