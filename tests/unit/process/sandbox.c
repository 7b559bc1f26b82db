/* What a sandbox forbids, and that it forbids no more: tried out by a child that is in it. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/landlock.h"
#include "process/sandbox.h"

static char folder[] = "/tmp/fdsup-sandbox-XXXXXX", work[64], data[64], other[64];

static void make_file(const char *directory, const char *name)
{
	char path[128];
	snprintf(path, sizeof path, "%s/%s", directory, name);
	int fd = open(path, O_WRONLY | O_CREAT, 0755);
	cr_assert_geq(fd, 0);
	close(fd);
}

static void make_folders(void)
{
	cr_assert_not_null(mkdtemp(folder));
	char *const paths[] = { work, data, other };
	const char *const names[] = { "work", "data", "other" };
	for (size_t i = 0; i < 3; i++) {
		snprintf(paths[i], sizeof work, "%s/%s", folder, names[i]);
		cr_assert_eq(mkdir(paths[i], 0755), 0);
		make_file(paths[i], "file");
	}
}

static void remove_folders(void)
{
	char command[128];
	snprintf(command, sizeof command, "rm -r %s", folder);
	cr_assert_eq(system(command), 0);
}

TestSuite(sandbox, .init = make_folders, .fini = remove_folders, .timeout = 60);

static char *const written[] = { data, NULL };
static char nothing[] = "/bin/true";

static struct service_config service_with(enum sandbox sandbox)
{
	static struct service_surroundings surroundings;
	surroundings = (struct service_surroundings){
		.sandbox = sandbox,
		.directory = work,
		.sandbox_write = { (char **)written, sandbox == SANDBOX_STRICT },
	};
	return (struct service_config){
		.type = SERVICE_DAEMON,
		.surroundings = &surroundings,
		.command_path = nothing,
	};
}

/* Runs `act` in the sandbox; returns what it returned. 255: it could not be entered. */
static int inside(const struct service_config *service, int (*act)(void))
{
	struct sandbox_rules rules;
	const char *step = "";
	int status;
	cr_assert_eq(sandbox_make(&rules, service, nothing, &step), 0, "%s", step);
	if (!rules.filter.n)
		cr_skip_test("this kernel has no filters of system calls");
	pid_t pid = fork();
	if (pid == 0) {
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || sandbox_enter(&rules) < 0)
			_exit(255);
		_exit(act());
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	sandbox_fini(&rules);
	cr_assert(WIFEXITED(status), "signal %d", WTERMSIG(status));
	return WEXITSTATUS(status);
}

static int in(enum sandbox sandbox, int (*act)(void))
{
	struct service_config service = service_with(sandbox);
	return inside(&service, act);
}

/* ---- system calls ---------------------------------------------------------------------------- */

#define FAILS(call, error) (errno = 0, (call) < 0 && errno == (error))

/* Arguments that the kernel itself would refuse otherwise, with another error. */
static int try_refused_calls(void)
{
	const bool all[] = {
		FAILS(syscall(SYS_mount, NULL, NULL, NULL, 0, NULL), EPERM),
		FAILS(syscall(SYS_umount2, NULL, 0), EPERM),
		FAILS(syscall(SYS_ptrace, 9999, 0, 0, 0), EPERM),
		FAILS(syscall(SYS_bpf, 9999, NULL, 0), EPERM),
		FAILS(syscall(SYS_keyctl, 9999), EPERM),
		FAILS(syscall(SYS_perf_event_open, NULL, 0, 0, 0, 0), EPERM),
		FAILS(syscall(SYS_init_module, NULL, 0, NULL), EPERM),
		FAILS(syscall(SYS_reboot, 0, 0, 0, NULL), EPERM),
		FAILS(syscall(SYS_swapon, NULL, 0), EPERM),
		FAILS(syscall(SYS_setns, -1, 0), EPERM),
		FAILS(syscall(SYS_clone3, NULL, 0), ENOSYS),
		FAILS(syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0), EPERM),
		FAILS(unshare(CLONE_NEWUSER), EPERM),
		FAILS(unshare(CLONE_NEWNET), EPERM),
		FAILS(ioctl(-1, TIOCSTI, NULL), EPERM),
		FAILS(syscall(SYS_ioctl, -1, 0xffffffff00000000UL | TIOCSTI, NULL), EPERM),
		FAILS(syscall(SYS_clock_settime, 0, NULL), EPERM),
		FAILS(syscall(SYS_process_vm_readv, getppid(), NULL, 0, NULL, 0, 0), EPERM),
	};
	for (int i = 0; i < (int)(sizeof all / sizeof *all); i++)
		if (!all[i])
			return i + 1;
	return 0;
}

static int try_usual_calls(void)
{
	int pair[2], pipe_ends[2];
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0 || pipe(pipe_ends) < 0)
		return 1;
	pid_t pid = fork();
	if (pid == 0)
		_exit(0);
	if (pid < 0 || waitpid(pid, NULL, 0) != pid)
		return 2;
	if (unshare(CLONE_FILES) < 0 && errno == EPERM)
		return 3;
	if (FAILS(ioctl(-1, TIOCGWINSZ, NULL), EPERM))
		return 4;
	return kill(getpid(), 0) < 0 ? 5 : 0;
}

/* socket(2) itself: glibc on i386 calls socketcall(2). */
static int open_socket(int family, int type, int protocol)
{
	return (int)syscall(SYS_socket, family, type, protocol);
}

static int try_sockets_of_basic(void)
{
	int fd = open_socket(AF_INET, SOCK_STREAM, 0);
	bool has_rings = !FAILS(syscall(SYS_io_uring_setup, 0, NULL), EPERM);
	return fd < 0 ? 1 : has_rings ? 0 : 2;
}

static int try_calls_of_strict(void)
{
	const bool all[] = {
		FAILS(open_socket(AF_INET, SOCK_STREAM, 0), EAFNOSUPPORT),
		FAILS(open_socket(AF_INET6, SOCK_DGRAM, 0), EAFNOSUPPORT),
		FAILS(open_socket(AF_NETLINK, SOCK_RAW, 0), EAFNOSUPPORT),
		FAILS(open_socket(AF_UNSPEC, SOCK_RAW, 0), EAFNOSUPPORT),
#if __SIZEOF_LONG__ == 8
		FAILS(syscall(SYS_socket, 0x100000002UL, SOCK_STREAM, 0), EAFNOSUPPORT),
		FAILS(syscall(SYS_socket, 0x100000000UL, SOCK_STREAM, 0), EAFNOSUPPORT),
#endif
#ifdef SYS_socketcall
		FAILS(syscall(SYS_socketcall, 1, NULL), EAFNOSUPPORT),
#endif
		FAILS(syscall(SYS_io_uring_setup, 0, NULL), EPERM),
		FAILS(unshare(CLONE_FILES), EPERM),
		open_socket(AF_UNIX, SOCK_DGRAM, 0) >= 0,
	};
	for (int i = 0; i < (int)(sizeof all / sizeof *all); i++)
		if (!all[i])
			return i + 1;
	return 0;
}

static int try_network_of_strict(void)
{
	const bool all[] = {
		open_socket(AF_INET, SOCK_STREAM, 0) >= 0,
		open_socket(AF_UNIX, SOCK_STREAM, 0) >= 0,
		!FAILS(open_socket(AF_INET6, SOCK_DGRAM, 0), EPERM),
#ifndef __i386__ /* where families cannot be told apart */
		FAILS(open_socket(AF_NETLINK, SOCK_RAW, 0), EAFNOSUPPORT),
		FAILS(open_socket(AF_UNSPEC, SOCK_RAW, 0), EAFNOSUPPORT),
		FAILS(open_socket(AF_PACKET, SOCK_RAW, 0), EAFNOSUPPORT),
		FAILS(open_socket(AF_AX25, SOCK_RAW, 0), EAFNOSUPPORT),
#endif
	};
	for (int i = 0; i < (int)(sizeof all / sizeof *all); i++)
		if (!all[i])
			return i + 1;
	return 0;
}

Test(sandbox, basic_refuses_what_no_service_needs)
{
	cr_expect_eq(in(SANDBOX_BASIC, try_refused_calls), 0);
	cr_expect_eq(in(SANDBOX_BASIC, try_usual_calls), 0);
	cr_expect_eq(in(SANDBOX_BASIC, try_sockets_of_basic), 0);
}

Test(sandbox, strict_refuses_more_and_sockets_of_the_network)
{
	cr_expect_eq(in(SANDBOX_STRICT, try_refused_calls), 0);
	cr_expect_eq(in(SANDBOX_STRICT, try_calls_of_strict), 0);
}

Test(sandbox, strict_with_a_network_allows_internet_sockets_and_no_others)
{
	struct service_config service = service_with(SANDBOX_STRICT);
	service.surroundings->has_sandbox_network = true;
	cr_expect_eq(inside(&service, try_network_of_strict), 0);
}

Test(sandbox, none_is_none)
{
	struct service_config service = service_with(SANDBOX_NONE);
	struct sandbox_rules rules;
	const char *step;
	cr_assert_eq(sandbox_make(&rules, &service, nothing, &step), 0);
	cr_expect_null(rules.filter.steps);
	cr_expect_eq(rules.landlock_fd, -1);
}

/* ---- files ----------------------------------------------------------------------------------- */

static bool can(const char *directory, const char *name, int flags)
{
	char path[128];
	snprintf(path, sizeof path, "%s/%s", directory, name);
	int fd = open(path, flags | O_CLOEXEC, 0644);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static int try_files_of_basic(void)
{
	const bool all[] = {
		can(work, "new", O_WRONLY | O_CREAT),
		can(other, "file", O_WRONLY | O_TRUNC),
		can("/etc", "passwd", O_RDONLY),
		can("/dev", "null", O_RDWR),
		!can("/etc", "passwd", O_RDWR),
		FAILS(open("/etc/fdsup-test-sandbox", O_CREAT | O_EXCL | O_WRONLY, 0600), EACCES),
		FAILS(mkdir("/usr/fdsup-test-sandbox", 0700), EACCES),
		!can("/proc/sys/kernel", "core_pattern", O_WRONLY),
	};
	for (int i = 0; i < (int)(sizeof all / sizeof *all); i++)
		if (!all[i])
			return i + 1;
	char from[128], to[128];
	snprintf(from, sizeof from, "%s/file", work);
	snprintf(to, sizeof to, "%s/moved", other);
	return rename(from, to) < 0 ? 99 : 0;
}

static int try_files_of_strict(void)
{
	const bool all[] = {
		can(work, "new", O_WRONLY | O_CREAT),
		can(work, "new", O_WRONLY | O_TRUNC),
		can(data, "file", O_RDWR),
		can(data, "new", O_WRONLY | O_CREAT),
		can("/etc", "passwd", O_RDONLY),
		can("/dev", "null", O_RDWR),
		can("/dev", "urandom", O_RDONLY),
		can("/proc/self", "status", O_RDONLY),
		!can(other, "file", O_RDONLY),
		!can(other, "new", O_WRONLY | O_CREAT),
		!can("/", "tmp", O_RDONLY | O_DIRECTORY),
		!can("/etc", "passwd", O_RDWR),
		!can("/dev", "urandom", O_WRONLY),
		!can("/usr", "new", O_WRONLY | O_CREAT),
	};
	for (int i = 0; i < (int)(sizeof all / sizeof *all); i++)
		if (!all[i])
			return i + 1;
	/* What it writes it cannot execute. */
	char path[128];
	snprintf(path, sizeof path, "%s/file", work);
	char *const argv[] = { path, NULL };
	return FAILS(execv(path, argv), EACCES) ? 0 : 99;
}

Test(sandbox, basic_changes_nothing_of_the_system)
{
	if (landlock_level() < 2)
		cr_skip_test("this kernel has no Landlock that would do");
	cr_expect_eq(in(SANDBOX_BASIC, try_files_of_basic), 0);
}

Test(sandbox, strict_reaches_its_folders_and_reads_the_system)
{
	if (landlock_level() < 1)
		cr_skip_test("this kernel has no Landlock");
	cr_expect_eq(in(SANDBOX_STRICT, try_files_of_strict), 0);
}

Test(sandbox, a_folder_that_is_gone_is_named_and_nothing_is_left_open)
{
	static char gone[] = "/nonexistent/fdsup";
	char *const list[] = { gone, NULL };
	struct service_config service = service_with(SANDBOX_STRICT);
	struct sandbox_rules rules;
	const char *step = "";
	if (landlock_level() < 1)
		cr_skip_test("this kernel has no Landlock");
	service.surroundings->sandbox_read = (struct text_list){ (char **)list, 1 };
	cr_expect_eq(sandbox_make(&rules, &service, nothing, &step), -ENOENT);
	cr_expect_str_eq(step, "sandbox_read");
	cr_expect_eq(rules.landlock_fd, -1);
}
