#include "support/worker_rig.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"

const char *rig_program(const char *name)
{
	static char paths[2][512];
	static unsigned turn;
	const char *folder = getenv("FDSUP_BIN");
	cr_assert_not_null(folder, "FDSUP_BIN must name the folder with the programs");
	char *path = paths[turn++ % 2];
	snprintf(path, sizeof paths[0], "%s/%s", folder, name);
	return path;
}

const char *rig_directory(void)
{
	static char path[] = "/tmp/fdsup-worker-XXXXXX";
	cr_assert_not_null(mkdtemp(path));
	return path;
}

static int remove_one(const char *path, const struct stat *about, int kind, struct FTW *where)
{
	(void)about, (void)kind, (void)where;
	return remove(path);
}

void rig_remove(const char *directory)
{
	nftw(directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void become_worker(
	const struct worker_rig *rig, char *const words[], int log_fd, unsigned long nofile)
{
	struct rlimit limit = { nofile, nofile + RIG_NOFILE_ROOM };
	/* Moved up first, so that none stands where another must go. */
	int queue = rig->worker_end >= 0 ? fcntl(rig->worker_end, F_DUPFD, 100) : -1;
	int extra = rig->extra_fd > 0 ? fcntl(rig->extra_fd, F_DUPFD, 100) : -1;
	int log = fcntl(log_fd, F_DUPFD, 100);
	unsigned first_unused = 3;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (queue >= 0)
		dup2(queue, (int)first_unused++);
	if (extra >= 0)
		dup2(extra, (int)first_unused++);
	dup2(log, STDERR_FILENO);
	/* All else of ours: the worker must not rely on it, but a small limit would. */
	syscall(SYS_close_range, first_unused, ~0U, 0);
	if (nofile && setrlimit(RLIMIT_NOFILE, &limit) < 0)
		_exit(126);
	execv(words[0], words);
	_exit(127);
}

/* The queue's ends, if any, are the rig's already. */
static void start_worker(struct worker_rig *rig, const char *const words[], unsigned long nofile)
{
	const char *name = rig->program ? rig->program : "fdsup-worker";
	const char *all[40] = { rig_program(name), "--queue", "3", "--service", "test" };
	size_t n = rig->worker_end >= 0 ? 5 : 1;
	int log[2];
	for (size_t i = 0; words[i]; i++)
		all[n++] = words[i];
	all[n] = NULL;
	cr_assert_eq(pipe2(log, O_CLOEXEC), 0);
	rig->pid = fork();
	cr_assert_geq(rig->pid, 0);
	if (rig->pid == 0)
		become_worker(rig, (char *const *)all, log[1], nofile);
	fd_close(&log[1]);
	rig->log_fd = log[0];
}

void rig_start(
	struct worker_rig *rig, bool with_queue, const char *const words[], unsigned long nofile)
{
	rig_start_program(rig, NULL, -1, with_queue, words, nofile);
}

void rig_start_program(struct worker_rig *rig, const char *program, int extra_fd, bool with_queue,
	const char *const words[], unsigned long nofile)
{
	*rig = (struct worker_rig){
		.program = program,
		.extra_fd = extra_fd,
		.acceptor_end = -1,
		.worker_end = -1,
	};
	if (with_queue) {
		int ends[2];
		cr_assert_eq(handoff_queue_open(250, ends), 0);
		rig->acceptor_end = ends[0];
		rig->worker_end = ends[1];
	}
	start_worker(rig, words, nofile);
}

void rig_join(struct worker_rig *rig, const struct worker_rig *first, const char *const words[])
{
	*rig = (struct worker_rig){ .acceptor_end = -1 };
	rig->worker_end = fd_copy(first->worker_end);
	cr_assert_geq(rig->worker_end, 0);
	start_worker(rig, words, 0);
}

bool rig_is_readable(int fd, int timeout_ms)
{
	struct pollfd polled = { .fd = fd, .events = POLLIN };
	int n;
	do
		n = poll(&polled, 1, timeout_ms);
	while (n < 0 && errno == EINTR);
	return n > 0;
}

int rig_wait(struct worker_rig *rig)
{
	int status = 0;
	int pidfd = (int)syscall(SYS_pidfd_open, rig->pid, 0);
	cr_assert_geq(pidfd, 0);
	cr_assert(rig_is_readable(pidfd, RIG_TIMEOUT_MS), "the worker does not end");
	close(pidfd);
	cr_assert_eq(waitpid(rig->pid, &status, 0), rig->pid);
	rig->pid = 0;
	return status;
}

void rig_stop(struct worker_rig *rig)
{
	if (rig->pid) {
		kill(rig->pid, SIGTERM);
		rig_wait(rig);
	}
	fd_close(&rig->acceptor_end);
	fd_close(&rig->worker_end);
	fd_close(&rig->log_fd);
}

static bool read_log(struct worker_rig *rig, int timeout_ms)
{
	if (!rig_is_readable(rig->log_fd, timeout_ms))
		return false;
	ssize_t n =
		read(rig->log_fd, rig->log + rig->log_length, RIG_TEXT_SIZE - 1 - rig->log_length);
	if (n <= 0)
		return false;
	rig->log_length += (size_t)n;
	return true;
}

void rig_expect_log(struct worker_rig *rig, const char *text)
{
	while (!strstr(rig->log, text))
		cr_assert(read_log(rig, RIG_TIMEOUT_MS), "\"%s\" is not in the log:\n%s", text,
			rig->log);
}

size_t rig_count_log(struct worker_rig *rig, const char *text)
{
	size_t n = 0;
	while (read_log(rig, 0))
		;
	for (const char *p = rig->log; (p = strstr(p, text)); p += strlen(text))
		n++;
	return n;
}

struct handoff rig_connect(int ret_ends[2])
{
	struct sockaddr_in here = { .sin_family = AF_INET };
	struct sockaddr_in client;
	socklen_t size = sizeof here;
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	cr_assert_eq(bind(listener, (const struct sockaddr *)&here, sizeof here), 0);
	cr_assert_eq(listen(listener, 1), 0);
	cr_assert_eq(getsockname(listener, (struct sockaddr *)&here, &size), 0);
	ret_ends[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert_eq(connect(ret_ends[0], (const struct sockaddr *)&here, sizeof here), 0);
	size = sizeof client;
	ret_ends[1] = accept4(listener, (struct sockaddr *)&client, &size, SOCK_CLOEXEC);
	cr_assert_geq(ret_ends[1], 0);
	close(listener);
	return (struct handoff){
		.version = HANDOFF_VERSION,
		.length = sizeof(struct handoff),
		.accepted_ns = clock_now_ns(),
		.peer = endpoint_from_sockaddr((const struct sockaddr *)&client),
		.local = endpoint_from_sockaddr((const struct sockaddr *)&here),
	};
}

int rig_send(struct worker_rig *rig, uint64_t connection)
{
	int ends[2];
	struct handoff record = rig_connect(ends);
	record.connection = connection;
	cr_assert_eq(handoff_send(rig->acceptor_end, &record, ends[1]), 0);
	fd_close(&ends[1]);
	return ends[0];
}

struct report rig_report(struct worker_rig *rig)
{
	while (rig->next_report == rig->n_reports) {
		int pid;
		cr_assert(rig_is_readable(rig->acceptor_end, RIG_TIMEOUT_MS), "no report came");
		int n = report_receive(rig->acceptor_end, rig->reports, &pid);
		cr_assert_gt(n, 0);
		cr_assert(!rig->pid || pid == rig->pid);
		rig->n_reports = (size_t)n;
		rig->next_report = 0;
	}
	return rig->reports[rig->next_report++];
}

static const char *read_until(int fd, int last)
{
	static char text[RIG_TEXT_SIZE];
	size_t length = 0;
	while (length < sizeof text - 1) {
		cr_assert(rig_is_readable(fd, RIG_TIMEOUT_MS), "nothing to read");
		ssize_t n = read(fd, text + length, last < 0 ? sizeof text - 1 - length : 1);
		if (n <= 0)
			break;
		length += (size_t)n;
		if (last >= 0 && text[length - 1] == last)
			break;
	}
	text[length] = 0;
	return text;
}

const char *rig_read_all(int fd)
{
	return read_until(fd, -1);
}

const char *rig_read_line(int fd)
{
	return read_until(fd, '\n');
}

void rig_expect_gone(pid_t pid)
{
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (pidfd < 0)
		return;
	bool is_gone = rig_is_readable(pidfd, RIG_TIMEOUT_MS);
	close(pidfd);
	cr_assert(is_gone, "process %d is still there", (int)pid);
}

size_t rig_count_descriptors(pid_t pid)
{
	char path[64];
	size_t n = 0;
	snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
	DIR *directory = opendir(path);
	cr_assert_not_null(directory);
	for (struct dirent *entry; (entry = readdir(directory));)
		n += entry->d_name[0] != '.';
	closedir(directory);
	return n;
}
