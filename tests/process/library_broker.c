/* The descriptor broker: a file that the asking program could not open, and nothing besides. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "support/example.h"
#include "wire/handoff.h"

static char directory[] = "/tmp/fdsup-broker-XXXXXX";
static int queue[2];
static int listener;
static pid_t broker;
static struct sockaddr_un name = { .sun_family = AF_UNIX };

static void write_file(const char *file, const char *text)
{
	char path[128];
	snprintf(path, sizeof path, "%s/%s", directory, file);
	int fd = open(path, O_CREAT | O_WRONLY, 0600);
	cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static void start_broker(void)
{
	char path[128];
	cr_assert_not_null(mkdtemp(directory));
	snprintf(path, sizeof path, "%s/private", directory);
	cr_assert_eq(mkdir(path, 0700), 0);
	write_file("private/report.txt", "for readers\n");
	write_file("secret.txt", "for nobody\n");
	const char *const words[] = { example_path("openfile"), path, NULL };
	cr_assert_eq(handoff_queue_open(4, queue), 0);
	broker = example_start(queue[1], -1, -1, words);
	snprintf(name.sun_path, sizeof name.sun_path, "%s/socket", directory);
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert_eq(bind(listener, (struct sockaddr *)&name, sizeof name), 0);
	cr_assert_eq(listen(listener, 4), 0);
}

static void stop_broker(void)
{
	char command[128];
	kill(broker, SIGTERM);
	cr_assert_eq(example_wait(broker), 0);
	snprintf(command, sizeof command, "rm -r %s", directory);
	cr_assert_eq(system(command), 0);
	close(queue[0]);
	close(queue[1]);
	close(listener);
}

TestSuite(library_broker, .init = start_broker, .fini = stop_broker, .timeout = 60);

/* Passes the next client on, as an acceptor does. */
static void accept_one(void)
{
	struct pollfd polled = { .fd = listener, .events = POLLIN };
	struct handoff record = { .version = HANDOFF_VERSION, .length = sizeof record };
	cr_assert_eq(poll(&polled, 1, EXAMPLE_PATIENCE_MS), 1);
	int connection = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	cr_assert_eq(handoff_send(queue[0], &record, connection), 0);
	close(connection);
}

/* What mycat writes, static; its exit status in *ret_status. */
static const char *mycat(const char *file, int *ret_status)
{
	static char text[256];
	int output[2];
	const char *const words[] = { example_path("mycat"), name.sun_path, file, NULL };
	cr_assert_eq(pipe2(output, O_CLOEXEC), 0);
	pid_t pid = example_start(-1, output[1], -1, words);
	close(output[1]);
	accept_one();
	*ret_status = example_wait(pid);
	ssize_t n = read(output[0], text, sizeof text - 1);
	text[n > 0 ? n : 0] = 0;
	close(output[0]);
	return text;
}

Test(library_broker, passes_the_file_that_was_asked_for)
{
	int status;
	cr_assert_str_eq(mycat("report.txt", &status), "for readers\n");
	cr_assert_eq(status, 0);
}

Test(library_broker, says_why_there_is_none_and_goes_on)
{
	static const char *const refused[] = { "missing.txt", "../secret.txt", "/etc/passwd", ".",
		"" };
	int status;
	for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
		cr_assert_str_eq(mycat(refused[i], &status), "", "\"%s\"", refused[i]);
		cr_assert_eq(status, 1, "\"%s\"", refused[i]);
	}
	mycat("report.txt", &status);
	cr_assert_eq(status, 0);
}
