/*
 * A daemon that is only an admin socket: it answers each method with what a file says, so that
 * fdsupctl can be tested with states that are hard to bring about.
 *
 *     admin_answers SOCKET FILE
 *
 * The file is one JSON object. A method's name leads to {"parameters": {...}} or {"error": "NAME",
 * "parameters": {...}}, or to "silence"; with "raw" there is no Varlink at all, only that text.
 * "role": "status" or "none" is the role of every client. "ready" on standard output tells that the
 * socket listens; the end of standard input ends the program.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "admin/description.h"
#include "admin/server.h"

static json_t *answers;
static struct admin_call *silenced[64];
static size_t n_silenced;

/* The verbs share one function: which method was called is known by the row it was called from. */
static void answer(struct admin_call *call, const char *method)
{
	json_t *given = json_object_get(answers, method);
	json_t *parameters = json_object_get(given, "parameters");
	const char *error = json_string_value(json_object_get(given, "error"));
	if (json_is_string(given) && n_silenced < sizeof silenced / sizeof *silenced)
		silenced[n_silenced++] = call;
	else if (error)
		admin_error(call, error, json_incref(parameters));
	else if (parameters)
		admin_reply(call, json_incref(parameters));
	else
		admin_error(call, "MethodNotImplemented", json_pack("{s:s}", "method", method));
}

#define METHOD(name)                                                                               \
	static void answer_##name(                                                                 \
		void *context, struct admin_call *call, const json_t *parameters)                  \
	{                                                                                          \
		(void)context, (void)parameters;                                                   \
		answer(call, #name);                                                               \
	}
METHOD(Status)
METHOD(Listeners)
METHOD(Workers)
METHOD(Start)
METHOD(Stop)
METHOD(Restart)
METHOD(Reload)

static const struct admin_verb verbs[] = {
	{ "Status", ADMIN_ROLE_STATUS, answer_Status },
	{ "Listeners", ADMIN_ROLE_STATUS, answer_Listeners },
	{ "Workers", ADMIN_ROLE_STATUS, answer_Workers },
	{ "Start", ADMIN_ROLE_CONTROL, answer_Start },
	{ "Stop", ADMIN_ROLE_CONTROL, answer_Stop },
	{ "Restart", ADMIN_ROLE_CONTROL, answer_Restart },
	{ "Reload", ADMIN_ROLE_CONTROL, answer_Reload },
};

static enum admin_role role_of(void *context, const struct ucred *peer)
{
	(void)context, (void)peer;
	const char *role = json_string_value(json_object_get(answers, "role"));
	if (role && !strcmp(role, "status"))
		return ADMIN_ROLE_STATUS;
	return role ? ADMIN_ROLE_NONE : ADMIN_ROLE_CONTROL;
}

static const struct admin_interface interface = {
	.name = "org.fdsup",
	.description = description_fdsup,
	.verbs = verbs,
	.n_verbs = sizeof verbs / sizeof *verbs,
	.vendor = "fdsup",
	.product = "admin_answers",
	.version = "9.8.7",
	.url = "",
	.role_of = role_of,
};

static void on_stdin(struct ev_loop *loop, ev_io *io, int events)
{
	(void)io, (void)events;
	char bytes[64];
	if (read(STDIN_FILENO, bytes, sizeof bytes) <= 0)
		ev_break(loop, EVBREAK_ALL);
}

static void on_raw_client(struct ev_loop *loop, ev_io *io, int events)
{
	(void)loop, (void)events;
	const char *text = json_string_value(json_object_get(answers, "raw"));
	int fd = accept4(io->fd, NULL, NULL, SOCK_CLOEXEC);
	char request[4096];
	if (fd < 0)
		return;
	/* Closing with the request unread would reset the connection, answer and all. */
	if (recv(fd, request, sizeof request, 0) > 0)
		send(fd, text, strlen(text) + 1, MSG_NOSIGNAL);
	close(fd);
}

static int listen_on(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0 || strlen(path) >= sizeof address.sun_path)
		return -1;
	strcpy(address.sun_path, path);
	return bind(fd, (struct sockaddr *)&address, sizeof address) || listen(fd, 16) ? -1 : fd;
}

int main(int argc, char *argv[])
{
	json_error_t error;
	answers = argc == 3 ? json_load_file(argv[2], 0, &error) : NULL;
	int fd = answers ? listen_on(argv[1]) : -1;
	if (fd < 0) {
		fprintf(stderr, "usage: admin_answers SOCKET FILE\n");
		return 2;
	}
	struct ev_loop *loop = ev_loop_new(EVFLAG_NOENV);
	struct admin_server *server = NULL;
	ev_io input, raw;
	ev_io_init(&input, on_stdin, STDIN_FILENO, EV_READ);
	ev_io_start(loop, &input);
	ev_io_init(&raw, on_raw_client, fd, EV_READ);
	if (json_object_get(answers, "raw"))
		ev_io_start(loop, &raw);
	else
		server = admin_server_create(loop, fd, &interface);
	puts("ready");
	fflush(stdout);
	ev_run(loop, 0);
	admin_server_destroy(server);
	while (n_silenced)
		admin_reply(silenced[--n_silenced], NULL);
	ev_loop_destroy(loop);
	json_decref(answers);
	return 0;
}
