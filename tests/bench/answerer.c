/*
 * A long-lived worker that reads 16 bytes of each connection, answers "ok" and closes: the least that
 * one can be.
 *
 *     answerer PORT PROCESSES     accepts for itself, in so many processes
 *     answerer                    takes connections from descriptor 3, as of type worker
 */
#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { REQUEST_SIZE = 16, BACKLOG = 1024, TAKEN = 3 };

static void serve(int connection)
{
	char request[256];
	ssize_t n, total = 0;
	while (total < REQUEST_SIZE && (n = read(connection, request, sizeof request)) > 0)
		total += n;
	if (total >= REQUEST_SIZE)
		(void)!write(connection, "ok\n", 3);
	close(connection);
}

static int listen_at(const char *port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port)) };
	int on = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, BACKLOG) < 0)
		exit(1);
	return fd;
}

static int accept_one(int listener)
{
	return accept4(listener, NULL, NULL, SOCK_CLOEXEC);
}

/* Nobody blocks in recvmsg(2) who may be killed: fdsup-protocol(7). */
static int take_one(int queue)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int))];
	} control;
	char record[256];
	struct iovec piece = { record, sizeof record };
	struct msghdr message = { .msg_iov = &piece, .msg_iovlen = 1, .msg_control = &control,
		.msg_controllen = sizeof control };
	struct pollfd polled = { .fd = queue, .events = POLLIN };
	int connection = -1;
	ssize_t n;
	while ((n = recvmsg(queue, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC)) < 0)
		poll(&polled, 1, -1);
	if (n == 0)
		exit(0);
	const struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	if (header && header->cmsg_type == SCM_RIGHTS)
		memcpy(&connection, CMSG_DATA(header), sizeof connection);
	return connection;
}

int main(int argc, char **argv)
{
	signal(SIGPIPE, SIG_IGN);
	int source = argc == 3 ? listen_at(argv[1]) : TAKEN;
	for (int i = 1; argc == 3 && i < atoi(argv[2]); i++)
		if (fork() == 0) {
			prctl(PR_SET_PDEATHSIG, SIGTERM);
			break;
		}
	for (;;) {
		int connection = argc == 3 ? accept_one(source) : take_one(source);
		if (connection >= 0)
			serve(connection);
	}
}
