/*
 * Of our own processes: what accepting needs, and nothing else.
 *
 * A call on no list fails with ENOSYS, as on a kernel that never had it: the C library has an answer
 * for that. One that nothing in an acceptor ever makes (to execute, to trace) is killed.
 */

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "seccomp/rules.h"

/*
 * Calls that may be made whatever their arguments, the most frequent first: the filter asks in this
 * order. (From Linux 5.11 on the kernel remembers the answers, and does not ask at all.) A call that
 * an architecture does not have is passed over.
 */
static const int allowed[] = {
	/* of each connection */
	SCMP_SYS(accept4), SCMP_SYS(sendmsg), SCMP_SYS(recvmsg), SCMP_SYS(close), SCMP_SYS(getsockopt),
	SCMP_SYS(epoll_wait), SCMP_SYS(epoll_ctl), SCMP_SYS(getsockname), SCMP_SYS(getpeername),
	SCMP_SYS(poll), SCMP_SYS(write), SCMP_SYS(clock_gettime), SCMP_SYS(setsockopt),
	SCMP_SYS(shutdown), SCMP_SYS(recvfrom), SCMP_SYS(sendto), SCMP_SYS(read),

	/* the same under other names: other architectures, other C libraries */
	SCMP_SYS(accept), SCMP_SYS(recv), SCMP_SYS(send), SCMP_SYS(readv), SCMP_SYS(writev),
	SCMP_SYS(recvmmsg), SCMP_SYS(sendmmsg), SCMP_SYS(epoll_pwait), SCMP_SYS(epoll_pwait2),
	SCMP_SYS(ppoll), SCMP_SYS(ppoll_time64), SCMP_SYS(recvmmsg_time64), SCMP_SYS(clock_gettime64),
	SCMP_SYS(gettimeofday), SCMP_SYS(time), SCMP_SYS(clock_getres), SCMP_SYS(clock_getres_time64),

	/* memory, without what mmap may do (below) */
	SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise),

	/* memory files: networks that the supervisor hands over, tables that it is handed */
	SCMP_SYS(memfd_create), SCMP_SYS(ftruncate), SCMP_SYS(ftruncate64), SCMP_SYS(pread64),
	SCMP_SYS(pwrite64), SCMP_SYS(lseek), SCMP_SYS(_llseek), SCMP_SYS(fstat), SCMP_SYS(fstat64),
	SCMP_SYS(newfstatat), SCMP_SYS(fstatat64), SCMP_SYS(statx),

	/* what the event loop makes for itself */
	SCMP_SYS(epoll_create1), SCMP_SYS(eventfd2), SCMP_SYS(pipe2), SCMP_SYS(timerfd_create),
	SCMP_SYS(timerfd_settime), SCMP_SYS(timerfd_settime64), SCMP_SYS(timerfd_gettime),
	SCMP_SYS(timerfd_gettime64),

	/* what is asked of the system: load, random numbers, who we are */
	SCMP_SYS(sysinfo), SCMP_SYS(getrandom), SCMP_SYS(uname), SCMP_SYS(getpid), SCMP_SYS(gettid),
	SCMP_SYS(getuid), SCMP_SYS(geteuid), SCMP_SYS(getgid), SCMP_SYS(getegid), SCMP_SYS(getuid32),
	SCMP_SYS(geteuid32), SCMP_SYS(getgid32), SCMP_SYS(getegid32), SCMP_SYS(getrlimit),
	SCMP_SYS(ugetrlimit), SCMP_SYS(getrusage), SCMP_SYS(sched_yield), SCMP_SYS(pidfd_open),

	/* the C library's own: locks, signals, the end */
	SCMP_SYS(futex), SCMP_SYS(futex_time64), SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigreturn), SCMP_SYS(sigreturn), SCMP_SYS(sigaltstack), SCMP_SYS(restart_syscall),
	SCMP_SYS(set_robust_list), SCMP_SYS(rseq), SCMP_SYS(exit), SCMP_SYS(exit_group),
};

/* Of an acceptor's guard: to wait, to look at sockets, to send and to close them. */
static const int of_guards[] = {
	SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(ppoll_time64), SCMP_SYS(getsockopt), SCMP_SYS(sendmsg),
	SCMP_SYS(recvfrom), SCMP_SYS(recv), SCMP_SYS(close), SCMP_SYS(close_range), SCMP_SYS(clock_gettime), SCMP_SYS(clock_gettime64),
	SCMP_SYS(restart_syscall), SCMP_SYS(rt_sigreturn), SCMP_SYS(exit), SCMP_SYS(exit_group),
};

/* To have another program, to look into other processes. */
static const int of_debuggers[] = {
	SCMP_SYS(execve), SCMP_SYS(execveat), SCMP_SYS(ptrace), SCMP_SYS(process_vm_readv),
	SCMP_SYS(process_vm_writev), SCMP_SYS(pidfd_getfd),
};

/* To change the system, where its other guards have failed. */
static const int of_administrators[] = {
	SCMP_SYS(init_module), SCMP_SYS(finit_module), SCMP_SYS(delete_module), SCMP_SYS(kexec_load),
	SCMP_SYS(kexec_file_load), SCMP_SYS(bpf), SCMP_SYS(perf_event_open), SCMP_SYS(userfaultfd),
	SCMP_SYS(mount), SCMP_SYS(umount2), SCMP_SYS(move_mount), SCMP_SYS(open_tree), SCMP_SYS(fsopen),
	SCMP_SYS(fsconfig), SCMP_SYS(fsmount), SCMP_SYS(pivot_root), SCMP_SYS(chroot), SCMP_SYS(setns),
	SCMP_SYS(unshare), SCMP_SYS(swapon), SCMP_SYS(swapoff), SCMP_SYS(reboot),
	SCMP_SYS(open_by_handle_at), SCMP_SYS(io_uring_setup), SCMP_SYS(clock_settime),
	SCMP_SYS(settimeofday), SCMP_SYS(sethostname), SCMP_SYS(setdomainname), SCMP_SYS(acct),
	SCMP_SYS(iopl), SCMP_SYS(ioperm),
};

#define COUNT(list) (sizeof(list) / sizeof *(list))

static int add_all(scmp_filter_ctx filter, uint32_t action, const int calls[], size_t n)
{
	int r = 0;
	for (size_t i = 0; i < n && r == 0; i++)
		r = seccomp_rule_add(filter, action, calls[i], 0);
	return r;
}

/* The first ones are asked for first; a hint, whose failure costs nothing else. */
static void put_in_order(scmp_filter_ctx filter)
{
	for (size_t i = 0; i < COUNT(allowed); i++)
		(void)seccomp_syscall_priority(filter, allowed[i], (uint8_t)(255 - i));
}

/* One more call, if one of its arguments is one of these. */
static int add_choices(scmp_filter_ctx filter, int call, unsigned argument,
	const unsigned long values[], size_t n)
{
	int r = 0;
	for (size_t i = 0; i < n && r == 0; i++)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 1,
			SCMP_CMP(argument, SCMP_CMP_EQ, values[i]));
	return r;
}

/* Memory is never executable that was not when we began. */
static int add_without_exec(scmp_filter_ctx filter, int call)
{
	return seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 1,
		SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
}

static int allow_with_arguments(scmp_filter_ctx filter, enum filter_kind kind)
{
	static const unsigned long counts[] = { SIOCINQ, SIOCOUTQ };
	static const unsigned long commands[] = { F_DUPFD_CLOEXEC, F_GETFL, F_SETFL, F_GETFD, F_SETFD,
		F_ADD_SEALS, F_GET_SEALS };
	static const unsigned long self[] = { FILTER_PID }, ourselves[] = { 0 };
	static const unsigned long no_signal[] = { 0 };
	static const unsigned long local[] = { AF_UNIX };
	int r = add_choices(filter, SCMP_SYS(ioctl), 1, counts, COUNT(counts));
	if (r == 0)
		r = add_choices(filter, SCMP_SYS(fcntl), 1, commands, COUNT(commands));
	if (r == 0)
		r = add_choices(filter, SCMP_SYS(fcntl64), 1, commands, COUNT(commands));
	if (r == 0)
		r = add_without_exec(filter, SCMP_SYS(mmap));
	if (r == 0)
		r = add_without_exec(filter, SCMP_SYS(mmap2));
	if (r == 0)
		r = add_without_exec(filter, SCMP_SYS(mprotect));
	if (r == 0) /* its limits, not those of others */
		r = add_choices(filter, SCMP_SYS(prlimit64), 0, ourselves, COUNT(ourselves));
	if (r == 0) /* whether a process is there; no signal is sent */
		r = add_choices(filter, SCMP_SYS(kill), 1, no_signal, COUNT(no_signal));
	if (r == 0) /* abort(3) */
		r = add_choices(filter, SCMP_SYS(tgkill), 0, self, COUNT(self));
	if (r == 0 && kind == FILTER_ACCEPTOR_BY_HAND)
		r = add_choices(filter, SCMP_SYS(socket), 0, local, COUNT(local));
	if (r == 0 && kind == FILTER_ACCEPTOR_BY_HAND)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(connect), 0);
	return r;
}

static int fill_acceptor(scmp_filter_ctx filter, enum filter_kind kind)
{
	bool is_guard = kind == FILTER_GUARD;
	int r = is_guard ? add_all(filter, SCMP_ACT_ALLOW, of_guards, COUNT(of_guards))
			 : add_all(filter, SCMP_ACT_ALLOW, allowed, COUNT(allowed));
	if (r == 0 && !is_guard)
		r = allow_with_arguments(filter, kind);
	if (r == 0)
		r = add_all(filter, SCMP_ACT_KILL_PROCESS, of_debuggers, COUNT(of_debuggers));
	if (r == 0)
		r = add_all(filter, SCMP_ACT_KILL_PROCESS, of_administrators,
			COUNT(of_administrators));
	if (!is_guard)
		put_in_order(filter);
	return r;
}

/* It holds connections that would end with it: it is not killed. */
static int fill_taker(scmp_filter_ctx filter, enum filter_kind kind)
{
	int r = add_all(filter, SCMP_ACT_ERRNO(EPERM), of_administrators, COUNT(of_administrators));
	if (r == 0 && kind != FILTER_TAKER_WIDE)
		r = add_all(filter, SCMP_ACT_ERRNO(EPERM), of_debuggers, COUNT(of_debuggers));
	return r;
}

static bool is_taker(enum filter_kind kind)
{
	return kind == FILTER_TAKER || kind == FILTER_TAKER_WIDE;
}

uint32_t own_rules_default(enum filter_kind kind)
{
	return is_taker(kind) ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO(ENOSYS);
}

int own_rules_add(scmp_filter_ctx filter, enum filter_kind kind)
{
	(void)seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	return is_taker(kind) ? fill_taker(filter, kind) : fill_acceptor(filter, kind);
}
