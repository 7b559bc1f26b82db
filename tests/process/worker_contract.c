/* What a command finds when fdsup-worker starts it: compared byte for byte. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "support/worker_rig.h"

static struct worker_rig rig;

/* A small environment for the worker, so that all of it can be compared; nothing tidy otherwise. */
static void start(const char *const options[])
{
	const char *words[24];
	size_t n = 0;
	char *folder = strdup(getenv("FDSUP_BIN"));
	char *sanitizer = getenv("ASAN_OPTIONS");
	sanitizer = sanitizer ? strdup(sanitizer) : NULL;
	for (; options[n]; n++)
		words[n] = options[n];
	words[n++] = "--";
	words[n++] = rig_program("command_contract");
	words[n++] = "-name";
	words[n++] = "an argument";
	words[n++] = "";
	words[n] = NULL;
	clearenv();
	setenv("FDSUP_BIN", folder, 1);
	setenv("REMOTE_ADDR", "10.0.0.1", 1);
	setenv("TCPREMOTEHOST", "trusted.example", 1);
	if (sanitizer)
		setenv("ASAN_OPTIONS", sanitizer, 1);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGCHLD, SIG_IGN);
	signal(SIGUSR2, SIG_IGN);
	sigset_t some;
	sigemptyset(&some);
	sigaddset(&some, SIGUSR2);
	sigaddset(&some, SIGALRM);
	sigprocmask(SIG_BLOCK, &some, NULL);
	rig_start(&rig, true, words, 0);
	sigprocmask(SIG_UNBLOCK, &some, NULL);
	signal(SIGCHLD, SIG_DFL);
	free(folder);
	free(sanitizer);
}

static void stop(void)
{
	rig_stop(&rig);
}

TestSuite(worker_contract, .fini = stop, .timeout = 60);

static const char head_text[] = "fd 0 blocking\n"
				"fd 1 blocking\n"
				"fd 2 blocking\n"
				"output is the input\n";

static char expected[8192];

/* The part between the head and the environment of the connection. */
static void expect_common(const char *error, unsigned long long nofile)
{
	const char *sanitizer = getenv("ASAN_OPTIONS");
	snprintf(expected, sizeof expected,
		"%serror %s\nsession own\nnofile %llu\n"
		"argv -name\nargv an argument\nargv \nenv FDSUP_BIN=%s\n%s%s%s"
		"env FDSUP_SERVICE=test\n",
		head_text, error, nofile, getenv("FDSUP_BIN"), sanitizer ? "env ASAN_OPTIONS=" : "",
		sanitizer ? sanitizer : "", sanitizer ? "\n" : "");
}

static void expect_variable(const char *name, const char *value)
{
	size_t length = strlen(expected);
	snprintf(expected + length, sizeof expected - length, "env %s=%s\n", name, value);
}

static void expect_internet(
	const char *remote, unsigned remote_port, const char *local, unsigned local_port)
{
	char remote_text[8], local_text[8];
	snprintf(remote_text, sizeof remote_text, "%u", remote_port);
	snprintf(local_text, sizeof local_text, "%u", local_port);
	expect_variable("REMOTE_HOST", remote);
	expect_variable("REMOTE_ADDR", remote);
	expect_variable("REMOTE_PORT", remote_text);
	expect_variable("TCPREMOTEIP", remote);
	expect_variable("TCPREMOTEPORT", remote_text);
	expect_variable("LOCAL_ADDR", local);
	expect_variable("LOCAL_PORT", local_text);
	expect_variable("TCPLOCALIP", local);
	expect_variable("TCPLOCALPORT", local_text);
	expect_variable("PROTO", "TCP");
}

static unsigned long long soft_nofile(void)
{
	struct rlimit limit;
	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	return limit.rlim_cur;
}

Test(worker_contract, descriptors_session_signals_arguments_and_environment)
{
	int ends[2];
	start((const char *const[]){ NULL });
	struct handoff record = rig_connect(ends);
	cr_assert_eq(handoff_send(rig.acceptor_end, &record, ends[1]), 0);
	fd_close(&ends[1]);
	expect_common("is another", soft_nofile());
	expect_internet("127.0.0.1", record.peer.port, "127.0.0.1", record.local.port);
	cr_assert_str_eq(rig_read_all(ends[0]), expected);
	fd_close(&ends[0]);
}

Test(worker_contract, addresses_come_from_the_record)
{
	int ends[2];
	struct handoff record;
	start((const char *const[]){ NULL });
	rig_connect(ends);
	record = (struct handoff){ .version = HANDOFF_VERSION, .length = sizeof record };
	record.peer = (struct endpoint){ .family = AF_INET, .port = 1, .ip = { 192, 0, 2, 1 } };
	record.local = (struct endpoint){ .family = AF_INET, .port = 2, .ip = { 192, 0, 2, 9 } };
	cr_assert_eq(handoff_send(rig.acceptor_end, &record, ends[1]), 0);
	fd_close(&ends[1]);
	expect_common("is another", soft_nofile());
	expect_internet("192.0.2.1", 1, "192.0.2.9", 2);
	cr_assert_str_eq(rig_read_all(ends[0]), expected);
	fd_close(&ends[0]);
}

Test(worker_contract, a_classic_sender_is_completed_by_the_kernel)
{
	int ends[2];
	start((const char *const[]){ NULL });
	struct handoff record = rig_connect(ends);
	struct handoff empty = { 0 };
	cr_assert_eq(fd_set_nonblocking(ends[1]), 0); /* must not reach the command */
	cr_assert_eq(handoff_send(rig.acceptor_end, &empty, ends[1]), 0);
	fd_close(&ends[1]);
	expect_common("is another", soft_nofile());
	expect_internet("127.0.0.1", record.peer.port, "127.0.0.1", record.local.port);
	cr_assert_str_eq(rig_read_all(ends[0]), expected);
	fd_close(&ends[0]);
}

Test(worker_contract, a_unix_peer_has_credentials_for_an_address)
{
	int ends[2];
	char number[16];
	struct handoff empty = { 0 };
	start((const char *const[]){ NULL });
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	cr_assert_eq(handoff_send(rig.acceptor_end, &empty, ends[1]), 0);
	fd_close(&ends[1]);
	expect_common("is another", soft_nofile());
	expect_variable("PROTO", "UNIX");
	snprintf(number, sizeof number, "%u", (unsigned)getuid());
	expect_variable("FDSUP_PEER_UID", number);
	snprintf(number, sizeof number, "%d", (int)getpid());
	expect_variable("FDSUP_PEER_PID", number);
	cr_assert_str_eq(rig_read_all(ends[0]), expected);
	fd_close(&ends[0]);
}

Test(worker_contract, standard_error_can_be_the_connection)
{
	start((const char *const[]){ "--stderr", "connection", "--nofile", "100", NULL });
	int client = rig_send(&rig, 1);
	const char *found = rig_read_all(client);
	cr_assert_not_null(strstr(found, "\nerror is the input\n"));
	cr_assert_not_null(strstr(found, "\nnofile 100\n"));
	fd_close(&client);
}

Test(worker_contract, standard_error_can_be_nothing)
{
	const char *const words[] = { "--stderr", "null", "--", "/bin/sh", "sh", "-c",
		"readlink /proc/self/fd/2", NULL };
	rig_start(&rig, true, words, 0);
	int client = rig_send(&rig, 1);
	cr_assert_str_eq(rig_read_all(client), "/dev/null\n");
	fd_close(&client);
}

Test(worker_contract, standard_error_is_the_workers_by_default)
{
	const char *const words[] = { "--", "/bin/sh", "sh", "-c", "echo last words >&2", NULL };
	rig_start(&rig, true, words, 0);
	int client = rig_send(&rig, 1);
	cr_assert_str_eq(rig_read_all(client), "");
	rig_expect_log(&rig, "last words\n");
	fd_close(&client);
}
