/*
 * The promises of the sandbox, each tried by a child that is confined first. A child never returns
 * into the framework: it says what it found by its exit status.
 */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "confine/confine.h"
#include "wire/descriptor.h"

enum { KILLED = 1000, UNEXPECTED = 255 };

static int listen_fd, pair[2], epoll_fd;
static struct sockaddr_in address = { .sin_family = AF_INET };

/* What an acceptor has when it begins. */
static void setup(void)
{
	socklen_t length = sizeof address;
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert_eq(bind(listen_fd, (struct sockaddr *)&address, length), 0);
	cr_assert_eq(listen(listen_fd, 8), 0);
	cr_assert_eq(getsockname(listen_fd, (struct sockaddr *)&address, &length), 0);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
}

static void teardown(void)
{
	close(listen_fd);
	close(pair[0]);
	close(pair[1]);
	close(epoll_fd);
}

TestSuite(confine, .init = setup, .fini = teardown);

/* The attempt's result: 0, its errno, or KILLED and the signal. */
static int try(enum confine_role role, int (*attempt)(void))
{
	int status;
	pid_t pid = fork();
	cr_assert_geq(pid, 0);
	if (pid == 0) {
		struct confinement confinement;
		confine(role, &confinement);
		_exit(attempt());
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : KILLED + WTERMSIG(status);
}

static int result(long r)
{
	return r < 0 ? errno : 0;
}

/* ---- what nobody may ------------------------------------------------------------------------- */

static int open_file(void) { return result(open("/etc/passwd", O_RDONLY | O_CLOEXEC)); }
static int open_own_memory(void) { return result(open("/proc/self/mem", O_RDWR | O_CLOEXEC)); }
static int make_file(void) { return result(open("/tmp", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600)); }
static int remove_file(void) { return result(unlink("/tmp/fdsup-test-that-is-not-there")); }
static int change_mode(void) { return result(chmod("/tmp/fdsup-test-that-is-not-there", 0600)); }
static int change_folder(void) { return result(chdir("/tmp")); }
static int fork_process(void)
{
	/* Not fork(3): a child would go on here. */
	long r = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
	if (r == 0)
		_exit(0);
	return result(r);
}
static int signal_parent(void) { return result(kill(getppid(), SIGURG)); }
/* socket(2) itself: glibc on i386 calls socketcall(2), whose arguments no filter sees. */
static int open_tcp_socket(void)
{
	return result((int)syscall(SYS_socket, AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
}

static int open_unix_socket(void) { return result(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)); }
static int open_netlink_socket(void) { return result(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0)); }
static int connect_tcp(void)
{
	return result(connect(pair[0], (struct sockaddr *)&address, sizeof address));
}
static int bind_tcp(void)
{
	return result(bind(listen_fd, (struct sockaddr *)&address, sizeof address));
}
static int become_root(void) { return result(setresuid(0, 0, 0)); }
static int map_code(void)
{
	void *memory = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return memory == MAP_FAILED ? errno : 0;
}
static int raise_limit_of_parent(void)
{
	struct { unsigned long soft, hard; } old;
	return result(syscall(SYS_prlimit64, getppid(), 7, NULL, &old));
}
static int push_input_into_terminal(void) { return result(ioctl(0, TIOCSTI, "x")); }

/* Calls that libraries may learn to make: refused like calls of a newer kernel. */
Test(confine, an_acceptor_gets_nothing_new)
{
	static const struct {
		const char *what;
		int (*attempt)(void);
	} cases[] = {
		{ "open a file", open_file },           { "open its own memory", open_own_memory },
		{ "make a file", make_file },           { "remove a file", remove_file },
		{ "change a mode", change_mode },       { "change the folder", change_folder },
		{ "fork", fork_process },               { "signal its parent", signal_parent },
		{ "a TCP socket", open_tcp_socket },    { "a Unix socket", open_unix_socket },
		{ "a netlink socket", open_netlink_socket },
		{ "connect", connect_tcp },             { "bind", bind_tcp },
		{ "become root", become_root },         { "map code", map_code },
		{ "look into its parent", raise_limit_of_parent },
		{ "write to a terminal's input", push_input_into_terminal },
	};
	if (confine_is_wide())
		cr_skip_test("a build for debugging tools");
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		cr_expect_eq(try(CONFINE_ACCEPTOR, cases[i].attempt), ENOSYS, "%s", cases[i].what);
}

static int execute(void)
{
	static char *const arguments[] = { "true", NULL };
	return result(execv("/bin/true", arguments));
}
static int trace_parent(void) { return result(ptrace(PTRACE_ATTACH, getppid(), NULL, NULL)); }
static int leave_root_folder(void) { return result(chroot("/")); }
static int make_ring(void) { return result(syscall(SYS_io_uring_setup, 1, NULL)); }
static int load_program(void) { return result(syscall(SYS_bpf, 5, NULL, 0)); }

Test(confine, an_acceptor_that_somebody_has_taken_over_is_killed)
{
	static int (*const attempts[])(void) = { execute, trace_parent, leave_root_folder, make_ring,
		load_program };
	if (confine_is_wide())
		cr_skip_test("a build for debugging tools");
	for (size_t i = 0; i < sizeof attempts / sizeof *attempts; i++)
		cr_expect_eq(try(CONFINE_ACCEPTOR, attempts[i]), KILLED + SIGSYS, "%zu", i);
}

/* ---- what it needs --------------------------------------------------------------------------- */

#define NEED(condition)                 \
	do {                            \
		if (!(condition))       \
			return __LINE__ & 127 ? __LINE__ & 127 : 1; \
	} while (0)

static int client; /* connected before */

static int accept_and_hand_off(void)
{
	struct sockaddr_in peer;
	socklen_t length = sizeof peer;
	struct epoll_event event = { .events = EPOLLIN };
	int queued, cookie_fd;
	NEED(epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listen_fd, &event) == 0);
	NEED(epoll_wait(epoll_fd, &event, 1, 10000) == 1);
	int connection = accept4(listen_fd, (struct sockaddr *)&peer, &length, SOCK_CLOEXEC);
	NEED(connection >= 0);
	NEED(getsockname(connection, (struct sockaddr *)&peer, &length) == 0);
	NEED(descriptor_send(pair[0], "", 1, &connection, 1) == 0);
	NEED(ioctl(pair[0], SIOCOUTQ, &queued) == 0 && queued > 0);
	struct linger linger = { .l_onoff = 1 };
	NEED(setsockopt(connection, SOL_SOCKET, SO_LINGER, &linger, sizeof linger) == 0);
	NEED(shutdown(connection, SHUT_WR) == 0);
	NEED((cookie_fd = fd_copy(connection)) >= 0);
	NEED(close(cookie_fd) == 0 && close(connection) == 0);
	return 0;
}

static int keep_tables(void)
{
	unsigned long seed;
	struct sysinfo system;
	char text[64];
	int fd = memfd_create("table", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	NEED(fd >= 0 && ftruncate(fd, 1 << 20) == 0);
	void *table = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	NEED(table != MAP_FAILED && munmap(table, 1 << 20) == 0);
	NEED(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK) == 0);
	NEED(pread(fd, text, sizeof text, 0) == (ssize_t)sizeof text);
	void *large = malloc(4 << 20);
	NEED(large);
	large = realloc(large, 64 << 20);
	NEED(large);
	memset(large, 1, 64 << 20);
	free(large);
	NEED(getrandom(&seed, sizeof seed, 0) == sizeof seed);
	NEED(sysinfo(&system) == 0);
	return 0;
}

static int read_the_clock(void)
{
	struct timespec now;
	struct tm local;
	time_t seconds = time(NULL);
	NEED(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
	/* The zone was read before, and is still known. */
	NEED(localtime_r(&seconds, &local) && local.tm_gmtoff == -5 * 3600);
	NEED(localtime(&seconds)->tm_gmtoff == -5 * 3600);
	return 0;
}

static int end_by_abort(void)
{
	abort();
}

Test(confine, an_acceptor_can_do_its_work)
{
	client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert_eq(connect(client, (struct sockaddr *)&address, sizeof address), 0);
	cr_expect_eq(try(CONFINE_ACCEPTOR, accept_and_hand_off), 0);
	close(client);
	cr_expect_eq(try(CONFINE_ACCEPTOR, keep_tables), 0);
	setenv("TZ", "EST5", 1);
	cr_expect_eq(try(CONFINE_ACCEPTOR, read_the_clock), 0);
	cr_expect_eq(try(CONFINE_ACCEPTOR, end_by_abort), KILLED + SIGABRT);
}

static int connect_unix(void)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX, .sun_path = "/nowhere/fdsup-test" };
	fd_auto int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return UNEXPECTED;
	return result(connect(fd, (struct sockaddr *)&name, sizeof name));
}

Test(confine, by_hand_it_reaches_unix_sockets_and_no_others)
{
	if (confine_is_wide())
		cr_skip_test("a build for debugging tools");
	cr_expect_eq(try(CONFINE_ACCEPTOR_BY_HAND, connect_unix), ENOENT);
	cr_expect_eq(try(CONFINE_ACCEPTOR_BY_HAND, open_tcp_socket), ENOSYS);
	cr_expect_eq(try(CONFINE_ACCEPTOR_BY_HAND, open_file), ENOSYS);
	cr_expect_eq(try(CONFINE_ACCEPTOR_BY_HAND, execute), KILLED + SIGSYS);
}

/* ---- those that serve themselves ------------------------------------------------------------- */

static int connect_to_listener(void)
{
	fd_auto int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	return result(connect(fd, (struct sockaddr *)&address, sizeof address));
}

static int write_to_file(void)
{
	struct confinement confinement = { 0 };
	confine(CONFINE_TAKER, &confinement);
	return confinement.landlock > 0 ? make_file() : EACCES;
}

Test(confine, a_taker_reads_and_connects_and_neither_writes_nor_executes)
{
	cr_expect_eq(try(CONFINE_TAKER, open_file), 0);
	cr_expect_eq(try(CONFINE_TAKER, connect_to_listener), 0);
	cr_expect_eq(try(CONFINE_TAKER, write_to_file), EACCES);
	cr_expect_eq(try(CONFINE_TAKER, leave_root_folder), EPERM);
	if (!confine_is_wide()) {
		cr_expect_eq(try(CONFINE_TAKER, execute), EPERM);
		cr_expect_eq(try(CONFINE_TAKER, trace_parent), EPERM);
	}
}

/* ---- what it says of itself ------------------------------------------------------------------ */

Test(confine, leaves_no_capability)
{
	if (confine_is_wide())
		cr_skip_test("a build for debugging tools");
	int status;
	pid_t pid = fork();
	if (pid == 0) {
		struct confinement confinement;
		confine(CONFINE_ACCEPTOR, &confinement);
		_exit(confinement.capabilities == CONFINEMENT_ACTIVE &&
				      confinement.no_new_privileges == CONFINEMENT_ACTIVE
			      ? 0
			      : 1);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_expect_eq(status, 0);
}
