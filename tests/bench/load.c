/*
 * A closed loop of clients on loopback: each connects, sends, reads to the end, and starts again.
 *
 * One thread and one epoll set, so that the generator takes little of the machine that it measures.
 * A connection counts as good when the server closed it after at least the expected number of
 * bytes; its latency runs from before connect(2) to that end. Clients close with a reset: the
 * server closed first, and no TIME_WAIT is left to fill the table of ports. Bounded by time, by
 * count and by a timeout for each connection. Prints one JSON object.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

enum result { OK, REFUSED, RESET, SHORT, TIMEOUT, FAILED, N_RESULTS };

static const char *const result_names[N_RESULTS] = {
	"ok",
	"refused",
	"reset",
	"short",
	"timeout",
	"failed",
};

enum { CLIENTS_MAX = 10000, BYTES_MAX = 65536, EVENTS = 256, NS_PER_MS = 1000000 };

struct client {
	int fd; /* -1: not connected */
	uint64_t started_ns;
	size_t n_sent, n_received;
};

static struct options {
	struct sockaddr_in address;
	size_t n_clients, n_connections;
	double seconds;
	size_t send_bytes, expect_bytes;
	bool half_closes;
	uint64_t timeout_ns;
} options = {
	.n_clients = 1,
	.n_connections = 1000000,
	.seconds = 2,
	.expect_bytes = 1,
	.timeout_ns = 5000ULL * NS_PER_MS,
};

static struct client *clients;
static int epoll_fd;
static size_t n_started, n_open;
static size_t counts[N_RESULTS];
static uint32_t *latencies_us; /* of the good ones */
static uint64_t deadline_ns, last_ok_ns;
static char outgoing[BYTES_MAX], incoming[1 << 18];

static uint64_t now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void fail(const char *what)
{
	fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
	exit(EX_OSERR);
}

static enum result result_of(int error)
{
	switch (error) {
	case ECONNREFUSED:
		return REFUSED;
	case ECONNRESET:
	case EPIPE:
		return RESET;
	default:
		return FAILED;
	}
}

static void client_end(struct client *client, enum result result)
{
	struct linger reset = { .l_onoff = 1 };
	uint64_t now = now_ns();
	setsockopt(client->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
	close(client->fd);
	client->fd = -1;
	n_open--;
	if (result == OK) {
		latencies_us[counts[OK]] = (uint32_t)((now - client->started_ns) / 1000);
		last_ok_ns = now;
	}
	counts[result]++;
}

static void client_start(struct client *client)
{
	struct epoll_event event = { .events = EPOLLOUT, .data.ptr = client };
	*client = (struct client){ .started_ns = now_ns() };
	client->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (client->fd < 0)
		fail("socket");
	n_started++;
	n_open++;
	if (connect(client->fd, (struct sockaddr *)&options.address, sizeof options.address) < 0 &&
		errno != EINPROGRESS)
		client_end(client, result_of(errno));
	else if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, client->fd, &event) < 0)
		fail("epoll_ctl");
}

/* Connected, or room again: sends the rest, then waits for the answer. */
static void client_write(struct client *client)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = client };
	size_t left = options.send_bytes - client->n_sent;
	if (left > 0) {
		ssize_t n = send(client->fd, outgoing, left, MSG_NOSIGNAL);
		if (n < 0 && errno != EAGAIN) {
			client_end(client, result_of(errno));
			return;
		}
		client->n_sent += n > 0 ? (size_t)n : 0;
		if (client->n_sent < options.send_bytes)
			return;
	}
	if (options.half_closes)
		shutdown(client->fd, SHUT_WR);
	epoll_ctl(epoll_fd, EPOLL_CTL_MOD, client->fd, &event);
}

static void client_read(struct client *client)
{
	ssize_t n = recv(client->fd, incoming, sizeof incoming, 0);
	if (n > 0)
		client->n_received += (size_t)n;
	else if (n == 0)
		client_end(client, client->n_received >= options.expect_bytes ? OK : SHORT);
	else if (errno != EAGAIN)
		client_end(client, result_of(errno));
}

static void on_event(const struct epoll_event *event)
{
	struct client *client = event->data.ptr;
	int error = 0;
	socklen_t size = sizeof error;
	if (event->events & EPOLLERR) {
		getsockopt(client->fd, SOL_SOCKET, SO_ERROR, &error, &size);
		client_end(client, result_of(error));
	} else if (event->events & EPOLLOUT) {
		client_write(client);
	} else {
		client_read(client);
	}
}

static void end_overdue(void)
{
	uint64_t now = now_ns();
	for (size_t i = 0; i < options.n_clients; i++)
		if (clients[i].fd >= 0 && now - clients[i].started_ns > options.timeout_ns)
			client_end(&clients[i], TIMEOUT);
}

static void start_idle(uint64_t now)
{
	for (size_t i = 0; i < options.n_clients; i++)
		if (clients[i].fd < 0 && now < deadline_ns && n_started < options.n_connections)
			client_start(&clients[i]);
}

static void run(void)
{
	struct epoll_event events[EVENTS];
	uint64_t next_look_ns = 0;
	for (;;) {
		uint64_t now = now_ns();
		start_idle(now);
		if (n_open == 0 && (now >= deadline_ns || n_started >= options.n_connections))
			return;
		int n = epoll_wait(epoll_fd, events, EVENTS, 50);
		if (n < 0 && errno != EINTR)
			fail("epoll_wait");
		for (int i = 0; i < n; i++)
			on_event(&events[i]);
		if (now >= next_look_ns) {
			end_overdue();
			next_look_ns = now + 50ULL * NS_PER_MS;
		}
	}
}

static int compare_latencies(const void *a, const void *b)
{
	const uint32_t *left = a, *right = b;
	return (*left > *right) - (*left < *right);
}

/* In microseconds; 0 without a good connection. */
static uint32_t quantile(double part)
{
	size_t n = counts[OK];
	return n ? latencies_us[(size_t)((double)(n - 1) * part)] : 0;
}

static void print_results(uint64_t start_ns)
{
	double seconds = counts[OK] ? (double)(last_ok_ns - start_ns) / 1e9 : options.seconds;
	qsort(latencies_us, counts[OK], sizeof *latencies_us, compare_latencies);
	printf("{ \"seconds\": %.6f, \"per_second\": %.1f", seconds, (double)counts[OK] / seconds);
	for (int result = 0; result < N_RESULTS; result++)
		printf(", \"%s\": %zu", result_names[result], counts[result]);
	printf(", \"p50_us\": %u, \"p99_us\": %u, \"max_us\": %u }\n", quantile(0.5),
		quantile(0.99), quantile(1));
}

static void refuse(const char *why)
{
	fprintf(stderr,
		"load: %s\n"
		"usage: load [OPTION...] ADDRESS PORT     (an address of 127.0.0.0/8)\n"
		"  -c CLIENTS       at a time (1)\n"
		"  -t SECONDS       (2)\n"
		"  -n CONNECTIONS   at most (1000000)\n"
		"  -s BYTES         that each client sends (0)\n"
		"  -w               then closes its sending side\n"
		"  -e BYTES         that a good answer has at least (1)\n"
		"  -T MS            after which a connection is given up (5000)\n",
		why);
	exit(EX_USAGE);
}

static size_t number(const char *text, size_t max)
{
	char *end;
	errno = 0;
	unsigned long value = strtoul(text, &end, 10);
	if (errno || end == text || *end || value > max)
		refuse("a number is missing, malformed or too large");
	return value;
}

static void parse_options(int argc, char **argv)
{
	int option;
	while ((option = getopt(argc, argv, "c:t:n:s:we:T:")) != -1) {
		switch (option) {
		case 'c':
			options.n_clients = number(optarg, CLIENTS_MAX);
			break;
		case 't':
			options.seconds = strtod(optarg, NULL);
			break;
		case 'n':
			options.n_connections = number(optarg, 10000000);
			break;
		case 's':
			options.send_bytes = number(optarg, BYTES_MAX);
			break;
		case 'w':
			options.half_closes = true;
			break;
		case 'e':
			options.expect_bytes = number(optarg, SIZE_MAX);
			break;
		case 'T':
			options.timeout_ns = (uint64_t)number(optarg, 600000) * NS_PER_MS;
			break;
		default:
			refuse("unknown option");
		}
	}
	if (argc - optind != 2)
		refuse("address and port are missing");
	options.address.sin_family = AF_INET;
	options.address.sin_port = htons((uint16_t)number(argv[optind + 1], 65535));
	if (inet_pton(AF_INET, argv[optind], &options.address.sin_addr) != 1 ||
		ntohl(options.address.sin_addr.s_addr) >> 24 != IN_LOOPBACKNET)
		refuse("only 127.0.0.0/8 is put under load");
	if (!(options.seconds > 0 && options.seconds <= 600) || options.n_clients == 0)
		refuse("no clients, or not between 0 and 600 seconds");
}

int main(int argc, char **argv)
{
	parse_options(argc, argv);
	clients = calloc(options.n_clients, sizeof *clients);
	latencies_us = calloc(options.n_connections, sizeof *latencies_us);
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (!clients || !latencies_us || epoll_fd < 0)
		fail("cannot start");
	memset(outgoing, 'x', sizeof outgoing);
	for (size_t i = 0; i < options.n_clients; i++)
		clients[i].fd = -1;
	uint64_t start_ns = now_ns();
	deadline_ns = start_ns + (uint64_t)(options.seconds * 1e9);
	run();
	print_results(start_ns);
	return 0;
}
