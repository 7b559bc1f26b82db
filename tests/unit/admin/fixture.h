/*
 * An admin server in the test's own process, on an abstract socket that the kernel names, with four
 * verbs: Echo answers at once, Later when the test says so, Stream as long as it is asked to, and
 * Change needs control. The test turns the loop.
 */
#ifndef TESTS_UNIT_ADMIN_FIXTURE_H
#define TESTS_UNIT_ADMIN_FIXTURE_H

#include <criterion/criterion.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "admin/description.h"
#include "admin/server.h"
#include "base/clock.h"
#include "base/log.h"

static struct ev_loop *loop;
static struct admin_server *server;
static struct sockaddr_un server_address;
static socklen_t server_address_size;
static enum admin_role role = ADMIN_ROLE_CONTROL;
static enum admin_role role_of_extra_group = ADMIN_ROLE_NONE;
static gid_t extra_group = (gid_t)-1;
static struct admin_call *later[16];
static size_t n_later;
static unsigned n_changes;
static char logged[4096];
static unsigned n_logged;

static enum admin_role role_of(void *context, const struct ucred *peer)
{
	(void)context;
	return peer->gid == extra_group ? role_of_extra_group : role;
}

static void echo(void *context, struct admin_call *call, const json_t *parameters)
{
	(void)context;
	admin_reply(call, json_deep_copy(parameters));
}

static void answer_later(void *context, struct admin_call *call, const json_t *parameters)
{
	(void)context, (void)parameters;
	cr_assert(n_later < 16);
	later[n_later++] = call;
}

static void stream(void *context, struct admin_call *call, const json_t *parameters)
{
	(void)context;
	json_int_t n = json_integer_value(json_object_get(parameters, "n"));
	for (json_int_t i = 0; i < n && admin_call_wants_more(call); i++)
		if (!admin_reply_more(call, json_pack("{s:I}", "i", i)))
			break;
	admin_reply(call, NULL);
}

static void change(void *context, struct admin_call *call, const json_t *parameters)
{
	(void)context, (void)parameters;
	n_changes++;
	admin_reply(call, NULL);
}

static const struct admin_verb verbs[] = {
	{ "Echo", ADMIN_ROLE_STATUS, echo },
	{ "Later", ADMIN_ROLE_STATUS, answer_later },
	{ "Stream", ADMIN_ROLE_STATUS, stream },
	{ "Change", ADMIN_ROLE_CONTROL, change },
};

static struct admin_interface interface = {
	.name = "org.fdsup",
	.verbs = verbs,
	.n_verbs = sizeof verbs / sizeof *verbs,
	.vendor = "fdsup",
	.product = "fdsup",
	.version = "1.2",
	.url = "https://example.org",
	.role_of = role_of,
};

static void keep_log(int level, const char *line, size_t length)
{
	(void)level;
	snprintf(logged, sizeof logged, "%.*s", (int)length, line);
	n_logged++;
}

static void start_server(void)
{
	log_set_sink(keep_log);
	interface.description = description_fdsup;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	server_address.sun_family = AF_UNIX;
	cr_assert(bind(fd, (struct sockaddr *)&server_address, sizeof(sa_family_t)) == 0);
	server_address_size = sizeof server_address;
	cr_assert(getsockname(fd, (struct sockaddr *)&server_address, &server_address_size) == 0);
	cr_assert(listen(fd, 128) == 0);
	loop = ev_loop_new(EVFLAG_NOENV);
	server = admin_server_create(loop, fd, &interface);
	cr_assert(server);
}

static void stop_server(void)
{
	admin_server_destroy(server);
	ev_loop_destroy(loop);
}

static inline int connect_client(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int r = connect(fd, (struct sockaddr *)&server_address, server_address_size);
	cr_assert(r == 0, "%s", strerror(errno));
	return fd;
}

/* Everything that is ready, and what follows from it. */
static inline void turn(void)
{
	for (int i = 0; i < 8; i++)
		ev_run(loop, EVRUN_NOWAIT);
}

static inline void send_bytes(int fd, const char *bytes, size_t length)
{
	ssize_t n = send(fd, bytes, length, MSG_NOSIGNAL);
	cr_assert(n == (ssize_t)length, "%s", strerror(errno));
}

/* A literal with the NUL that ends a request. */
#define send_request(fd, text) send_bytes(fd, text, sizeof(text))

/* Waits for the next message: its length; 0 at the end of the connection. */
static inline size_t receive(int fd, char *text, size_t size)
{
	size_t used = 0;
	uint64_t give_up_ms = clock_now_ms() + 20000;
	while (used < size) {
		ssize_t n = recv(fd, text + used, 1, MSG_DONTWAIT);
		if (n > 0 && !text[used++])
			return used - 1;
		if (n == 0 || (n < 0 && errno != EAGAIN))
			break;
		if (n < 0) {
			cr_assert(clock_now_ms() < give_up_ms, "no answer in 20 s");
			ev_run(loop, EVRUN_NOWAIT);
			poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, 1);
		}
	}
	text[used < size ? used : size - 1] = 0;
	return 0;
}

/* The next message, parsed; NULL at the end of the connection. */
static inline json_t *receive_json(int fd)
{
	static char text[1 << 20];
	size_t length = receive(fd, text, sizeof text);
	return length ? json_loadb(text, length, 0, NULL) : NULL;
}

static inline void expect(int fd, const char *text)
{
	json_t *found = receive_json(fd);
	json_t *wanted = json_loads(text, 0, NULL);
	char *shown = json_dumps(found, JSON_COMPACT);
	cr_assert(wanted);
	cr_expect(
		json_equal(found, wanted), "got %s instead of %s", shown ? shown : "the end", text);
	free(shown);
	json_decref(found);
	json_decref(wanted);
}

static inline void expect_end(int fd)
{
	char text[256];
	cr_expect(receive(fd, text, sizeof text) == 0 && !*text, "got %s instead of the end", text);
}

/* The server still serves others. */
static inline void expect_alive(void)
{
	int fd = connect_client();
	send_request(fd, "{\"method\":\"org.fdsup.Echo\",\"parameters\":{\"a\":1}}");
	expect(fd, "{\"parameters\":{\"a\":1}}");
	close(fd);
}

#endif
