/*
 * Of programs with the key sandbox.
 *
 * It is a list of what is refused, not of what is allowed: a C library of next year makes calls that no
 * list of today has. What is refused fails with EPERM, and where programs know another way with the
 * error that makes them take it (ENOSYS, EAFNOSUPPORT); nothing is killed.
 */
#include <errno.h>
#include <sched.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "seccomp/rules.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif

/* The manual has the same list: fdsup.conf(5), SANDBOX. */
static const char *const of_basic[] = {
	/* what is mounted */
	"mount", "umount", "umount2", "pivot_root", "move_mount", "open_tree", "fsopen", "fsconfig",
	"fsmount", "fspick", "mount_setattr", "swapon", "swapoff",
	/* the kernel itself */
	"init_module", "finit_module", "delete_module", "create_module", "kexec_load", "kexec_file_load",
	"reboot", "bpf", "perf_event_open", "userfaultfd", "iopl", "ioperm", "syslog", "lookup_dcookie",
	"uselib", "nfsservctl", "_sysctl", "acct", "quotactl", "quotactl_fd", "vhangup",
	/* other processes */
	"ptrace", "process_vm_readv", "process_vm_writev", "process_madvise", "kcmp", "pidfd_getfd",
	/* keys, namespaces, files by handle */
	"add_key", "request_key", "keyctl", "setns", "open_by_handle_at", "fanotify_init",
	/* the clock and the name of the machine */
	"settimeofday", "stime", "clock_settime", "clock_settime64", "adjtimex", "clock_adjtime",
	"clock_adjtime64", "sethostname", "setdomainname",
};

static const char *const of_strict[] = {
	"unshare", "io_uring_setup", "io_uring_enter", "io_uring_register", "mknod", "mknodat",
	"personality", "migrate_pages", "move_pages", "name_to_handle_at", "fanotify_mark",
};

static const unsigned long namespaces[] = { CLONE_NEWNS, CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC,
	CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET, CLONE_NEWTIME };

/* From the keyboard of a terminal, into another program's input. */
static const unsigned long terminal_orders[] = { TIOCSTI, TIOCLINUX };

enum { SOCKETCALL_SOCKET = 1, LOW_WORD = 0xffffffff };

#define N_OF(array) (sizeof(array) / sizeof *(array))

/* A call that the architecture has not got needs no rule. */
static int refuse(scmp_filter_ctx context, const char *name, int error)
{
	int number = seccomp_syscall_resolve_name(name);
	if (number == __NR_SCMP_ERROR)
		return 0;
	return seccomp_rule_add(context, SCMP_ACT_ERRNO((uint32_t)error), number, 0);
}

static int refuse_if(
	scmp_filter_ctx context, const char *name, int error, struct scmp_arg_cmp comparison)
{
	int number = seccomp_syscall_resolve_name(name);
	if (number == __NR_SCMP_ERROR)
		return 0;
	return seccomp_rule_add_array(context, SCMP_ACT_ERRNO((uint32_t)error), number, 1, &comparison);
}

static int refuse_all(scmp_filter_ctx context, const char *const names[], size_t n)
{
	int r = 0;
	for (size_t i = 0; i < n && r == 0; i++)
		r = refuse(context, names[i], EPERM);
	return r;
}

static struct scmp_arg_cmp has_bit(unsigned argument, unsigned long bit)
{
	return SCMP_CMP64(argument, SCMP_CMP_MASKED_EQ, bit, bit);
}

/* The flags of clone3(2) lie in memory, where no filter looks: the C library falls back on clone(2). */
static int refuse_namespaces(scmp_filter_ctx context, bool is_strict)
{
	int r = refuse(context, "clone3", ENOSYS);
	for (size_t i = 0; i < N_OF(namespaces) && r == 0; i++) {
		/* Of clone(2) this bit is part of the exit signal. */
		if (namespaces[i] != CLONE_NEWTIME)
			r = refuse_if(context, "clone", EPERM, has_bit(0, namespaces[i]));
		if (r == 0 && !is_strict)
			r = refuse_if(context, "unshare", EPERM, has_bit(0, namespaces[i]));
	}
	return r;
}

static int refuse_terminals(scmp_filter_ctx context)
{
	int r = 0;
	for (size_t i = 0; i < N_OF(terminal_orders) && r == 0; i++)
		r = refuse_if(context, "ioctl", EPERM,
			SCMP_CMP64(1, SCMP_CMP_MASKED_EQ, LOW_WORD, terminal_orders[i]));
	return r;
}

/* Comparisons of the whole number, so that nothing hides in a high half that the kernel ignores. */
static int refuse_sockets(scmp_filter_ctx context, bool has_network)
{
	/*
	 * glibc on i386 asks for sockets through socketcall(2) alone, whose arguments lie in memory: who
	 * is to have the network there has all families.
	 */
	if (has_network && seccomp_arch_native() == SCMP_ARCH_X86)
		return 0;
	int most = has_network ? AF_INET6 : AF_UNIX;
	int r = refuse_if(context, "socket", EAFNOSUPPORT, SCMP_CMP64(0, SCMP_CMP_GT, (uint64_t)most));
	for (int family = 0; family < most && r == 0; family++)
		if (family != AF_UNIX && family != AF_INET)
			r = refuse_if(
				context, "socket", EAFNOSUPPORT, SCMP_CMP64(0, SCMP_CMP_EQ, (uint64_t)family));
	/* Elsewhere socketcall(2) is refused where it exists: socket(2) is beside it since Linux 4.3. */
	if (r == 0)
		r = refuse_if(context, "socketcall", EAFNOSUPPORT,
			SCMP_CMP64(0, SCMP_CMP_EQ, SOCKETCALL_SOCKET));
	return r;
}

/* Programs of the other word size, which the kernel runs as well; those of x32 find no system call. */
static int add_architectures(scmp_filter_ctx context)
{
	int r = seccomp_attr_set(context, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(ENOSYS));
	if (r == 0 && seccomp_arch_native() == SCMP_ARCH_X86_64)
		r = seccomp_arch_add(context, SCMP_ARCH_X86);
	if (r == 0 && seccomp_arch_native() == SCMP_ARCH_AARCH64)
		r = seccomp_arch_add(context, SCMP_ARCH_ARM);
	return r;
}

int sandbox_rules_add(scmp_filter_ctx context, enum filter_kind kind)
{
	bool is_strict = kind != FILTER_BASIC;
	int r = add_architectures(context);
	/* A search in a tree, not through a list: it is run at each system call. */
	if (r == 0)
		r = seccomp_attr_set(context, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (r == 0)
		r = refuse_all(context, of_basic, N_OF(of_basic));
	if (r == 0)
		r = refuse_namespaces(context, is_strict);
	if (r == 0)
		r = refuse_terminals(context);
	if (r == 0 && is_strict)
		r = refuse_all(context, of_strict, N_OF(of_strict));
	if (r == 0 && is_strict)
		r = refuse_sockets(context, kind == FILTER_STRICT_NETWORK);
	return r;
}
