#include "acceptor/guard.h"

#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "acceptor/bequest.h"
#include "acceptor/traces.h"
#include "base/fd.h"
#include "confine/confine.h"

/* So long the next acceptor may take to read; and the guard to end. */
enum { LEAVE_PATIENCE_MS = 10000, END_PATIENCE_MS = 1000 };

/*
 * A shared table of descriptors that grows waits for all processors to let go of the old one, for
 * milliseconds. So it has the size that all but large hosts need from the beginning.
 */
enum { TABLE_MIN = 1024 };

/* A library each, and the program. */
enum { RANGES_MAX = 16 };

static void watch(const struct guard *guard)
{
	struct pollfd polled[] = {
		{ .fd = guard->own_fd, .events = POLLIN },
		{ .fd = guard->farewell_fd, .events = POLLIN },
	};
	while (poll(polled, 2, -1) < 0)
		;
	if (polled[1].revents & POLLIN)
		return;
	bequest_find_last(guard->traces);
	(void)bequest_leave(guard->traces, LEAVE_PATIENCE_MS);
}

/*
 * Memory that begins as zeros, of the program and its libraries: the acceptor goes on to write to it,
 * and the guard, which never looks at it, would keep its own copy of how it was.
 */
struct ranges {
	struct {
		uintptr_t begin, end;
	} items[RANGES_MAX];
	size_t n;
};

static int find_zeros(struct dl_phdr_info *object, size_t size, void *context)
{
	(void)size;
	struct ranges *ranges = context;
	const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE) - 1;
	for (size_t i = 0; i < object->dlpi_phnum && ranges->n < RANGES_MAX; i++) {
		const ElfW(Phdr) *part = &object->dlpi_phdr[i];
		uintptr_t begin = object->dlpi_addr + part->p_vaddr;
		uintptr_t zeros = (begin + part->p_filesz + page) & ~page;
		uintptr_t end = (begin + part->p_memsz + page) & ~page;
		if (part->p_type != PT_LOAD || !(part->p_flags & PF_W) || zeros >= end)
			continue;
		ranges->items[ranges->n].begin = zeros;
		ranges->items[ranges->n++].end = end;
	}
	return 0;
}

static void give_back(const struct ranges *ranges)
{
	for (size_t i = 0; i < ranges->n; i++)
		madvise((void *)ranges->items[i].begin, ranges->items[i].end - ranges->items[i].begin,
			MADV_DONTNEED);
}

/* Signals are blocked: what ends the acceptor in order ends this one, too. */
static _Noreturn void live(const struct guard *guard, const struct ranges *zeros)
{
	struct confinement unused;
	prctl(PR_SET_NAME, "fdsup-guard", 0, 0, 0);
	give_back(zeros);
	confine(CONFINE_GUARD, &unused);
	watch(guard);
	_exit(0);
}

/* As fork(2) does, and both have one table of descriptors. */
static pid_t clone_self(void)
{
	const unsigned long flags = CLONE_FILES | SIGCHLD;
#ifdef __s390x__
	return (pid_t)syscall(SYS_clone, NULL, flags, NULL, NULL, 0);
#else
	return (pid_t)syscall(SYS_clone, flags, NULL, NULL, NULL, 0);
#endif
}

static void widen_table(void)
{
	int fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, TABLE_MIN - 1);
	fd_close(&fd);
}

static int open_all(struct guard *guard)
{
	guard->own_fd = (int)syscall(SYS_pidfd_open, getpid(), 0);
	guard->farewell_fd = guard->own_fd < 0 ? -1 : eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (guard->farewell_fd < 0)
		return -errno;
	guard->traces = traces_create();
	return guard->traces ? 0 : -ENOMEM;
}

static int start(struct guard *guard)
{
	struct ranges zeros = { .n = 0 };
	sigset_t all, before;
	int r = open_all(guard);
	if (r < 0)
		return r;
	widen_table();
	if (!confine_is_wide()) /* a sanitizer has its own use for it */
		dl_iterate_phdr(find_zeros, &zeros);
	signal(SIGCHLD, SIG_IGN); /* nobody has to wait for it */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	pid_t pid = clone_self();
	if (pid == 0)
		live(guard, &zeros);
	int error = errno;
	sigprocmask(SIG_SETMASK, &before, NULL);
	if (pid < 0)
		return -error;
	guard->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	return guard->pidfd < 0 ? -errno : 0;
}

static void close_all(struct guard *guard)
{
	fd_close(&guard->own_fd);
	fd_close(&guard->farewell_fd);
	fd_close(&guard->pidfd);
	traces_destroy(guard->traces);
	guard->traces = NULL;
}

void guard_start(struct guard *guard)
{
	/* Valgrind knows no process that shares descriptors and nothing else. */
	if (confine_is_under_valgrind())
		return;
	guard->error = start(guard);
	if (guard->error < 0)
		close_all(guard);
}

void guard_end(struct guard *guard)
{
	const uint64_t one = 1;
	struct pollfd polled = { .fd = guard->pidfd, .events = POLLIN };
	if (!guard->traces)
		return;
	if (write(guard->farewell_fd, &one, sizeof one) == sizeof one)
		poll(&polled, 1, END_PATIENCE_MS);
	close_all(guard);
}
