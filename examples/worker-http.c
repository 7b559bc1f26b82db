/*
 * An http server that holds many connections in one loop: a worker of fdsup.
 *
 *   worker-http             takes connections from fdsup (worker-http.conf)
 *   worker-http SOCKET      waits for acceptors there: fdsup-acceptor 127.0.0.1 8080 SOCKET
 *
 * It answers every GET with who asked and how many others are here, and keeps connections alive.
 * On TERM it takes no more, and leaves when the last client has gone, or after LEAVE_MS.
 *
 *     cc -o worker-http worker-http.c $(pkg-config --cflags --libs fdsup)
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <fdsup/worker.h>

enum { REQUEST_MAX = 8192, EVENTS = 64, IDLE_S = 60, LEAVE_MS = 5000, DESCRIPTORS_SPARE = 16 };

/* Idle connections cost no buffer: this, and what the kernel needs. */
struct client {
	struct fdsup_connection connection;
	struct client *older, *newer; /* in the order of their last sign of life */
	time_t alive_at;
	int fd;
	size_t length; /* of the request so far */
	char *request;
	bool is_begun;
	struct fdsup_result result;
};

static struct fdsup_channel *channel;
static int loop_fd;
static struct client ends = { .older = &ends, .newer = &ends }; /* of the list */
static size_t n_clients, n_clients_max;
static bool takes, is_over;
static time_t now;

static void watch(int operation, int fd, void *data)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = data };
	if (epoll_ctl(loop_fd, operation, fd, &event) < 0 && operation == EPOLL_CTL_ADD)
		perror("epoll_ctl");
}

/* The channel is always ready while connections wait: full means not asking. */
static void take_from_now_on(bool wanted)
{
	if (takes != wanted)
		watch(wanted ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, fdsup_fd(channel), NULL);
	takes = wanted;
}

/* ---- clients --------------------------------------------------------------------------------- */

static void client_unlink(struct client *client)
{
	client->older->newer = client->newer;
	client->newer->older = client->older;
}

static void client_is_alive(struct client *client)
{
	if (client->older)
		client_unlink(client);
	client->alive_at = now;
	client->older = ends.older;
	client->newer = &ends;
	ends.older->newer = client;
	ends.older = client;
}

static void client_close(struct client *client, int status)
{
	client->result.status = status;
	/*
	 * Closing is not enough: while the acceptor still has its copy, epoll would go on to report
	 * the connection, for a client that is no more.
	 */
	watch(EPOLL_CTL_DEL, client->fd, client);
	close(client->fd);
	fdsup_finished(channel, &client->connection, &client->result);
	client_unlink(client);
	free(client->request);
	free(client);
	n_clients--;
	if (!is_over)
		take_from_now_on(true);
}

static struct client *client_add(int fd, const struct fdsup_connection *connection)
{
	struct client *client = calloc(1, sizeof *client);
	if (!client) {
		close(fd);
		fdsup_finished(channel, connection, &(struct fdsup_result){ .status = 1 });
		return NULL;
	}
	client->connection = *connection;
	client->fd = fd;
	client_is_alive(client);
	watch(EPOLL_CTL_ADD, fd, client);
	n_clients++;
	return client;
}

/* ---- http ------------------------------------------------------------------------------------ */

/* False: the client does not read what it asked for, and is not waited for. */
static bool answer(struct client *client, const char *status, bool keeps)
{
	char who[FDSUP_TEXT_SIZE], body[256], text[512];
	int n_body = snprintf(body, sizeof body, "hello, %s\nworker %d, %zu connections\n",
		fdsup_peer_text(&client->connection, who), (int)getpid(), n_clients);
	int n = snprintf(text, sizeof text,
		"HTTP/1.1 %s\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n%s\r\n%s", status,
		n_body, keeps ? "" : "Connection: close\r\n", body);
	/* The connection is in blocking mode, and stays so: every call says that it will not wait.
	 */
	ssize_t sent = send(client->fd, text, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (sent > 0)
		client->result.bytes_out += (uint64_t)sent;
	return sent == n;
}

/* Answers all requests that are complete. False: this client is done with. */
static bool answer_complete(struct client *client)
{
	char *end;
	while ((end = memmem(client->request, client->length, "\r\n\r\n", 4))) {
		size_t n_head = (size_t)(end + 4 - client->request);
		*end = 0;
		bool is_get = strncmp(client->request, "GET ", 4) == 0;
		bool keeps = is_get && !is_over && strstr(client->request, " HTTP/1.1") &&
			     !strcasestr(client->request, "\nConnection: close");
		if (!answer(client, is_get ? "200 OK" : "405 Method Not Allowed", keeps) || !keeps)
			return false;
		client->length -= n_head;
		memmove(client->request, client->request + n_head, client->length);
	}
	return true;
}

static void drop_empty_request(struct client *client)
{
	if (client->length > 0)
		return;
	free(client->request);
	client->request = NULL;
}

static void client_on_readable(struct client *client)
{
	if (!client->request)
		client->request = malloc(REQUEST_MAX);
	if (!client->request) {
		client_close(client, 1);
		return;
	}
	ssize_t n = recv(client->fd, client->request + client->length, REQUEST_MAX - client->length,
		MSG_DONTWAIT);
	if (n < 0 && errno == EAGAIN) {
		drop_empty_request(client);
		return;
	}
	/* Until now another worker could have taken our place, had we died. */
	if (!client->is_begun)
		fdsup_taken(channel, &client->connection);
	client->is_begun = true;
	if (n <= 0) {
		client_close(client, 0);
		return;
	}
	client->length += (size_t)n;
	client->result.bytes_in += (uint64_t)n;
	client_is_alive(client);
	if (!answer_complete(client))
		client_close(client, 0);
	else if (client->length == REQUEST_MAX)
		client_close(client, 1);
	else
		drop_empty_request(client);
}

/* ---- the loop -------------------------------------------------------------------------------- */

/*
 * One in a turn of the loop, served at once if its request is there already: what this process
 * has begun to serve when it dies is lost, the rest is taken by the next.
 */
static void take_one(void)
{
	struct fdsup_connection connection;
	if (n_clients >= n_clients_max) {
		take_from_now_on(false);
		return;
	}
	int fd = fdsup_take(channel, &connection);
	if (fd >= 0) {
		struct client *client = client_add(fd, &connection);
		if (client)
			client_on_readable(client);
		return;
	}
	if (fd == -EPIPE)
		is_over = true;
	else if (fd != -EAGAIN)
		fprintf(stderr, "cannot take a connection: %s\n", strerror(-fd));
	if (fd != -EAGAIN)
		take_from_now_on(false);
}

static void time_out(void)
{
	while (ends.newer != &ends && now - ends.newer->alive_at >= IDLE_S)
		client_close(ends.newer, 0);
	if (!is_over)
		take_from_now_on(true);
}

static time_t monotonic(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec;
}

static void serve(void)
{
	time_t over_at = 0;
	while (!is_over || (n_clients > 0 && now - over_at < LEAVE_MS / 1000)) {
		struct epoll_event events[EVENTS];
		int n = epoll_wait(loop_fd, events, EVENTS, 1000);
		bool is_queue_ready = false;
		now = monotonic();
		for (int i = 0; i < n; i++) {
			if (events[i].data.ptr)
				client_on_readable(events[i].data.ptr);
			else
				is_queue_ready = true;
		}
		if (is_queue_ready)
			take_one();
		time_out();
		if (is_over && !over_at)
			over_at = now;
	}
	while (ends.newer != &ends)
		client_close(ends.newer, 0);
}

static void raise_limit(void)
{
	struct rlimit limit;
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	getrlimit(RLIMIT_NOFILE, &limit);
	n_clients_max = limit.rlim_cur - DESCRIPTORS_SPARE;
}

int main(int argc, char *argv[])
{
	int r = argc > 1 ? fdsup_listen(&channel, argv[1], 0600) : fdsup_open(&channel);
	if (r < 0) {
		fprintf(stderr, "%s: %s: %s\n", argv[0], argc > 1 ? argv[1] : "descriptor 3",
			strerror(-r));
		fprintf(stderr, "usage: %s [SOCKET]; without SOCKET it is to be started by fdsup\n",
			argv[0]);
		return 1;
	}
	raise_limit();
	fdsup_stop_on(channel, SIGTERM);
	loop_fd = epoll_create1(EPOLL_CLOEXEC);
	now = monotonic();
	take_from_now_on(true);
	fdsup_notify("READY=1");
	serve();
	fdsup_close(channel);
	return 0;
}
