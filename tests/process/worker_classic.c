/* fdsup-worker by hand: the classic socket, its file, and acceptors that may send anything. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "support/worker_rig.h"
#include "wire/descriptor.h"

static struct worker_rig rig;
static const char *directory;
static char path[108];

static void prepare(void)
{
	directory = rig_directory();
	snprintf(path, sizeof path, "%s/worker", directory);
}

static void clean_up(void)
{
	rig_stop(&rig);
	rig_remove(directory);
}

TestSuite(worker_classic, .init = prepare, .fini = clean_up, .timeout = 60);

static struct sockaddr_un address_of(const char *name, socklen_t *ret_size)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	bool is_abstract = name[0] == '@';
	memcpy(address.sun_path, name, strlen(name));
	if (is_abstract)
		address.sun_path[0] = 0;
	*ret_size =
		(socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name) + !is_abstract);
	return address;
}

/* A connection to the worker's socket, as an acceptor makes it; -errno. */
static int try_connect(const char *name)
{
	socklen_t size;
	struct sockaddr_un address = address_of(name, &size);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (connect(fd, (const struct sockaddr *)&address, size) == 0)
		return fd;
	int error = -errno;
	fd_close(&fd);
	return error;
}

static int connect_to(const char *name)
{
	int acceptor = try_connect(name);
	cr_assert_geq(acceptor, 0);
	return acceptor;
}

/* Ready when it says so: it listens before that. */
static void start_words(const char *const words[])
{
	rig_start(&rig, false, words, 0);
	rig_expect_log(&rig, "waiting for acceptors");
}

static void start_shell(const char *script)
{
	const char *const words[] = { "--verbose", path, "sh", "-c", script, NULL };
	start_words(words);
}

/* One byte, one descriptor. Returns the client's end. */
static int send_classic(int acceptor)
{
	int ends[2];
	rig_connect(ends);
	cr_assert_eq(descriptor_send(acceptor, "", 1, &ends[1], 1), 0);
	fd_close(&ends[1]);
	return ends[0];
}

static void expect_served(int acceptor)
{
	int client = send_classic(acceptor);
	cr_assert_str_eq(rig_read_all(client), "served\n");
	fd_close(&client);
}

static void expect_closed(int acceptor)
{
	char byte;
	cr_assert(rig_is_readable(acceptor, RIG_TIMEOUT_MS));
	cr_assert_leq(recv(acceptor, &byte, 1, MSG_DONTWAIT), 0);
}

static void expect_refused(const char *const words[], int status, const char *log)
{
	rig_start(&rig, false, words, 0);
	int found = rig_wait(&rig);
	cr_assert(WIFEXITED(found));
	cr_assert_eq(WEXITSTATUS(found), status);
	rig_expect_log(&rig, log);
	rig_stop(&rig);
}

Test(worker_classic, serves_a_byte_with_a_descriptor)
{
	start_shell("read line; echo got $line; echo error >&2; echo $REMOTE_ADDR $FDSUP_SERVICE");
	int acceptor = connect_to(path);
	int client = send_classic(acceptor);
	cr_assert_eq(write(client, "it\n", 3), 3);
	cr_assert_str_eq(rig_read_all(client), "got it\nerror\n127.0.0.1\n");
	fd_close(&client);
	fd_close(&acceptor);
}

Test(worker_classic, several_acceptors_are_served_at_a_time)
{
	int acceptors[5];
	start_shell("echo served");
	for (size_t i = 0; i < 5; i++)
		acceptors[i] = connect_to(path);
	for (int round = 0; round < 3; round++)
		for (size_t i = 0; i < 5; i++)
			expect_served(acceptors[i]);
	fd_close(&acceptors[2]);
	expect_served(acceptors[4]);
	expect_served(acceptors[0]);
	for (size_t i = 0; i < 5; i++)
		fd_close(&acceptors[i]);
}

Test(worker_classic, more_acceptors_than_it_has_room_for_wait)
{
	enum { MANY = 70 };
	int acceptors[MANY];
	start_shell("echo served");
	for (size_t i = 0; i < MANY; i++)
		acceptors[i] = connect_to(path);
	int waiting = send_classic(acceptors[MANY - 1]);
	expect_served(acceptors[0]);
	for (size_t i = 0; i < MANY - 1; i++)
		fd_close(&acceptors[i]);
	cr_assert_str_eq(rig_read_all(waiting), "served\n");
	fd_close(&waiting);
	fd_close(&acceptors[MANY - 1]);
}

Test(worker_classic, a_bad_message_ends_only_its_acceptor)
{
	int many[DESCRIPTOR_MAX];
	char junk[300] = { 0 };
	start_shell("echo served");
	for (size_t i = 0; i < DESCRIPTOR_MAX; i++)
		many[i] = STDIN_FILENO;
	int good = connect_to(path);
	expect_served(good);
	size_t n_before = rig_count_descriptors(rig.pid);
	static const size_t counts[] = { 0, 2, 3, DESCRIPTOR_MAX };
	for (size_t i = 0; i < 4; i++) {
		int bad = connect_to(path);
		expect_served(bad);
		cr_assert_eq(descriptor_send(bad, junk, i ? 1 : sizeof junk, many, counts[i]), 0);
		expect_closed(bad);
		fd_close(&bad);
		expect_served(good);
	}
	cr_assert_eq(rig_count_descriptors(rig.pid), n_before);
	fd_close(&good);
}

Test(worker_classic, leaves_neither_zombies_nor_descriptors)
{
	char children[64];
	start_shell("ls /proc/self/fd | wc -l; echo served");
	int acceptor = connect_to(path);
	int client = send_classic(acceptor);
	/* ls has 0 to 2 and its own directory. */
	cr_assert_str_eq(rig_read_all(client), "4\nserved\n");
	fd_close(&client);
	size_t n_before = rig_count_descriptors(rig.pid);
	for (int i = 0; i < 20; i++) {
		client = send_classic(acceptor);
		rig_read_all(client);
		fd_close(&client);
	}
	cr_assert_eq(rig_count_descriptors(rig.pid), n_before);
	while (rig_count_log(&rig, ": ended") < 21)
		cr_assert(rig_is_readable(rig.log_fd, RIG_TIMEOUT_MS));
	snprintf(
		children, sizeof children, "/proc/%d/task/%d/children", (int)rig.pid, (int)rig.pid);
	/* It tells of an end before it reaps. */
	for (int looks = 0;; looks++) {
		int fd = open(children, O_RDONLY | O_CLOEXEC);
		bool is_empty = !*rig_read_all(fd);
		fd_close(&fd);
		if (is_empty)
			break;
		cr_assert_lt(looks, RIG_TIMEOUT_MS / 10, "zombies are left");
		usleep(10000);
	}
	fd_close(&acceptor);
}

Test(worker_classic, the_file_has_its_mode_and_goes_with_the_worker)
{
	struct stat about;
	start_shell("echo served");
	cr_assert_eq(stat(path, &about), 0);
	cr_assert_eq(about.st_mode & 07777, 0600);
	kill(rig.pid, SIGTERM);
	cr_assert_eq(rig_wait(&rig), 0);
	cr_assert_eq(stat(path, &about), -1);
	rig_stop(&rig);
	const char *const words[] = { "--verbose", "--mode", "0666", path, "cat", NULL };
	start_words(words);
	cr_assert_eq(stat(path, &about), 0);
	cr_assert_eq(about.st_mode & 07777, 0666);
}

Test(worker_classic, a_file_left_behind_is_replaced)
{
	start_shell("echo served");
	kill(rig.pid, SIGKILL);
	rig_wait(&rig);
	rig_stop(&rig);
	cr_assert_eq(try_connect(path), -ECONNREFUSED);
	start_shell("echo served");
	int acceptor = connect_to(path);
	expect_served(acceptor);
	fd_close(&acceptor);
}

Test(worker_classic, a_living_socket_is_not_taken_away)
{
	struct worker_rig first;
	const char *const words[] = { path, "cat", NULL };
	start_shell("echo served");
	first = rig;
	expect_refused(words, 1, "another program listens there");
	rig = first;
	int acceptor = connect_to(path);
	expect_served(acceptor);
	fd_close(&acceptor);
}

Test(worker_classic, anything_but_a_socket_is_left_alone)
{
	struct stat about;
	char target[200];
	const char *const words[] = { path, "cat", NULL };
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	fd_close(&fd);
	expect_refused(words, 1, "is no socket: remove it");
	cr_assert_eq(unlink(path), 0);
	snprintf(target, sizeof target, "%s/elsewhere", directory);
	cr_assert_eq(symlink(target, path), 0);
	expect_refused(words, 1, "is no socket: remove it");
	cr_assert_eq(lstat(path, &about), 0);
	cr_assert_eq(lstat(target, &about), -1, "a link is not followed");
}

Test(worker_classic, another_file_in_its_place_is_not_removed)
{
	struct stat about;
	start_shell("echo served");
	cr_assert_eq(unlink(path), 0);
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	fd_close(&fd);
	kill(rig.pid, SIGTERM);
	cr_assert_eq(rig_wait(&rig), 0);
	cr_assert_eq(stat(path, &about), 0);
}

Test(worker_classic, errors_at_the_start_say_what_to_do)
{
	char too_long[120];
	memset(too_long, 'x', sizeof too_long - 1);
	too_long[sizeof too_long - 1] = 0;
	expect_refused((const char *const[]){ too_long, "cat", NULL }, 1, "at most 107 bytes");
	expect_refused((const char *const[]){ "", "cat", NULL }, 1, "is empty");
	expect_refused((const char *const[]){ path, "no-such-command", NULL }, 1, "no command");
	expect_refused((const char *const[]){ path, directory, NULL }, 1, "cannot be executed");
	expect_refused(
		(const char *const[]){ "/nonesuch/s", "cat", NULL }, 1, "make its directory");
	expect_refused((const char *const[]){ path, NULL }, 64, "command");
	expect_refused((const char *const[]){ NULL }, 64, "--help");
}

Test(worker_classic, an_abstract_name_works)
{
	char name[64];
	snprintf(name, sizeof name, "@fdsup-test-%d", (int)getpid());
	const char *const words[] = { "--verbose", name, "sh", "-c", "echo served", NULL };
	start_words(words);
	int acceptor = connect_to(name);
	expect_served(acceptor);
	struct worker_rig first = rig;
	expect_refused(
		(const char *const[]){ name, "cat", NULL }, 1, "another program has this name");
	rig = first;
	fd_close(&acceptor);
}

/* As another user: whether the worker lets us send. 0: it does, 1: it closes, else: could not try.
 */
static int try_as(uid_t uid, const char *name)
{
	int status = -1;
	pid_t pid = fork();
	if (pid == 0) {
		struct pollfd polled = { .events = POLLIN };
		char byte;
		if (setresuid(uid, uid, uid) < 0)
			_exit(2);
		polled.fd = try_connect(name);
		if (polled.fd < 0 || write(polled.fd, "", 1) < 0)
			_exit(1);
		/* A byte without a descriptor ends an acceptor that is let in, after a log line. */
		_exit(poll(&polled, 1, RIG_TIMEOUT_MS) == 1 && read(polled.fd, &byte, 1) <= 0 ? 0
											      : 3);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	return WEXITSTATUS(status);
}

Test(worker_classic, a_name_without_permissions_is_guarded_by_credentials)
{
	char name[64];
	if (geteuid() != 0)
		cr_skip_test("needs root to be another user");
	snprintf(name, sizeof name, "@fdsup-test-%d", (int)getpid());
	const char *const words[] = { "--verbose", "--allow-uid", "12346", name, "sh", "-c",
		"echo served", NULL };
	start_words(words);
	cr_assert_leq(try_as(12345, name), 1);
	rig_expect_log(&rig, "of uid 12345 may not send");
	cr_assert_eq(try_as(12346, name), 0);
	rig_expect_log(&rig, "without exactly one descriptor");
	cr_assert_eq(rig_count_log(&rig, "may not send"), 1);
}

Test(worker_classic, a_drain_serves_what_was_sent_before)
{
	enum { MANY = 20 };
	int clients[MANY];
	start_shell("echo served; read line");
	int acceptor = connect_to(path);
	int client = send_classic(acceptor);
	cr_assert_str_eq(rig_read_line(client), "served\n");
	kill(rig.pid, SIGSTOP);
	for (size_t i = 0; i < MANY; i++)
		clients[i] = send_classic(acceptor);
	kill(rig.pid, SIGHUP);
	kill(rig.pid, SIGCONT);
	for (size_t i = 0; i < MANY; i++) {
		cr_assert_str_eq(rig_read_line(clients[i]), "served\n");
		fd_close(&clients[i]);
	}
	cr_assert_eq(descriptor_send(acceptor, "", 1, &client, 1), -EPIPE, "it keeps this one");
	cr_assert_eq(try_connect(path), -ENOENT);
	fd_close(&client);
	cr_assert_eq(rig_wait(&rig), 0);
	fd_close(&acceptor);
}
