/* Names of Unix sockets in a folder of their own, that must be empty at the end. */
#include "base/unix_name.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"

static char folder[64];
static char path[96];

static void enter_folder(void)
{
	strcpy(folder, "/tmp/fdsup-name-XXXXXX");
	cr_assert_not_null(mkdtemp(folder));
	snprintf(path, sizeof path, "%s/socket", folder);
}

static void leave_folder(void)
{
	cr_assert_eq(rmdir(folder), 0, "something is left: %s", strerror(errno));
}

TestSuite(unix_name, .init = enter_folder, .fini = leave_folder, .timeout = 60);

static const struct unix_access plain = { (uid_t)-1, (gid_t)-1, 0600 };

static int listen_on(const char *text, const struct unix_access *access, struct unix_file *ret_file)
{
	struct unix_name name;
	int r = unix_name_parse(text, &name);
	return r < 0 ? r : unix_name_listen(&name, access, 8, ret_file);
}

static struct stat status_of(const char *of)
{
	struct stat status;
	cr_assert_eq(lstat(of, &status), 0, "%s", strerror(errno));
	return status;
}

static int connect_to(const char *text)
{
	struct unix_name name;
	cr_assert_eq(unix_name_parse(text, &name), 0);
	fd_auto int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	return connect(fd, (struct sockaddr *)&name.address, name.size) < 0 ? -errno : 0;
}

Test(unix_name, has_a_longest_length)
{
	char text[UNIX_NAME_MAX + 2];
	struct unix_name name;
	memset(text, 'x', sizeof text);
	text[UNIX_NAME_MAX + 1] = 0;
	text[0] = '/';
	cr_expect_eq(unix_name_parse(text, &name), -ENAMETOOLONG);
	text[UNIX_NAME_MAX] = 0;
	cr_expect_eq(unix_name_parse(text, &name), 0);
	cr_expect_str_eq(name.address.sun_path, text);
	cr_expect_eq(name.size, sizeof name.address);
	text[0] = '@';
	cr_expect_eq(unix_name_parse(text, &name), 0);
	cr_expect_eq(name.address.sun_path[0], 0);
	cr_expect_eq(name.size, offsetof(struct sockaddr_un, sun_path) + UNIX_NAME_MAX);
	text[UNIX_NAME_MAX] = 'x';
	cr_expect_eq(unix_name_parse(text, &name), 0);
	cr_expect_eq(name.size, sizeof name.address);
	cr_expect_eq(unix_name_parse("", &name), -EINVAL);
	cr_expect_eq(unix_name_parse("@", &name), -EINVAL);
}

Test(unix_name, has_the_mode_whatever_the_umask)
{
	static const mode_t modes[] = { 0600, 0660, 0666, 0640 };
	for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
		const struct unix_access access = { geteuid(), getegid(), modes[i] };
		struct unix_file file;
		mode_t before = umask(i % 2 ? 0777 : 0);
		fd_auto int fd = listen_on(path, &access, &file);
		cr_expect_eq(umask(before), i % 2 ? 0777 : 0, "the umask is as it was");
		cr_assert_geq(fd, 0, "%s", strerror(-fd));
		cr_expect_eq(status_of(path).st_mode, S_IFSOCK | modes[i]);
		cr_expect_eq(connect_to(path), 0);
		unix_file_remove(&file, path);
	}
}

Test(unix_name, has_the_owner)
{
	if (geteuid() != 0)
		cr_skip_test("needs root");
	const struct unix_access access = { 12345, 54321, 0660 };
	const struct unix_access other = { 12345, 65534, 0606 };
	struct unix_file file;
	fd_auto int fd = listen_on(path, &access, &file);
	cr_assert_geq(fd, 0, "%s", strerror(-fd));
	struct stat status = status_of(path);
	cr_expect_eq(status.st_uid, 12345);
	cr_expect_eq(status.st_gid, 54321);
	cr_expect_eq(status.st_mode & 0777, 0660);
	cr_expect_eq(unix_file_set_access(&file, path, &other), 0);
	status = status_of(path);
	cr_expect_eq(status.st_gid, 65534);
	cr_expect_eq(status.st_mode & 0777, 0606);
	unix_file_remove(&file, path);
}

Test(unix_name, that_was_left_behind_is_replaced)
{
	struct unix_file first, second;
	int fd = listen_on(path, &plain, &first);
	fd_close(&fd);
	cr_assert_eq(connect_to(path), -ECONNREFUSED);
	fd_auto int again = listen_on(path, &plain, &second);
	cr_assert_geq(again, 0, "%s", strerror(-again));
	cr_expect_eq(connect_to(path), 0);
	cr_expect(unix_file_is_there(&second, path));
	unix_file_remove(&second, path);
}

Test(unix_name, of_a_living_socket_is_not_taken)
{
	struct unix_file file, none;
	fd_auto int fd = listen_on(path, &plain, &file);
	cr_expect_eq(listen_on(path, &plain, &none), -EADDRINUSE);
	cr_expect(unix_file_is_there(&file, path));
	unix_file_remove(&file, path);
	char name[64];
	snprintf(name, sizeof name, "@fdsup-test-%d", (int)getpid());
	fd_auto int abstract = listen_on(name, &plain, &file);
	cr_assert_geq(abstract, 0);
	cr_expect_eq(file.inode, 0);
	cr_expect_eq(listen_on(name, &plain, &none), -EADDRINUSE);
}

/* Its backlog is full: that it does not answer does not mean that it is dead. */
Test(unix_name, of_a_busy_socket_is_not_taken)
{
	struct unix_name name;
	struct unix_file file, none;
	int clients[4], n = 0;
	cr_assert_eq(unix_name_parse(path, &name), 0);
	fd_auto int fd = unix_name_listen(&name, &plain, 0, &file);
	for (; n < 4; n++) {
		clients[n] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		if (connect(clients[n], (struct sockaddr *)&name.address, name.size) < 0)
			break;
	}
	cr_assert_lt(n, 4, "the backlog has not become full");
	cr_expect_eq(listen_on(path, &plain, &none), -EADDRINUSE);
	for (int i = 0; i <= n; i++)
		fd_close(&clients[i]);
	unix_file_remove(&file, path);
}

Test(unix_name, of_anything_else_is_left_alone)
{
	struct unix_file file;
	char target[160];
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	fd_close(&fd);
	cr_expect_eq(listen_on(path, &plain, &file), -EEXIST);
	cr_assert_eq(unlink(path), 0);
	cr_assert_eq(mkdir(path, 0700), 0);
	cr_expect_eq(listen_on(path, &plain, &file), -EEXIST);
	cr_assert_eq(rmdir(path), 0);
	snprintf(target, sizeof target, "%s/elsewhere", folder);
	cr_assert_eq(symlink(target, path), 0);
	cr_expect_eq(listen_on(path, &plain, &file), -EEXIST);
	cr_expect_eq(access(target, F_OK), -1, "the link was followed");
	cr_assert_eq(unlink(path), 0);
}

Test(unix_name, without_a_directory_is_told)
{
	char deep[128];
	struct unix_file file;
	snprintf(deep, sizeof deep, "%s/no/socket", folder);
	cr_expect_eq(listen_on(deep, &plain, &file), -ENOENT);
}

Test(unix_file, another_in_its_place_is_neither_removed_nor_changed, .init = enter_folder,
	.fini = leave_folder)
{
	const struct unix_access open_to_all = { (uid_t)-1, (gid_t)-1, 0666 };
	struct unix_file file, other;
	char aside[128];
	snprintf(aside, sizeof aside, "%s/aside", folder);
	fd_auto int fd = listen_on(path, &plain, &file);
	cr_assert_eq(rename(path, aside), 0);
	cr_expect_eq(unix_file_set_access(&file, path, &open_to_all), -ESTALE);
	cr_assert_eq(symlink(aside, path), 0);
	cr_expect_eq(unix_file_set_access(&file, path, &open_to_all), -ESTALE);
	cr_expect_eq(status_of(aside).st_mode & 0777, 0600);
	cr_assert_eq(unlink(path), 0);
	fd_auto int second = listen_on(path, &plain, &other);
	cr_expect_eq(unix_file_set_access(&file, path, &open_to_all), -ESTALE);
	unix_file_remove(&file, path);
	cr_expect(unix_file_is_there(&other, path));
	unix_file_remove(&other, path);
	unix_file_remove(&file, aside);
}

/* Somebody else's socket, linked here for us to give it away. */
Test(unix_file, with_a_second_link_is_not_changed, .init = enter_folder, .fini = leave_folder)
{
	const struct unix_access open_to_all = { (uid_t)-1, (gid_t)-1, 0666 };
	struct unix_file file;
	char aside[128];
	snprintf(aside, sizeof aside, "%s/aside", folder);
	fd_auto int fd = listen_on(path, &plain, &file);
	cr_assert_eq(link(path, aside), 0);
	cr_expect_eq(unix_file_set_access(&file, path, &open_to_all), -ESTALE);
	cr_expect_eq(status_of(path).st_mode & 0777, 0600);
	cr_assert_eq(unlink(aside), 0);
	unix_file_remove(&file, path);
}
