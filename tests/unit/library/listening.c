/* The channel on a socket of its own: acceptors by hand, good ones and bad ones. */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "unit/library/fixture.h"

static char directory[] = "/tmp/fdsup-library-XXXXXX";
static char path[64];

static void make_directory(void)
{
	cr_assert_not_null(mkdtemp(directory));
	snprintf(path, sizeof path, "%s/socket", directory);
	n_before = count_descriptors();
}

/* Nothing may be left, the socket file included. */
static void remove_directory(void)
{
	fdsup_close(channel);
	cr_assert_eq(rmdir(directory), 0);
	cr_assert_eq(count_descriptors(), n_before);
}

TestSuite(library_listening, .init = make_directory, .fini = remove_directory);

static int connect_to(const char *name)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	size_t length = strlen(name);
	memcpy(address.sun_path, name, length);
	if (name[0] == '@')
		address.sun_path[0] = 0;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
	cr_assert_eq(connect(fd, (struct sockaddr *)&address, size), 0, "%s", strerror(errno));
	return fd;
}

/* Hands over a new connection; returns the client's end. */
static int send_from(int acceptor)
{
	int ends[2];
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	cr_assert_eq(fdsup_send_fd(acceptor, ends[1], "", 1), 0);
	close(ends[1]);
	return ends[0];
}

/* Takes the connection of this client, and ends both. */
static void expect_taken(int client)
{
	struct fdsup_connection got;
	char byte;
	int fd = fdsup_wait(channel, &got, PATIENCE_MS);
	cr_assert_geq(fd, 0, "%s", strerror(-fd));
	cr_assert_eq(write(fd, "x", 1), 1);
	wait_readable(client);
	cr_assert_eq(read(client, &byte, 1), 1);
	close(fd);
	close(client);
}

Test(library_listening, takes_from_several_acceptors)
{
	struct stat made;
	cr_assert_eq(fdsup_listen(&channel, path, 0640), 0);
	cr_assert_eq(stat(path, &made), 0);
	cr_assert_eq(made.st_mode & 0777, 0640);
	int one = connect_to(path);
	int two = connect_to(path);
	for (int i = 0; i < 20; i++)
		expect_taken(send_from(i % 2 ? one : two));
	close(one);
	expect_taken(send_from(two));
	close(two);
}

Test(library_listening, an_acceptor_that_sends_nonsense_is_dropped_alone)
{
	struct fdsup_connection got;
	cr_assert_eq(fdsup_listen(&channel, path, 0600), 0);
	int good = connect_to(path);
	int bad = connect_to(path);
	cr_assert_eq(write(bad, "GET / HTTP/1.1\r\n\r\n", 18), 18);
	cr_assert_eq(fdsup_wait(channel, &got, 0), -EAGAIN);
	expect_taken(send_from(good));
	wait_readable(bad);
	close(bad);
	close(good);
}

Test(library_listening, bounds_the_acceptors_and_lets_the_next_in_when_one_leaves)
{
	struct fdsup_connection got;
	int fds[65];
	cr_assert_eq(fdsup_listen(&channel, path, 0600), 0);
	for (int i = 0; i < 65; i++)
		fds[i] = connect_to(path);
	for (int i = 0; i < 100; i++)
		cr_assert_eq(fdsup_take(channel, &got), -EAGAIN);
	int client = send_from(fds[64]);
	cr_assert_eq(fdsup_take(channel, &got), -EAGAIN);
	cr_assert_not(is_readable(fdsup_fd(channel)));
	close(fds[0]);
	expect_taken(client);
	for (int i = 1; i < 65; i++)
		close(fds[i]);
}

Test(library_listening, what_was_sent_before_the_stop_is_still_taken)
{
	struct fdsup_connection got;
	cr_assert_eq(fdsup_listen(&channel, path, 0600), 0);
	int acceptor = connect_to(path);
	expect_taken(send_from(acceptor));
	int client = send_from(acceptor);
	fdsup_stop(channel);
	cr_assert_lt(access(path, F_OK), 0);
	cr_assert_eq(fdsup_send_fd(acceptor, 0, "", 1), -EPIPE);
	expect_taken(client);
	cr_assert_eq(fdsup_wait(channel, &got, -1), -EPIPE);
	close(acceptor);
}

Test(library_listening, replaces_what_a_dead_process_left)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int dead = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	strcpy(address.sun_path, path);
	cr_assert_eq(bind(dead, (struct sockaddr *)&address, sizeof address), 0);
	close(dead);
	cr_assert_eq(fdsup_listen(&channel, path, 0600), 0);
	int acceptor = connect_to(path);
	expect_taken(send_from(acceptor));
	close(acceptor);
}

Test(library_listening, touches_nothing_that_is_in_use)
{
	struct fdsup_channel *second = NULL;
	char other[80];
	cr_assert_eq(fdsup_listen(&channel, path, 0600), 0);
	cr_assert_eq(fdsup_listen(&second, path, 0600), -EADDRINUSE);
	snprintf(other, sizeof other, "%s/file", directory);
	close(open(other, O_CREAT | O_WRONLY, 0600));
	cr_assert_eq(fdsup_listen(&second, other, 0600), -EEXIST);
	cr_assert_eq(unlink(other), 0);
	cr_assert_null(second);
	int acceptor = connect_to(path);
	expect_taken(send_from(acceptor));
	close(acceptor);
}

Test(library_listening, refuses_names_that_are_none)
{
	struct fdsup_channel *none = NULL;
	char name[200] = "/";
	cr_assert_eq(fdsup_listen(&none, "", 0600), -EINVAL);
	cr_assert_eq(fdsup_listen(&none, "@", 0600), -EINVAL);
	cr_assert_eq(fdsup_listen(&none, "/nonexistent/socket", 0600), -ENOENT);
	memset(name + 1, 'x', 107);
	cr_assert_eq(fdsup_listen(&none, name, 0600), -ENAMETOOLONG);
	name[0] = '@';
	cr_assert_eq(fdsup_listen(&none, name, 0600), 0);
	fdsup_close(none);
}

Test(library_listening, a_child_leaves_the_file_to_its_parent)
{
	cr_assert_eq(fdsup_listen(&channel, path, 0600), 0);
	pid_t pid = fork();
	if (pid == 0) {
		fdsup_close(channel);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	int acceptor = connect_to(path);
	expect_taken(send_from(acceptor));
	close(acceptor);
}

Test(library_listening, an_abstract_name_is_for_root_and_the_own_user_only)
{
	struct fdsup_connection got;
	char name[64];
	if (geteuid() != 0)
		cr_skip_test("needs root to become somebody else");
	snprintf(name, sizeof name, "@fdsup-library-%d", (int)getpid());
	cr_assert_eq(fdsup_listen(&channel, name, 0600), 0);
	cr_assert_eq(seteuid(65534), 0);
	int stranger = connect_to(name);
	int client = send_from(stranger);
	cr_assert_eq(seteuid(0), 0);
	cr_assert_eq(fdsup_wait(channel, &got, 0), -EAGAIN);
	wait_readable(stranger);
	close(client);
	close(stranger);
	int acceptor = connect_to(name);
	expect_taken(send_from(acceptor));
	close(acceptor);
}

Test(library_listening, a_listener_from_elsewhere_and_one_acceptor_will_do)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct fdsup_connection got;
	int ends[2];
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	strcpy(address.sun_path, path);
	cr_assert_eq(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
	cr_assert_eq(listen(listener, 1), 0);
	cr_assert_eq(fdsup_open_fd(&channel, listener), 0);
	int acceptor = connect_to(path);
	expect_taken(send_from(acceptor));
	close(acceptor);
	fdsup_close(channel);
	/* Whoever made the file removes it. */
	cr_assert_eq(unlink(path), 0);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	cr_assert_eq(fdsup_open_fd(&channel, ends[1]), 0);
	expect_taken(send_from(ends[0]));
	close(ends[0]);
	cr_assert_eq(fdsup_take(channel, &got), -EPIPE);
}
