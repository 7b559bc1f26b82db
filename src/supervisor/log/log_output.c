#include "supervisor/log/log_output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "supervisor/log/journal.h"
#include "supervisor/log/stamped.h"

static struct {
	int fd; /* of the file or of the socket to syslog */
	bool is_started; /* until then, errors are said on standard error as well */
	bool is_stderr;
	char *path;
	unsigned long n_dropped; /* that a daemon did not take, */
	int error; /* and why */
	log_sink *sink;
	journal_knows *knows; /* NULL: no services yet */
} output = { .fd = -1 };

/* Whoever starts fdsup sees why it does not start, wherever the log goes. */
static void say_while_starting(int level, const char *line, size_t length)
{
	if (!output.is_started && level <= LOG_ERR)
		stamped_line(STDERR_FILENO, level, line, length);
}

static void to_stderr(int level, const char *line, size_t length)
{
	stamped_line(STDERR_FILENO, level, line, length);
}

static void to_file(int level, const char *line, size_t length)
{
	say_while_starting(level, line, length);
	stamped_line(output.fd, level, line, length);
}

/* A daemon that takes one line a datagram. */
struct daemon {
	const char *path;
	bool (*send)(int level, const char *line, size_t length);
	bool has_stderr; /* it reads that as well: what it does not take goes there */
};

static int connect_daemon(const char *path)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	strncpy(name.sun_path, path, sizeof name.sun_path - 1);
	fd_auto int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&name, sizeof name) < 0)
		return -errno;
	return fd_take(&fd);
}

/* RFC 3164, as syslog(3) writes it to the local socket; syslog(3) itself waits for a slow daemon. */
static bool send_syslog(int level, const char *line, size_t length)
{
	char text[LOG_LINE_MAX + 64];
	time_t now = time(NULL);
	struct tm local;
	localtime_r(&now, &local);
	int used = snprintf(text, sizeof text, "<%d>", LOG_DAEMON | level);
	used += (int)strftime(text + used, sizeof text - (size_t)used, "%b %e %H:%M:%S", &local);
	used += snprintf(text + used, sizeof text - (size_t)used, " fdsup[%d]: %.*s", (int)getpid(),
		(int)length, line);
	return send(output.fd, text, (size_t)used, MSG_NOSIGNAL) >= 0;
}

static bool send_journal(int level, const char *line, size_t length)
{
	char entry[JOURNAL_ENTRY_SIZE];
	size_t n = journal_format(entry, level, line, length, output.knows);
	return send(output.fd, entry, n, MSG_NOSIGNAL) >= 0;
}

static void say_dropped(const struct daemon *daemon)
{
	char note[96];
	int n = snprintf(note, sizeof note, "%lu log lines were lost before this one", output.n_dropped);
	if (output.fd >= 0 && daemon->send(LOG_WARNING, note, (size_t)n))
		output.n_dropped = 0;
}

static bool send_again(const struct daemon *daemon, int level, const char *line, size_t length)
{
	/* The daemon was restarted: its socket is a new one. */
	fd_close(&output.fd);
	int fd = connect_daemon(daemon->path);
	output.fd = fd < 0 ? -1 : fd;
	return fd >= 0 && daemon->send(level, line, length);
}

static void to_daemon(const struct daemon *daemon, int level, const char *line, size_t length)
{
	if (output.n_dropped)
		say_dropped(daemon);
	if (output.fd >= 0 && daemon->send(level, line, length))
		return;
	if ((output.fd < 0 || errno != EAGAIN) && send_again(daemon, level, line, length))
		return;
	if (output.fd < 0 && daemon->has_stderr) {
		to_stderr(level, line, length);
		return;
	}
	output.error = errno;
	output.n_dropped++;
}

static const struct daemon syslog_daemon = { .path = "/dev/log", .send = send_syslog };
static const struct daemon journal_daemon = {
	.path = journal_path,
	.send = send_journal,
	.has_stderr = true,
};

static void to_syslog(int level, const char *line, size_t length)
{
	say_while_starting(level, line, length);
	to_daemon(&syslog_daemon, level, line, length);
}

/* Who starts fdsup sees the same journal. */
static void to_journal(int level, const char *line, size_t length)
{
	to_daemon(&journal_daemon, level, line, length);
}

/*
 * In a folder where others may make files, one of theirs may wait under our name: for what it would
 * read, or to have it grow where a link leads.
 */
static bool is_ours(const struct stat *status)
{
	if (!S_ISREG(status->st_mode))
		return !S_ISDIR(status->st_mode); /* /dev/null, a terminal */
	return (status->st_uid == geteuid() || status->st_uid == 0) && status->st_nlink == 1;
}

static int open_file(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK,
		0640);
	if (fd < 0)
		return -errno;
	struct stat status;
	if (fstat(fd, &status) < 0 || !is_ours(&status)) {
		bool is_folder = S_ISDIR(status.st_mode);
		fd_close(&fd);
		return is_folder ? -EISDIR : -EPERM;
	}
	return fd;
}

const char *log_output_explain(int error)
{
	if (error == -EPERM)
		return "the file there belongs to another user, or has a second name (a hard link); remove "
		       "it";
	return strerror(-error);
}

int log_output_open(const struct config *config)
{
	static log_sink *const sinks[] = {
		[LOG_TO_STDERR] = to_stderr,
		[LOG_TO_SYSLOG] = to_syslog,
		[LOG_TO_FILE] = to_file,
	};
	int fd = -1;
	char *path = NULL;
	if (config->log_target == LOG_TO_FILE) {
		fd = open_file(config->log_file);
		if (fd < 0)
			return fd;
		path = strdup(config->log_file);
	}
	log_output_close();
	output.fd = fd;
	output.path = path;
	bool is_journal = config->log_target == LOG_TO_STDERR && journal_has_stderr();
	/* No syslog daemon now is no reason not to start: lines are counted until there is one. */
	if (config->log_target == LOG_TO_SYSLOG || is_journal) {
		fd = connect_daemon(is_journal ? journal_daemon.path : syslog_daemon.path);
		output.fd = fd < 0 ? -1 : fd;
	}
	log_set_level(config->log_level);
	output.is_stderr = config->log_target == LOG_TO_STDERR && !is_journal;
	output.sink = is_journal ? to_journal : sinks[config->log_target];
	log_set_sink(output.sink);
	return 0;
}

int log_output_reopen(void)
{
	if (!output.path)
		return 0;
	int fd = open_file(output.path);
	if (fd < 0)
		return fd;
	fd_close(&output.fd);
	output.fd = fd;
	return 0;
}

/* ---- what is wrong with it ------------------------------------------------------------------- */

enum { TROUBLE_SIZE = 512 };

static const char *remedy(int error)
{
	switch (error) {
	case ENOSPC:
	case EDQUOT:
		return "make room there";
	case EFBIG:
		return "it has reached the limit for files: rotate it, or raise that (ulimit -f, LimitFSIZE)";
	case EROFS:
	case EIO:
		return "mend the file system, or have log.to name another place, then fdsupctl reload";
	}
	return "mend that, or have log.to name another place, then fdsupctl reload";
}

static const char *say_trouble(const char *target, unsigned long n, int error, const char *what_helps)
{
	static char text[TROUBLE_SIZE];
	snprintf(text, sizeof text, "the log cannot be written to %s: %s; %lu line%s lost so far; %s", target,
		error == EAGAIN ? "it is not read" : strerror(error), n, n == 1 ? " is" : "s are",
		what_helps);
	return text;
}

static const char *trouble_of_daemon(const struct daemon *daemon)
{
	if (output.n_dropped && output.fd < 0)
		output.fd = connect_daemon(daemon->path);
	if (output.n_dropped)
		say_dropped(daemon);
	return output.n_dropped ? say_trouble(daemon->path, output.n_dropped, output.error,
					  "see whether the daemon that reads it runs")
				: NULL;
}

const char *log_output_trouble(void)
{
	int error;
	bool is_file = output.sink == to_file;
	if (output.sink == to_syslog)
		return trouble_of_daemon(&syslog_daemon);
	if (output.sink == to_journal)
		return trouble_of_daemon(&journal_daemon);
	unsigned long n = stamped_retry(is_file ? output.fd : STDERR_FILENO, &error);
	if (!n)
		return NULL;
	if (is_file)
		return say_trouble(output.path, n, error, remedy(error));
	bool is_unread = error == EAGAIN || error == EPIPE || error == EIO;
	return say_trouble("standard error", n, error,
		is_unread ? "see what has become of whoever read it, or have log.to name a file, then "
			    "fdsupctl reload"
			  : remedy(error));
}

bool log_output_is_stderr(void)
{
	return output.is_stderr;
}

void log_output_started(void)
{
	output.is_started = true;
}

void log_output_tell_services(journal_knows *knows)
{
	output.knows = knows;
}

void log_output_close(void)
{
	fd_close(&output.fd);
	free(output.path);
	output.path = NULL;
	output.sink = to_stderr;
	log_set_sink(to_stderr);
}
