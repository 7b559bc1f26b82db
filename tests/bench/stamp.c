/*
 * A worker for tests/bench/gaps.py: to each connection it sends when that was accepted, as the record of
 * its hand-off has it, and when it is answered. On TERM it takes no more.
 */
#include <signal.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { QUEUE = 3, RECORD_MAX = 256, ACCEPTED_AT = 16 };

static volatile sig_atomic_t is_over;

static void on_term(int number)
{
	(void)number;
	is_over = 1;
}

static uint64_t now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* False: nobody is left to send any. */
static int serve_one(void)
{
	char record[RECORD_MAX], control[CMSG_SPACE(sizeof(int))];
	struct iovec bytes = { record, sizeof record };
	struct msghdr message = { .msg_iov = &bytes, .msg_iovlen = 1, .msg_control = control,
		.msg_controllen = sizeof control };
	ssize_t n = recvmsg(QUEUE, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	const struct cmsghdr *header = n > 0 ? CMSG_FIRSTHDR(&message) : NULL;
	int connection;
	uint64_t times[2];
	if (n == 0)
		return 0;
	if (!header)
		return 1; /* another was faster */
	memcpy(&connection, CMSG_DATA(header), sizeof connection);
	memcpy(times, record + ACCEPTED_AT, sizeof *times);
	times[1] = now_ns();
	send(connection, times, sizeof times, MSG_NOSIGNAL | MSG_DONTWAIT);
	close(connection);
	return 1;
}

int main(void)
{
	struct pollfd queue = { .fd = QUEUE, .events = POLLIN };
	sigset_t term, none;
	struct sigaction action = { .sa_handler = on_term };
	sigemptyset(&none);
	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	sigprocmask(SIG_BLOCK, &term, NULL);
	sigaction(SIGTERM, &action, NULL);
	/* Pending signals are not delivered while the queue is readable: look for them by hand. */
	while (!is_over) {
		sigset_t pending;
		if (ppoll(&queue, 1, NULL, &none) > 0 && !serve_one())
			break;
		if (sigpending(&pending) == 0 && sigismember(&pending, SIGTERM))
			break;
	}
	return 0;
}
