/* The acceptor by hand, against workers of the classic kind that this test plays. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/fd.h"
#include "support/acceptor_rig.h"
#include "wire/descriptor.h"

static pid_t pid;
static int log_fd = -1;
static char log_text[65536];
static size_t log_length;
static char socket_name[64];

static void start(char *arguments[])
{
	char program[4096];
	const char *folder = getenv("FDSUP_BIN");
	int log[2];
	snprintf(program, sizeof program, "%s/fdsup-acceptor", folder ? folder : ".");
	arguments[0] = program;
	cr_assert_eq(pipe2(log, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(log[1], STDOUT_FILENO);
		dup2(log[1], STDERR_FILENO);
		execv(program, arguments);
		_exit(127);
	}
	close(log[1]);
	log_fd = log[0];
	log_length = 0;
}

#define start_with(...) start((char *[]){ NULL, __VA_ARGS__, NULL })

/* Reads until the text is there; NULL: until the end. Returns the text. */
static const char *wait_log(const char *text)
{
	const char *found, *awaited = text ? text : "its end";
	for (;;) {
		log_text[log_length] = 0;
		found = text ? strstr(log_text, text) : NULL;
		if (found && strchr(found, '\n'))
			return found;
		struct pollfd polled = { .fd = log_fd, .events = POLLIN };
		cr_assert_eq(
			poll(&polled, 1, RIG_PATIENCE_MS), 1, "no \"%s\" in:\n%s", awaited, log_text);
		ssize_t n = read(log_fd, log_text + log_length, sizeof log_text - 1 - log_length);
		cr_assert(n > 0 || !text, "the log ended without \"%s\":\n%s", awaited, log_text);
		if (n <= 0)
			return log_text;
		log_length += (size_t)n;
	}
}

static int wait_end(void)
{
	int status;
	wait_log(NULL);
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	fd_close(&log_fd);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static uint16_t listening_port(void)
{
	const char *end = strchr(wait_log("listening on "), '\n');
	while (end[-1] != ':')
		end--;
	return (uint16_t)atoi(end);
}

/* A worker's socket in the abstract namespace: gone when it is closed. */
static int listen_as_worker(void)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	memcpy(name.sun_path + 1, socket_name + 1, strlen(socket_name) - 1);
	socklen_t length = (socklen_t)(sizeof(sa_family_t) + strlen(socket_name));
	cr_assert_eq(bind(fd, (struct sockaddr *)&name, length), 0, "%s", strerror(errno));
	cr_assert_eq(listen(fd, 8), 0);
	return fd;
}

static int accept_acceptor(int worker)
{
	struct pollfd polled = { .fd = worker, .events = POLLIN };
	cr_assert_eq(poll(&polled, 1, RIG_PATIENCE_MS), 1);
	return accept4(worker, NULL, NULL, SOCK_CLOEXEC);
}

static int take(int channel)
{
	char bytes[2] = { 1, 1 };
	int connection = -1;
	struct descriptor_message message = {
		.bytes = bytes,
		.size = 1,
		.fds = &connection,
		.max_fds = 1,
	};
	struct pollfd polled = { .fd = channel, .events = POLLIN };
	cr_assert_eq(poll(&polled, 1, RIG_PATIENCE_MS), 1);
	cr_assert_eq(descriptor_receive(channel, &message), 1);
	cr_assert_eq(message.length, 1);
	cr_assert_eq(bytes[0], 0);
	cr_assert_eq(message.n_fds, 1);
	return connection;
}

static void setup(void)
{
	signal(SIGPIPE, SIG_IGN);
	snprintf(socket_name, sizeof socket_name, "@fdsup-test-%d", getpid());
}

TestSuite(acceptor_byhand, .init = setup, .timeout = 60);

static void stop(int signal_number)
{
	kill(pid, signal_number);
	cr_expect_eq(wait_end(), 0);
}

Test(acceptor_byhand, passes_one_zero_byte_and_the_connection)
{
	char text[6] = "";
	int worker = listen_as_worker();
	start_with("127.0.0.1", "0", socket_name);
	uint16_t port = listening_port();
	int channel = accept_acceptor(worker);
	for (int i = 0; i < 3; i++) {
		int client = rig_connect(port, NULL);
		int connection = take(channel);
		cr_expect_eq(fcntl(connection, F_GETFL) & O_NONBLOCK, 0);
		cr_assert_eq(write(client, "hello", 5), 5);
		cr_expect_eq(read(connection, text, 5), 5);
		cr_expect_str_eq(text, "hello");
		close(connection);
		cr_expect_eq(rig_client_end(client), 0, "the acceptor has kept a copy");
		close(client);
	}
	stop(SIGTERM);
	close(channel);
	close(worker);
}

Test(acceptor_byhand, may_start_before_its_worker)
{
	start_with("127.0.0.1", "0", socket_name);
	uint16_t port = listening_port();
	wait_log("no worker on @fdsup-test");
	int client = rig_connect(port, NULL);
	int worker = listen_as_worker();
	int channel = accept_acceptor(worker);
	close(take(channel));
	cr_expect_eq(rig_client_end(client), 0);
	stop(SIGINT);
	close(client);
	close(channel);
	close(worker);
}

Test(acceptor_byhand, survives_its_worker_and_loses_nobody_while_it_is_away)
{
	enum { N = 5 };
	int clients[N];
	int worker = listen_as_worker();
	start_with("127.0.0.1", "0", socket_name);
	uint16_t port = listening_port();
	int channel = accept_acceptor(worker);
	close(channel);
	close(worker);
	wait_log("is gone");
	for (int i = 0; i < N; i++)
		clients[i] = rig_connect(port, NULL);
	worker = listen_as_worker();
	channel = accept_acceptor(worker);
	for (int i = 0; i < N; i++) {
		close(take(channel));
		cr_expect_eq(rig_client_end(clients[i]), 0);
		close(clients[i]);
	}
	stop(SIGTERM);
	close(channel);
	close(worker);
}

static int n_bytes_inside(int channel)
{
	int n;
	cr_assert_eq(ioctl(channel, FIONREAD, &n), 0);
	return n;
}

/* Waits until the acceptor has filled the socket, and stops it there. */
static int fill_and_stop(int channel)
{
	int status;
	for (int n = -1, n_same = 0; n_same < 20; usleep(5000)) {
		int now = n_bytes_inside(channel);
		n_same = now == n && now > 0 ? n_same + 1 : 0;
		n = now;
	}
	kill(pid, SIGSTOP);
	cr_assert_eq(waitpid(pid, &status, WUNTRACED), pid);
	return n_bytes_inside(channel);
}

Test(acceptor_byhand, loses_only_what_a_dead_worker_had_not_read)
{
	enum { N = 400 };
	static int clients[N];
	struct sockaddr_in last, peer;
	socklen_t length = sizeof last;
	int worker = listen_as_worker();
	start_with("127.0.0.1", "0", socket_name);
	uint16_t port = listening_port();
	int channel = accept_acceptor(worker);
	for (int i = 0; i < N; i++)
		clients[i] = rig_connect(port, NULL);
	cr_assert_eq(getsockname(clients[N - 1], (struct sockaddr *)&last, &length), 0);
	int n_inside = fill_and_stop(channel);
	close(channel);
	kill(pid, SIGCONT);
	channel = accept_acceptor(worker);
	int n_taken = 0;
	do {
		int connection = take(channel);
		n_taken++;
		length = sizeof peer;
		cr_assert_eq(getpeername(connection, (struct sockaddr *)&peer, &length), 0);
		close(connection);
	} while (peer.sin_port != last.sin_port);
	cr_expect_eq(n_taken, N - n_inside, "%d taken, %d were inside", n_taken, n_inside);
	stop(SIGTERM);
	for (int i = 0; i < N; i++)
		close(clients[i]);
	close(channel);
	close(worker);
}

Test(acceptor_byhand, takes_an_ipv6_address_for_itself)
{
	int worker = listen_as_worker();
	start_with("::1", "0", socket_name);
	cr_expect(strstr(wait_log("listening on"), "[::1]:"));
	stop(SIGTERM);
	close(worker);
}

Test(acceptor_byhand, serves_both_families_on_every_address)
{
	int worker = listen_as_worker();
	start_with("*", "0", socket_name);
	uint16_t port = listening_port();
	int channel = accept_acceptor(worker);
	int client = rig_connect(port, NULL);
	close(take(channel));
	close(client);
	stop(SIGTERM);
	close(channel);
	close(worker);
}

Test(acceptor_byhand, says_who_is_in_the_way)
{
	char port[16];
	start_with("127.0.0.1", "0", socket_name);
	snprintf(port, sizeof port, "%u", listening_port());
	pid_t first = pid;
	int first_log = log_fd;
	start_with("127.0.0.1", port, socket_name);
	cr_expect_eq(wait_end(), EX_UNAVAILABLE);
	cr_expect(strstr(log_text, "address 127.0.0.1"), "%s", log_text);
	cr_expect(strstr(log_text, port), "%s", log_text);
	cr_expect(strstr(log_text, "EADDRINUSE"), "%s", log_text);
	cr_expect(strstr(log_text, "ss -ltnp"), "%s", log_text);
	pid = first;
	log_fd = first_log;
	stop(SIGTERM);
}

Test(acceptor_byhand, refuses_what_it_cannot_use)
{
	static const struct {
		char *address, *port, *socket, *text;
		int status;
	} cases[] = {
		{ "127.0.0.1", "65616", "@x", "port \"65616\"", EX_UNAVAILABLE },
		{ "127.0.0.1", "0", "", "no name", EX_USAGE },
		{ "192.0.2.200", "0", "@x", "EADDRNOTAVAIL", EX_UNAVAILABLE },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		start_with(cases[i].address, cases[i].port, cases[i].socket);
		cr_expect_eq(wait_end(), cases[i].status, "%s", log_text);
		cr_expect(strstr(log_text, cases[i].text), "%s", log_text);
	}
	char long_name[200];
	memset(long_name, 'x', sizeof long_name);
	long_name[199] = 0;
	start_with("127.0.0.1", "0", long_name);
	cr_expect_eq(wait_end(), EX_USAGE);
	cr_expect(strstr(log_text, "at most 107"), "%s", log_text);
}

Test(acceptor_byhand, helps)
{
	start_with("--help");
	cr_expect_eq(wait_end(), 0);
	cr_expect(strstr(log_text, "ADDRESS PORT SOCKET"));
	start_with("--version");
	cr_expect_eq(wait_end(), 0);
	cr_expect(strstr(log_text, "fdsup-acceptor "));
	start_with("80");
	cr_expect_eq(wait_end(), EX_USAGE);
	cr_expect(strstr(log_text, "usage:"));
}
