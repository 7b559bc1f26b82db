#include "worker/launcher.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/shortage.h"
#include "base/text.h"
#include "wire/limits.h"
#include "worker/connection.h"

int launcher_init(struct launcher *launcher, const struct spawn_plan *plan,
	char *const inherited_environment[], const char *service, struct source *source,
	const struct slots *slots)
{
	*launcher = (struct launcher){
		.plan = *plan,
		.held_fd = -1,
		.slots = *slots,
		.pid = getpid(),
	};
	int r = environment_init(&launcher->environment, inherited_environment, service);
	if (r < 0)
		return r;
	r = children_init(&launcher->children);
	if (r < 0)
		environment_fini(&launcher->environment);
	reports_init(&launcher->reports, source);
	return r;
}

void launcher_fini(struct launcher *launcher)
{
	fd_close(&launcher->held_fd);
	reports_fini(&launcher->reports);
	children_fini(&launcher->children);
	environment_fini(&launcher->environment);
}

static struct child *child_new(const struct handoff *record)
{
	struct child *child = calloc(1, sizeof *child);
	if (child)
		child->report = (struct report){
			.kind = REPORT_ENDED,
			.version = REPORT_VERSION,
			.length = sizeof child->report,
			.connection = record->connection,
			.accepted_ns = record->accepted_ns,
			.peer = record->peer,
			.local = record->local,
		};
	return child;
}

static void log_event(const struct child *child, const char *event)
{
	char peer[ENDPOINT_TEXT_SIZE];
	if (log_level() >= LOG_INFO)
		log_info("%s: %s, process %d", endpoint_format(peer, &child->report.peer), event,
			(int)child->report.pid);
}

static void note_failure(struct launcher *launcher, int error)
{
	if (!launcher->last_error)
		launcher->failing_since_ms = clock_now_ms();
	launcher->last_error = error;
}

static void note_success(struct launcher *launcher)
{
	char duration[TEXT_DURATION_SIZE];
	if (!launcher->last_error)
		return;
	text_format_duration(duration, clock_now_ms() - launcher->failing_since_ms);
	log_notice("%s can be started again after %s; %llu connections were closed meanwhile",
		launcher->plan.path, duration, (unsigned long long)launcher->n_failed);
	launcher->last_error = 0;
	launcher->n_failed = 0;
}

/* Its own limits are those of the command, unless that has some of its own. */
static const char *advice_for_memory(const struct launcher *launcher)
{
	unsigned long long bytes = 0;
	const char *name = launcher->plan.has_limits ? limits_of_memory(launcher->plan.limits, &bytes) : "";
	return shortage_of_limit(name, bytes);
}

static const char *advice_for(const struct launcher *launcher, int error)
{
	switch (error) {
	case ENOMEM:
		return advice_for_memory(launcher);
	case ENOENT:
		return "the file, or the interpreter it names in its first line, does not exist";
	case EACCES:
	case EPERM:
		return "the service's user must be allowed to reach and to execute it";
	case ENOEXEC:
		return "no program for this machine, or a script without a #! line";
	case EAGAIN:
		return "the user may have no more processes: see ulimit -u";
	case E2BIG:
		return "its arguments are too long, or its stack limit is too small";
	case ETXTBSY:
		return "it is just being written";
	default:
		return "see execve(2)";
	}
}

/* The connection stays with us, and is tried again. */
static void hold(struct launcher *launcher, const struct handoff *record,
	const struct slot_claim *claim, int connection, int error)
{
	if (!launcher->last_error)
		log_warning("%s cannot be started now: %s (%s): the connection is kept, and tried "
			    "again until it can",
			launcher->plan.path, strerror(-error), advice_for(launcher, -error));
	note_failure(launcher, error);
	launcher->held_fd = connection;
	launcher->held_record = *record;
	launcher->held_claim = *claim;
}

static void report_failure(struct launcher *launcher, struct child *child, int error)
{
	child->report.kind = REPORT_EXEC_FAILED;
	child->report.status = -error;
	reports_ended(&launcher->reports, child);
}

/* Nothing but a person will change that. */
static void fail(struct launcher *launcher, struct child *child, int error)
{
	if (!launcher->last_error || launcher->n_failed == 0)
		log_error("cannot execute %s: %s (%s): each connection tries again, and is closed "
			  "until it can be executed",
			launcher->plan.path, strerror(-error), advice_for(launcher, -error));
	note_failure(launcher, error);
	launcher->n_failed++;
	report_failure(launcher, child, error);
}

static void start(struct launcher *launcher, const struct handoff *taken,
	const struct slot_claim *claimed, int connection)
{
	struct slot_claim claim = *claimed;
	struct handoff record = *taken;
	fd_auto int fd = connection;
	int examined = connection_examine(fd, &record);
	struct child *child = child_new(&record);
	if (!child) {
		hold(launcher, &record, &claim, fd_take(&fd), -ENOMEM);
		return;
	}
	if (examined == -ENOTCONN) {
		log_event(child, "reset by the client before it was served");
		reports_ended(&launcher->reports, child);
		return;
	}
	pid_t pid;
	child->started_ns = clock_now_ns();
	int r = spawn_command(&launcher->plan,
		environment_describe(&launcher->environment, &record), fd, &claim, &pid);
	if (r == -ECANCELED) {
		free(child);
		return;
	}
	if (r < 0)
		slot_unbegin(&claim, launcher->pid);
	if (r < 0 && spawn_error_is_passing(r)) {
		free(child);
		hold(launcher, &record, &claim, fd_take(&fd), r);
		return;
	}
	if (r < 0) {
		fail(launcher, child, r);
		return;
	}
	note_success(launcher);
	child->report.pid = pid;
	child->is_running = true;
	children_add(&launcher->children, child);
	reports_started(&launcher->reports, child);
	log_event(child, "started");
}

void launcher_start(struct launcher *launcher, const struct handoff *record, int connection)
{
	struct slot_claim claim;
	if (slots_claim(&launcher->slots, record, launcher->pid, &claim))
		start(launcher, record, &claim, connection);
	else
		fd_close(&connection); /* it was given to another */
}

void launcher_retry(struct launcher *launcher)
{
	struct handoff record = launcher->held_record;
	struct slot_claim claim = launcher->held_claim;
	if (launcher->held_fd >= 0)
		start(launcher, &record, &claim, fd_take(&launcher->held_fd));
}

void launcher_give_up(struct launcher *launcher)
{
	if (launcher->held_fd < 0)
		return;
	log_error("%s could not be started: the connection that waited for it is closed",
		launcher->plan.path);
	fd_close(&launcher->held_fd);
	struct child *child = child_new(&launcher->held_record);
	if (child)
		report_failure(launcher, child, launcher->last_error);
}

/*
 * What the kernel fills in, getrusage(2): all of it in its own long, where the C library of a machine
 * of 32 bits has wider times.
 */
struct kernel_time {
	long seconds, microseconds;
};
struct kernel_usage {
	struct kernel_time user, system;
	long max_rss_kib;
	long more[13];
};

static uint64_t microseconds(struct kernel_time time)
{
	return (uint64_t)time.seconds * 1000000 + (uint64_t)time.microseconds;
}

static void end(
	struct launcher *launcher, struct child *child, int status, const struct kernel_usage *usage)
{
	struct report *report = &child->report;
	report->status = status;
	report->duration_us = (clock_now_ns() - child->started_ns) / 1000;
	report->cpu_us = microseconds(usage->user) + microseconds(usage->system);
	report->max_rss_kib = (uint32_t)usage->max_rss_kib;
	log_event(child, "ended");
	reports_ended(&launcher->reports, child);
}

/* The next command that has ended; it stays a zombie. 0: none. */
static pid_t find_ended(int *ret_status, struct kernel_usage *ret_usage)
{
	siginfo_t info = { 0 };
	/* The C library's waitid(3) keeps the usage to itself. */
	if (syscall(SYS_waitid, P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT, ret_usage) < 0)
		return 0;
	*ret_status = info.si_code == CLD_EXITED ? info.si_status << 8 :
						   info.si_status | (info.si_code == CLD_DUMPED ? 0x80 : 0);
	return info.si_pid;
}

size_t launcher_reap(struct launcher *launcher)
{
	size_t n = 0;
	while (launcher->children.n > 0) {
		int status;
		struct kernel_usage usage;
		pid_t pid = find_ended(&status, &usage);
		if (!pid)
			break;
		struct child *child = children_take(&launcher->children, pid);
		if (child) {
			end(launcher, child, status, &usage);
			n++;
		}
		/* Told first: should we be killed here, the supervisor inherits the zombie and tells it. */
		reports_flush(&launcher->reports);
		waitpid(pid, NULL, 0);
	}
	return n;
}

static void signal_one(struct child *child, void *data)
{
	const int *signal_number = data;
	pid_t pid = child->report.pid;
	/* Where vfork is a fork the child may not lead its group yet. */
	if (kill(-pid, *signal_number) < 0 && errno == ESRCH)
		kill(pid, *signal_number);
}

void launcher_signal_all(const struct launcher *launcher, int signal_number)
{
	children_each(&launcher->children, signal_one, &signal_number);
}

static void report_again(struct child *child, void *data)
{
	uint64_t age_us = (clock_now_ns() - child->started_ns) / 1000;
	child->report.duration_us = age_us ? age_us : 1;
	reports_started(data, child);
}

void launcher_report_again(struct launcher *launcher)
{
	children_each(&launcher->children, report_again, &launcher->reports);
}
