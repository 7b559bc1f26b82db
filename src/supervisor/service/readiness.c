#include "supervisor/service/readiness.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/text.h"
#include "supervisor/service/service.h"
#include "supervisor/supervisor.h"
#include "wire/descriptor.h"

struct readiness {
	ev_io watcher;
	struct sockaddr_un name;
};

enum { TURN_MESSAGES = 64, MESSAGE_MAX = 4096 };

static struct worker *find_worker(struct supervisor *supervisor, pid_t pid)
{
	for (size_t i = 0; i < supervisor->n_services; i++)
		for (struct worker *worker = supervisor->services[i]->workers; worker;
			worker = worker->next)
			if (worker->pid == pid)
				return worker;
	return NULL;
}

static void on_assignment(struct worker *worker, const char *line)
{
	bool is_asked = worker->service->config->supervision->ready == READY_NOTIFY;
	if (!strcmp(line, "READY=1") && is_asked)
		worker_on_ready(worker);
	else if (!strcmp(line, "WATCHDOG=1"))
		worker_on_watchdog(worker);
	else if (!strncmp(line, "STATUS=", 7))
		worker_on_status(worker, line + 7);
}

static void on_text(struct worker *worker, char *text)
{
	char *rest;
	for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		on_assignment(worker, line);
}

void readiness_hear(struct supervisor *supervisor, pid_t pid, const char *text)
{
	struct worker *worker = find_worker(supervisor, pid);
	char *copy = worker ? strdup(text) : NULL;
	if (copy)
		on_text(worker, copy);
	free(copy);
}

static void on_readable(struct ev_loop *loop, ev_io *watcher, int events)
{
	(void)loop, (void)events;
	char text[MESSAGE_MAX + 1];
	struct descriptor_message message = { .bytes = text, .size = MESSAGE_MAX };
	for (int i = 0; i < TURN_MESSAGES; i++) {
		if (descriptor_receive(watcher->fd, &message) < 1)
			return;
		text[message.length] = 0;
		struct worker *worker = find_worker(watcher->data, message.sender.pid);
		if (worker)
			on_text(worker, text);
		else
			log_debug("notify: pid %d is no worker; ignored", message.sender.pid);
	}
}

static int open_socket(struct sockaddr_un *name)
{
	int on = 1;
	fd_auto int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof on) < 0)
		return -errno;
	unlink(name->sun_path);
	if (bind(fd, (struct sockaddr *)name, sizeof *name) < 0)
		return -errno;
	/* Workers run as many users; who speaks is told by the kernel, not by the mode. */
	if (chmod(name->sun_path, 0666) < 0)
		return -errno;
	return fd_take(&fd);
}

/* False: the path is too long. */
static bool name_socket(const struct supervisor *supervisor, struct sockaddr_un *name)
{
	name->sun_family = AF_UNIX;
	int n = snprintf(name->sun_path, sizeof name->sun_path, "%s/notify.sock",
		supervisor->config->runtime_dir);
	return n < (int)sizeof name->sun_path;
}

static void watch(struct supervisor *supervisor, struct readiness *readiness, int fd)
{
	ev_io_init(&readiness->watcher, on_readable, fd, EV_READ);
	readiness->watcher.data = supervisor;
	ev_io_start(supervisor->loop, &readiness->watcher);
	supervisor->readiness = readiness;
}

int readiness_open(struct supervisor *supervisor)
{
	struct readiness *readiness = calloc(1, sizeof *readiness);
	if (!readiness)
		return -ENOMEM;
	int fd = name_socket(supervisor, &readiness->name) ? open_socket(&readiness->name)
							    : -ENAMETOOLONG;
	if (fd < 0) {
		log_error("cannot make %s/notify.sock: %s; set a shorter runtime_dir, or make it writable",
			supervisor->config->runtime_dir, strerror(-fd));
		free(readiness);
		return fd;
	}
	watch(supervisor, readiness, fd);
	return 0;
}

int readiness_resume(struct supervisor *supervisor, int fd)
{
	struct readiness *readiness = calloc(1, sizeof *readiness);
	if (!readiness)
		return -ENOMEM;
	name_socket(supervisor, &readiness->name);
	watch(supervisor, readiness, fd);
	return 0;
}

int readiness_fd(const struct supervisor *supervisor)
{
	return supervisor->readiness ? supervisor->readiness->watcher.fd : -1;
}

void readiness_close(struct supervisor *supervisor)
{
	struct readiness *readiness = supervisor->readiness;
	if (!readiness)
		return;
	ev_io_stop(supervisor->loop, &readiness->watcher);
	close(readiness->watcher.fd);
	unlink(readiness->name.sun_path);
	free(readiness);
	supervisor->readiness = NULL;
}

const char *readiness_path(const struct supervisor *supervisor)
{
	return supervisor->readiness ? supervisor->readiness->name.sun_path : NULL;
}
