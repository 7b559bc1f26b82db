#include "fixture.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>

TestSuite(files, .init = enter_folder, .fini = leave_folder, .timeout = 60);

#define GOOD "services = { a = { command = \"/bin/cat\"; }; };"

static void assert_file_refused(const char *part, const char *other_part)
{
	struct config_errors errors = load_bad_file();
	assert_error_of(&errors, "main.conf:", part, other_part, NULL);
	config_errors_free(&errors);
}

Test(files, a_missing_one_is_named)
{
	assert_file_refused("No such file or directory", "write the file");
}

Test(files, an_unreadable_one_is_told_so)
{
	write_file("main.conf", GOOD);
	chmod("main.conf", 0200);
	drop_root();
	assert_file_refused("Permission denied", "make it readable");
	regain_root();
}

Test(files, a_folder_is_none)
{
	mkdir("main.conf", 0755);
	assert_file_refused("this is a folder", "name a regular file");
}

Test(files, a_fifo_does_not_hang)
{
	cr_assert_eq(mkfifo("main.conf", 0644), 0);
	assert_file_refused("this is a FIFO", "name a regular file");
}

Test(files, a_socket_or_device_is_none)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = "main.conf" };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert_eq(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
	assert_file_refused("cannot be read", "name a regular file");
	close(fd);
	unlink("main.conf");
	cr_assert_eq(symlink("/dev/zero", "main.conf"), 0);
	assert_file_refused("this is a device", "name a regular file");
}

Test(files, a_link_that_leads_nowhere_or_in_a_circle_is_told_so)
{
	cr_assert_eq(symlink("main.conf", "main.conf"), 0);
	assert_file_refused("Too many levels of symbolic links", "mend the symbolic link");
	unlink("main.conf");
	cr_assert_eq(symlink("nowhere", "main.conf"), 0);
	assert_file_refused("No such file or directory", "");
}

Test(files, what_others_can_write_is_refused_with_the_command_that_mends_it)
{
	write_file("main.conf", GOOD);
	chmod("main.conf", 0666);
	assert_file_refused("writable by everybody", "chmod go-w main.conf");
	chmod("main.conf", 0664);
	assert_file_refused("writable by its group", "chmod go-w main.conf");
	chmod("main.conf", 0600);
	config_free(load_good_file());
}

Test(files, what_belongs_to_another_user_is_refused)
{
	write_file("main.conf", GOOD);
	if (geteuid() != 0)
		cr_skip_test("only root can give files away");
	cr_assert_eq(chown("main.conf", 65534, 0), 0);
	assert_file_refused("belongs to user 65534", "chown it to root");
}

Test(files, an_empty_one_has_no_services)
{
	write_file("main.conf", "");
	assert_file_refused("there are no services", "add services = {");
	write_file("main.conf", "# nothing\n\n");
	assert_file_refused("there are no services", "add services = {");
	write_file("main.conf", "services = { };");
	config_free(load_good_file());
}

Test(files, ten_megabytes_of_garbage_are_refused_at_once)
{
	size_t size = 10 << 20;
	unsigned char *bytes = malloc(size);
	unsigned random = 1;
	for (size_t i = 0; i < size; i++)
		bytes[i] = (unsigned char)((random = random * 1103515245 + 12345) >> 16);
	write_bytes("main.conf", bytes, size);
	assert_file_refused("larger than 1024 KiB", "split it");
	write_bytes("main.conf", bytes, 1 << 20);
	struct config_errors errors = load_bad_file();
	cr_expect(strstr(errors.items[0], "main.conf:"));
	config_errors_free(&errors);
	free(bytes);
}

Test(files, leave_no_descriptor_open)
{
	write_file("main.conf", "include = \"d\"; services = { a = 5; };");
	mkdir("d", 0755);
	write_file("d/x.conf", "services = {");
	write_file("d/y.conf", "services = { };");
	int before = open("/dev/null", O_RDONLY | O_CLOEXEC);
	close(before);
	struct config_errors errors = load_bad_file();
	config_errors_free(&errors);
	int after = open("/dev/null", O_RDONLY | O_CLOEXEC);
	close(after);
	cr_expect_eq(before, after);
}
