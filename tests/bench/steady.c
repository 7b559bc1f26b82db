/*
 * A client for tests/bench/gaps.py: connects to a port of 127.0.0.1 at a steady rate, whoever is slow, and
 * reads the two times that stamp.c sends.
 *
 *   steady PORT MICROSECONDS
 *
 * Until TERM; then it waits for those who are still out, and prints one line for each connection, in the
 * order in which they were made: when it was connected, accepted, answered, in nanoseconds of
 * CLOCK_MONOTONIC. Zeros: it was not.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS = 256, PATIENCE_MS = 10000, NS_PER_US = 1000, NS_PER_S = 1000000000 };

struct visit {
	uint64_t connected_ns, accepted_ns, answered_ns;
	int fd;
};

/* What an event is about: a visit by its number, or one of these. */
enum { TICK = -1, OVER = -2 };

static struct visit *visits;
static size_t n_visits, n_visits_max, n_out;
static int epoll_fd;
static struct sockaddr_in address = { .sin_family = AF_INET };

static uint64_t now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void watch(int fd, int64_t about)
{
	struct epoll_event event = { .events = EPOLLIN, .data.u64 = (uint64_t)about };
	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
		die("epoll_ctl");
}

static void set_out(void)
{
	if (n_visits == n_visits_max) {
		n_visits_max = n_visits_max ? 2 * n_visits_max : 65536;
		visits = realloc(visits, n_visits_max * sizeof *visits);
		if (!visits)
			die("realloc");
	}
	struct visit *visit = &visits[n_visits];
	*visit = (struct visit){ .fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0) };
	if (visit->fd < 0)
		die("socket");
	int r = connect(visit->fd, (struct sockaddr *)&address, sizeof address);
	visit->connected_ns = now_ns();
	if (r == 0 || errno == EINPROGRESS) {
		watch(visit->fd, (int64_t)n_visits);
		n_out++;
	} else {
		close(visit->fd);
	}
	n_visits++;
}

static void on_answer(struct visit *visit)
{
	uint64_t times[2];
	if (recv(visit->fd, times, sizeof times, 0) == sizeof times) {
		visit->accepted_ns = times[0];
		visit->answered_ns = times[1];
	}
	/* A reset: else the server, which closes first, fills the table with TIME_WAIT. */
	setsockopt(visit->fd, SOL_SOCKET, SO_LINGER, &(struct linger){ 1, 0 }, sizeof(struct linger));
	close(visit->fd);
	n_out--;
}

static int start_ticking(uint64_t every_ns)
{
	struct timespec every = { (time_t)(every_ns / NS_PER_S), (long)(every_ns % NS_PER_S) };
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (fd < 0 || timerfd_settime(fd, 0, &(struct itimerspec){ every, every }, NULL) < 0)
		die("timerfd");
	watch(fd, TICK);
	return fd;
}

static int watch_for_term(void)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	int fd = signalfd(-1, &set, SFD_CLOEXEC);
	watch(fd, OVER);
	return fd;
}

static void run(int timer_fd, int signal_fd)
{
	struct epoll_event events[EVENTS];
	int is_over = 0, n;
	while ((!is_over || n_out) &&
		(n = epoll_wait(epoll_fd, events, EVENTS, is_over ? PATIENCE_MS : -1)) > 0) {
		for (int i = 0; i < n; i++) {
			int64_t about = (int64_t)events[i].data.u64;
			uint64_t n_ticks = 0;
			if (about >= 0) {
				on_answer(&visits[about]);
			} else if (about == OVER) {
				is_over = 1;
				close(timer_fd);
				close(signal_fd);
			} else if (!is_over && read(timer_fd, &n_ticks, sizeof n_ticks) > 0) {
				while (n_ticks--)
					set_out();
			}
		}
	}
}

int main(int argc, char **argv)
{
	if (argc != 3) {
		fprintf(stderr, "usage: steady PORT MICROSECONDS\n");
		return 64;
	}
	address.sin_port = htons((uint16_t)atoi(argv[1]));
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	struct rlimit limit;
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max; /* while nobody answers they become many */
	setrlimit(RLIMIT_NOFILE, &limit);
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	int signal_fd = watch_for_term();
	run(start_ticking((uint64_t)atoi(argv[2]) * NS_PER_US), signal_fd);
	for (size_t i = 0; i < n_visits; i++)
		printf("%" PRIu64 " %" PRIu64 " %" PRIu64 "\n", visits[i].connected_ns,
			visits[i].accepted_ns, visits[i].answered_ns);
	return 0;
}
