#include "support/acceptor_rig.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "wire/descriptor.h"
#include "wire/estate.h"

static void wait_readable(int fd, const char *what)
{
	struct pollfd polled = { .fd = fd, .events = POLLIN };
	cr_assert_eq(poll(&polled, 1, RIG_PATIENCE_MS), 1, "no %s in time", what);
}

static _Noreturn void run_acceptor(int control, int scoreboard, int log)
{
	char program[4096], control_text[16], scoreboard_text[16];
	const char *folder = getenv("FDSUP_BIN");
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	snprintf(program, sizeof program, "%s/fdsup-acceptor", folder ? folder : ".");
	snprintf(control_text, sizeof control_text, "%d", control);
	snprintf(scoreboard_text, sizeof scoreboard_text, "%d", scoreboard);
	fcntl(control, F_SETFD, 0);
	fcntl(scoreboard, F_SETFD, 0);
	dup2(log, STDERR_FILENO);
	execl(program, program, "--control", control_text, "--scoreboard", scoreboard_text,
		(char *)NULL);
	_exit(127);
}

/* What it says unasked is kept. */
static bool is_news(struct rig *rig, const union control_message *message)
{
	if (message->kind == CONTROL_TOLL) {
		rig->toll = message->toll;
	} else if (message->kind == CONTROL_COMMAND_DIED) {
		rig->command = message->command;
		rig->n_commands += message->command.pid != 0;
		rig->n_commands_untold += message->command.n_untold;
	} else if (message->kind == CONTROL_UNGUARDED) {
		rig->is_unguarded = true;
	} else {
		return false;
	}
	return true;
}

static void receive_number(struct rig *rig, enum control_kind kind, uint32_t number)
{
	union control_message answer;
	do {
		struct descriptor_message message = { .bytes = &answer, .size = sizeof answer };
		wait_readable(rig->control, "answer");
		cr_assert_eq(descriptor_receive(rig->control, &message), 1);
		cr_assert_eq(message.length, control_size(answer.kind));
	} while (is_news(rig, &answer));
	cr_assert_eq(answer.kind, kind);
	cr_assert_eq(answer.number.number, number);
}

static void receive_ready(struct rig *rig)
{
	struct descriptor_message message = { .bytes = &rig->ready, .size = sizeof rig->ready };
	wait_readable(rig->control, "first message");
	cr_assert_eq(descriptor_receive(rig->control, &message), 1);
	cr_assert_eq(message.length, sizeof rig->ready);
	cr_assert_eq(rig->ready.kind, CONTROL_READY);
	cr_assert_eq(rig->ready.version, CONTROL_VERSION);
}

void rig_spawn(struct rig *rig)
{
	int control[2], log[2];
	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, control), 0);
	cr_assert_eq(pipe2(log, O_CLOEXEC), 0);
	rig->pid = fork();
	cr_assert_geq(rig->pid, 0);
	if (rig->pid == 0)
		run_acceptor(control[1], rig->scoreboard_fd, log[1]);
	close(control[1]);
	close(log[1]);
	rig->control = control[0];
	rig->log_fd = log[0];
	rig->log_length = rig->log_seen = 0;
	fcntl(log[0], F_SETFL, O_NONBLOCK);
	receive_ready(rig);
}

static void give_estate(struct rig *rig, enum control_kind kind, int fd)
{
	const struct control_number message = { .kind = kind };
	rig_send(rig, &message, sizeof message, fd);
}

void rig_start(struct rig *rig)
{
	memset(rig, 0, sizeof *rig);
	signal(SIGPIPE, SIG_IGN);
	for (int i = 0; i < RIG_SERVICES; i++)
		rig->services[i] = (struct rig_service){
			.queue = { -1, -1 }, .slots_fd = -1, .listener = -1,
		};
	cr_assert_eq(scoreboard_create(&rig->scoreboard_fd, &rig->board), 0);
	cr_assert_eq(estate_open(rig->estate), 0);
	rig_spawn(rig);
	give_estate(rig, CONTROL_ESTATE_OUT, rig->estate[0]);
	give_estate(rig, CONTROL_ESTATE_IN, rig->estate[1]);
}

void rig_send(struct rig *rig, const void *message, size_t length, int fd)
{
	rig_send_with(rig, message, length, &fd, fd >= 0);
}

void rig_send_with(struct rig *rig, const void *message, size_t length, const int fds[], size_t n_fds)
{
	int r;
	for (int ms = 0; ms < RIG_PATIENCE_MS; ms++) {
		r = descriptor_send(rig->control, message, length, fds, n_fds);
		if (r != -EAGAIN)
			break;
		usleep(1000);
	}
	cr_assert_eq(r, 0, "control channel: %s", strerror(-r));
}

static void announce(struct rig *rig, uint32_t row)
{
	struct rig_service *service = &rig->services[row];
	struct control_listener listener = {
		.kind = CONTROL_LISTENER,
		.service = row,
		.listener = row + 1000,
	};
	struct control_service settings = service->settings;
	settings.has_queue = 1;
	rig_send_with(rig, &settings, sizeof settings, (int[]){ service->queue[0], service->slots_fd },
		1 + (service->slots_fd >= 0));
	rig_send(rig, &listener, sizeof listener, service->listener);
}

void rig_kill(struct rig *rig)
{
	kill(rig->pid, SIGKILL);
	cr_assert_eq(rig_wait_end(rig), 1000 + SIGKILL);
}

void rig_introduce(struct rig *rig)
{
	give_estate(rig, CONTROL_ESTATE_OUT, rig->estate[0]);
	for (uint32_t row = 0; row < RIG_SERVICES; row++)
		if (rig->services[row].listener >= 0)
			announce(rig, row);
	give_estate(rig, CONTROL_ESTATE_IN, rig->estate[1]);
}

void rig_start_again(struct rig *rig)
{
	rig_spawn(rig);
	rig_introduce(rig);
	rig_sync(rig);
}

void rig_wait_unguarded(struct rig *rig)
{
	while (!rig->is_unguarded) {
		union control_message news;
		struct descriptor_message message = { .bytes = &news, .size = sizeof news };
		wait_readable(rig->control, "message");
		cr_assert_eq(descriptor_receive(rig->control, &message), 1);
		cr_assert(is_news(rig, &news));
	}
}

void rig_replace(struct rig *rig)
{
	rig_kill(rig);
	rig_start_again(rig);
}

pid_t rig_guard(struct rig *rig)
{
	char path[64], text[64] = "";
	snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)rig->pid, (int)rig->pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	cr_assert_geq(fd, 0);
	cr_assert_gt(read(fd, text, sizeof text - 1), 0, "it has no guard");
	close(fd);
	return (pid_t)atoi(text);
}

int rig_wait_end(struct rig *rig)
{
	int status;
	/* Its log ends with it. */
	rig_read_log(rig);
	cr_assert_eq(waitpid(rig->pid, &status, 0), rig->pid);
	fd_close(&rig->control);
	fd_close(&rig->log_fd);
	rig->pid = 0;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static void close_services(struct rig *rig)
{
	for (int i = 0; i < RIG_SERVICES; i++) {
		fd_close(&rig->services[i].queue[0]);
		fd_close(&rig->services[i].queue[1]);
		fd_close(&rig->services[i].listener);
		fd_close(&rig->services[i].slots_fd);
		slots_unmap(&rig->services[i].slots);
	}
	fd_close(&rig->estate[0]);
	fd_close(&rig->estate[1]);
	scoreboard_unmap(rig->board);
	fd_close(&rig->scoreboard_fd);
}

void rig_stop(struct rig *rig)
{
	if (rig->pid) {
		shutdown(rig->control, SHUT_RDWR);
		int status = rig_wait_end(rig);
		cr_assert_eq(status, 0, "exit status %d, log:\n%s", status, rig->log);
	}
	close_services(rig);
}

struct control_service rig_settings(uint32_t row)
{
	return (struct control_service){
		.kind = CONTROL_SERVICE,
		.service = row,
		.name = "test",
		.overflow_wait_ms = 10000,
		.log_events = 7,
		.queue_depth = 64,
	};
}

int rig_listen(const char *address, uint16_t *ret_port)
{
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
	struct sockaddr_in in = { .sin_family = AF_INET };
	bool is_ipv6 = strchr(address, ':');
	struct sockaddr *name = is_ipv6 ? (struct sockaddr *)&in6 : (struct sockaddr *)&in;
	socklen_t length = is_ipv6 ? sizeof in6 : sizeof in;
	inet_pton(
		name->sa_family, address, is_ipv6 ? (void *)&in6.sin6_addr : (void *)&in.sin_addr);
	int fd = socket(name->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	cr_assert_eq(bind(fd, name, length), 0);
	cr_assert_eq(listen(fd, 4096), 0);
	cr_assert_eq(getsockname(fd, name, &length), 0);
	*ret_port = ntohs(is_ipv6 ? in6.sin6_port : in.sin_port);
	return fd;
}

uint16_t rig_serve_on(struct rig *rig, const struct control_service *settings, const char *address)
{
	struct rig_service *service = &rig->services[settings->service];
	service->settings = *settings;
	service->listener = rig_listen(address, &service->port);
	cr_assert_eq(handoff_queue_open(settings->queue_depth, service->queue), 0);
	if (settings->has_slots) {
		service->slots_fd = slots_create(settings->queue_depth);
		cr_assert_geq(service->slots_fd, 0);
		cr_assert_eq(slots_map(service->slots_fd, &service->slots), 0);
	}
	announce(rig, settings->service);
	rig_sync(rig);
	return service->port;
}

uint16_t rig_serve(struct rig *rig, const struct control_service *settings)
{
	return rig_serve_on(rig, settings, "127.0.0.1");
}

void rig_change(struct rig *rig, const struct control_service *settings)
{
	rig->services[settings->service].settings = *settings;
	rig_send(rig, settings, sizeof *settings, -1);
	rig_sync(rig);
}

void rig_send_number(struct rig *rig, enum control_kind kind, uint32_t number)
{
	struct control_number message = { .kind = kind, .number = number };
	rig_send(rig, &message, sizeof message, -1);
}

void rig_send_process(struct rig *rig, enum control_kind kind, uint32_t row, pid_t pid, int status)
{
	struct control_process message = {
		.kind = kind,
		.service = row,
		.pid = pid,
		.status = status,
		.cpu_us = 4000,
	};
	rig_send(rig, &message, sizeof message, -1);
}

void rig_sync(struct rig *rig)
{
	rig_send_number(rig, CONTROL_SYNC, ++rig->n_syncs);
	receive_number(rig, CONTROL_SYNCED, rig->n_syncs);
}

int rig_connect(uint16_t port, const char *source)
{
	struct sockaddr_in name = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert_geq(fd, 0);
	if (source) {
		inet_pton(AF_INET, source, &name.sin_addr);
		cr_assert_eq(bind(fd, (struct sockaddr *)&name, sizeof name), 0);
	}
	name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	name.sin_port = htons(port);
	cr_assert_eq(connect(fd, (struct sockaddr *)&name, sizeof name), 0, "%s", strerror(errno));
	return fd;
}

int rig_take(struct rig *rig, uint32_t row, struct handoff *ret_record)
{
	int connection;
	int queue = rig->services[row].queue[1];
	wait_readable(queue, "connection in the queue");
	cr_assert_eq(handoff_receive(queue, ret_record, &connection), 1);
	return connection;
}

bool rig_queue_is_empty(struct rig *rig, uint32_t row)
{
	return handoff_queue_depth(rig->services[row].queue[1]) == 0;
}

void rig_report(struct rig *rig, uint32_t row, const struct handoff *record, enum report_kind kind,
	pid_t pid, int status)
{
	struct report report = {
		.kind = (uint8_t)kind,
		.version = REPORT_VERSION,
		.length = sizeof report,
		.pid = pid,
		.connection = record->connection,
		.accepted_ns = record->accepted_ns,
		.duration_us = kind == REPORT_ENDED ? 120000 : 0,
		.cpu_us = kind == REPORT_ENDED ? 3000 : 0,
		.status = status,
		.peer = record->peer,
		.local = record->local,
	};
	struct pollfd polled = { .fd = rig->services[row].queue[1], .events = POLLOUT };
	int r = report_send(polled.fd, &report, 1);
	while (r == -EAGAIN && poll(&polled, 1, RIG_PATIENCE_MS) == 1)
		r = report_send(polled.fd, &report, 1);
	cr_assert_eq(r, 0, "report: %s", strerror(-r));
}

/* Reads what is there. False at the end of the log. */
static bool read_some(struct rig *rig)
{
	ssize_t n;
	while ((n = read(rig->log_fd, rig->log + rig->log_length,
			sizeof rig->log - 1 - rig->log_length)) > 0)
		rig->log_length += (size_t)n;
	rig->log[rig->log_length] = 0;
	cr_assert_lt(rig->log_length, sizeof rig->log - 1);
	return n < 0;
}

void rig_read_log(struct rig *rig)
{
	while (read_some(rig))
		wait_readable(rig->log_fd, "end of the log");
}

const char *rig_wait_log(struct rig *rig, const char *text)
{
	static char line[4096];
	for (;;) {
		bool is_open = read_some(rig);
		char *found = strstr(rig->log + rig->log_seen, text);
		char *end = found ? strchr(found, '\n') : NULL;
		if (end) {
			while (found > rig->log && found[-1] != '\n')
				found--;
			snprintf(line, sizeof line, "%.*s", (int)(end - found), found);
			rig->log_seen = (size_t)(end + 1 - rig->log);
			return line;
		}
		cr_assert(is_open, "the log ended without \"%s\":\n%s", text, rig->log);
		struct pollfd polled = { .fd = rig->log_fd, .events = POLLIN };
		cr_assert_eq(poll(&polled, 1, RIG_PATIENCE_MS), 1, "no \"%s\" in the log:\n%s",
			text, rig->log + rig->log_seen);
	}
}

int rig_client_end(int client)
{
	char bytes[64];
	ssize_t n;
	do {
		wait_readable(client, "end of the connection");
		n = recv(client, bytes, sizeof bytes, 0);
	} while (n > 0);
	return n < 0 ? errno : 0;
}
