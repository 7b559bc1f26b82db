#include "process/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <grp.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/capability.h"
#include "base/fd.h"
#include "process/cgroup.h"
#include "process/sandbox.h"

/*
 * The C library's set*id functions act on all threads through signals; in a vfork child they would
 * do so in our memory. The bare calls act on the child alone.
 */
#ifdef SYS_setresuid32
#define CALL_SETRESUID SYS_setresuid32
#define CALL_SETRESGID SYS_setresgid32
#define CALL_SETGROUPS SYS_setgroups32
#else
#define CALL_SETRESUID SYS_setresuid
#define CALL_SETRESGID SYS_setresgid
#define CALL_SETGROUPS SYS_setgroups
#endif

/* Targets move here first, so that no descriptor still needed is overwritten. */
enum { PARKED = 32 };

enum { PID_TEXT_SIZE = 10 };

struct failure {
	int error;
	unsigned step;
};

enum step {
	STEP_SESSION,
	STEP_DESCRIPTORS,
	STEP_CGROUP,
	STEP_NICE,
	STEP_LIMIT,
	STEP_BOUNDS,
	STEP_ROOT,
	STEP_GROUPS,
	STEP_GID,
	STEP_UID,
	STEP_CAPABILITIES,
	STEP_DIRECTORY,
	STEP_PRIVILEGES,
	STEP_SANDBOX,
	STEP_EXEC,
	STEP_LIMITS, /* and one each: of `limits` */
};

static const char *const step_names[] = {
	[STEP_SESSION] = "setsid",
	[STEP_DESCRIPTORS] = "dup2",
	[STEP_CGROUP] = "cgroup",
	[STEP_NICE] = "setpriority",
	[STEP_LIMIT] = "setrlimit",
	[STEP_BOUNDS] = "capabilities (start fdsup as root, or with setpcap)",
	[STEP_ROOT] = "chroot",
	[STEP_GROUPS] = "setgroups",
	[STEP_GID] = "setgid",
	[STEP_UID] = "setuid",
	[STEP_CAPABILITIES] = "capabilities (start fdsup as root, or with those that it is to give)",
	[STEP_DIRECTORY] = "chdir",
	[STEP_PRIVILEGES] = "prctl",
	[STEP_SANDBOX] = "sandbox",
	[STEP_EXEC] = "exec",
};

/* Ignored signals would stay ignored in the program; caught ones exec resets itself. */
static void reset_signals(void)
{
	struct sigaction action = { .sa_handler = SIG_DFL };
	for (int number = 1; number < NSIG; number++)
		sigaction(number, &action, NULL);
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static int park(int fd)
{
	int parked = fcntl(fd, F_DUPFD_CLOEXEC, PARKED);
	if (parked < 0 && errno == EINVAL)
		errno = EMFILE; /* the limit lies below PARKED: fcntl(2) */
	return parked;
}

int spawn_park(int *fd)
{
	int parked = park(*fd);
	if (parked < 0)
		return -errno;
	fd_close(fd);
	*fd = parked;
	return 0;
}

static int place_descriptors(const struct spawn_request *request)
{
	int parked[SPAWN_DESCRIPTORS];
	for (size_t i = 0; i < request->n_descriptors; i++) {
		parked[i] = park(request->descriptors[i].from);
		if (parked[i] < 0)
			return -1;
	}
	for (size_t i = 0; i < request->n_descriptors; i++)
		if (dup2(parked[i], request->descriptors[i].to) < 0)
			return -1;
	return 0;
}

static bool has_group(const struct account *account, gid_t gid)
{
	for (size_t i = 0; i < account->n_groups; i++)
		if (account->groups[i] == gid)
			return true;
	return false;
}

/* Not on the stack, which is borrowed from the parent; what is not needed takes no memory. */
static int set_groups(const struct account *account)
{
	static gid_t found[NGROUPS_MAX];
	if (syscall(CALL_SETGROUPS, account->n_groups, account->groups) < 0)
		return -1;
	int n = getgroups(NGROUPS_MAX, found);
	bool is_right = n >= 0 && (size_t)n == account->n_groups;
	for (int i = 0; is_right && i < n; i++)
		is_right = has_group(account, found[i]);
	errno = EPERM;
	return is_right ? 0 : -1;
}

static int set_gid(const struct account *account)
{
	gid_t real, effective, saved;
	if (syscall(CALL_SETRESGID, account->gid, account->gid, account->gid) < 0 ||
		getresgid(&real, &effective, &saved) < 0)
		return -1;
	errno = EPERM;
	return real == account->gid && effective == account->gid && saved == account->gid ? 0 : -1;
}

static int set_uid(const struct account *account)
{
	uid_t real, effective, saved;
	if (syscall(CALL_SETRESUID, account->uid, account->uid, account->uid) < 0 ||
		getresuid(&real, &effective, &saved) < 0)
		return -1;
	errno = EPERM;
	return real == account->uid && effective == account->uid && saved == account->uid ? 0 : -1;
}

/* Hard limits, while we may raise them. */
static enum step raise_limits(const struct spawn_request *request)
{
	enum limit_kind failed = request->limits ? limits_raise(request->limits) : LIMIT_KINDS;
	return failed == LIMIT_KINDS ? STEP_EXEC : STEP_LIMITS + failed;
}

/*
 * The last thing that is done, since none of them is for what we do ourselves: a limit on processes,
 * for one, is looked at by setuid(2).
 */
static enum step set_limits(const struct spawn_request *request)
{
	if (!request->limits || request->is_leaving_limits)
		return STEP_EXEC;
	enum limit_kind failed = limits_set(request->limits);
	return failed == LIMIT_KINDS ? STEP_EXEC : STEP_LIMITS + failed;
}

static int set_nofile(unsigned long soft)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return -1;
	limit.rlim_cur = soft < limit.rlim_max ? soft : limit.rlim_max;
	return setrlimit(RLIMIT_NOFILE, &limit);
}

/* LISTEN_PID must be the pid of the program, which only the program itself knows before it runs. */
static void write_pid(char *text)
{
	unsigned pid = (unsigned)getpid();
	char digits[PID_TEXT_SIZE];
	size_t n = 0;
	do
		digits[n++] = (char)('0' + pid % 10);
	while ((pid /= 10));
	for (size_t i = 0; i < n; i++)
		text[i] = digits[n - 1 - i];
	text[n] = 0;
}

/* Runs in the child. Returns the step that failed; on success it does not return. */
static enum step become(const struct spawn_request *request, const struct account *account)
{
	if (setsid() < 0)
		return STEP_SESSION;
	/* First: what is charged to the group begins here. */
	if (request->cgroup_fd > 0 && cgroup_join(request->cgroup_fd) < 0)
		return STEP_CGROUP;
	if (place_descriptors(request) < 0)
		return STEP_DESCRIPTORS;
	if (request->nice && setpriority(PRIO_PROCESS, 0, request->nice) < 0)
		return STEP_NICE;
	if (request->nofile && set_nofile(request->nofile) < 0)
		return STEP_LIMIT;
	enum step step = raise_limits(request);
	if (step != STEP_EXEC)
		return step;
	if (request->is_bounded && capability_bound(request->capabilities) < 0)
		return STEP_BOUNDS;
	if (request->root && chroot(request->root) < 0)
		return STEP_ROOT;
	/* Else nothing would be left to hold after setuid(2). */
	if (request->is_holding && prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
		return STEP_CAPABILITIES;
	if (account) {
		if (set_groups(account) < 0)
			return STEP_GROUPS;
		if (set_gid(account) < 0)
			return STEP_GID;
		if (set_uid(account) < 0)
			return STEP_UID;
	}
	if (request->is_holding && capability_hold(request->capabilities) < 0)
		return STEP_CAPABILITIES;
	if (chdir(request->directory ? request->directory : "/") < 0)
		return STEP_DIRECTORY;
	if (request->no_new_privileges && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return STEP_PRIVILEGES;
	if (request->pid_text)
		write_pid(request->pid_text);
	umask(request->umask);
	reset_signals();
	if (request->sandbox && sandbox_enter(request->sandbox) < 0)
		return STEP_SANDBOX;
	step = set_limits(request);
	if (step != STEP_EXEC)
		return step;
	execve(request->path, request->argv, request->envp);
	return STEP_EXEC;
}

static pid_t start_child(
	const struct spawn_request *request, const struct account *account, int report_fd)
{
	pid_t pid = vfork();
	if (pid == 0) {
		enum step step = become(request, account);
		struct failure failure = { errno, step };
		(void)!write(report_fd, &failure, sizeof failure);
		_exit(127);
	}
	return pid;
}

/* What an administrator can do about it, where that is known. */
static const char *step_name(unsigned step)
{
	static const char *const limits[] = {
		[LIMIT_NOFILE] = "limits.nofile (write at most the hard limit of fdsup)",
		[LIMIT_NPROC] = "limits.nproc (write at most the hard limit of fdsup)",
		[LIMIT_AS] = "limits.as (write at most the hard limit of fdsup)",
		[LIMIT_CPU] = "limits.cpu (write at most the hard limit of fdsup)",
		[LIMIT_CORE] = "limits.core (write at most the hard limit of fdsup)",
		[LIMIT_DATA] = "limits.data (write at most the hard limit of fdsup)",
		[LIMIT_FSIZE] = "limits.fsize (write at most the hard limit of fdsup)",
		[LIMIT_MEMLOCK] = "limits.memlock (write at most the hard limit of fdsup)",
		[LIMIT_STACK] = "limits.stack (write at most the hard limit of fdsup)",
	};
	return step < STEP_LIMITS ? step_names[step] : limits[step - STEP_LIMITS];
}

pid_t spawn(const struct spawn_request *request, const char **ret_step)
{
	int ends[2];
	*ret_step = "pipe";
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	fd_auto int read_fd = ends[0];
	fd_auto int write_fd = ends[1];
	int r = spawn_park(&write_fd);
	if (r < 0)
		return r;
	const struct account *account = geteuid() == 0 ? request->account : NULL;
	/* No handler of ours may run in the child, which shares our memory. */
	sigset_t all, before;
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	pid_t pid = start_child(request, account, write_fd);
	int error = errno;
	sigprocmask(SIG_SETMASK, &before, NULL);
	if (pid < 0) {
		*ret_step = "fork";
		return -error;
	}
	fd_close(&write_fd);
	struct failure failure;
	ssize_t n;
	do
		n = read(read_fd, &failure, sizeof failure);
	while (n < 0 && errno == EINTR);
	if (n != sizeof failure)
		return pid;
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	*ret_step = step_name(failure.step);
	return -failure.error;
}
