#include "supervisor/service/ready_pipe.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/text.h"
#include "policy/announcement.h"
#include "supervisor/service/service.h"
#include "supervisor/succession/state.h"
#include "supervisor/supervisor.h"

/* A process that ends closes its descriptors a moment before its end is known, which says it all. */
static const double end_is_known_s = 0.1;

struct ready_pipe {
	struct worker *worker;
	ev_io watcher;   /* its descriptor is owned; -1: it is closed */
	ev_timer ended;  /* runs after the end, until that may be told */
	size_t n_read;
};

static void stop_reading(struct ready_pipe *pipe)
{
	ev_io_stop(pipe->worker->service->supervisor->loop, &pipe->watcher);
	if (pipe->watcher.fd >= 0)
		close(pipe->watcher.fd);
	ev_io_set(&pipe->watcher, -1, EV_READ);
}

/* What becomes of it is left to start_timeout. */
static void tell_never(const struct worker *worker, const char *what)
{
	char text[TEXT_DURATION_SIZE];
	const struct service_config *config = worker->service->config;
	log_error("%s: %s %d has %s its readiness descriptor (FDSUP_READY_FD) without a newline: it is "
		  "never ready, and is killed %s after its start (start_timeout)",
		config->name, worker_noun(worker->service), worker->pid, what,
		text_format_duration(text, config->supervision->start_timeout));
}

static void on_ended(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)loop, (void)events;
	struct ready_pipe *pipe = timer->data;
	tell_never(pipe->worker, "closed");
}

static void on_readable(struct ev_loop *loop, ev_io *watcher, int events)
{
	(void)events;
	struct ready_pipe *pipe = watcher->data;
	char bytes[512];
	ssize_t n = read(watcher->fd, bytes, sizeof bytes);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	switch (announcement_judge(&pipe->n_read, bytes, n < 0 ? 0 : (size_t)n)) {
	case ANNOUNCEMENT_WAIT:
		break;
	case ANNOUNCEMENT_READY:
		worker_on_ready(pipe->worker); /* and it closes us */
		break;
	case ANNOUNCEMENT_ENDED:
		stop_reading(pipe);
		ev_timer_start(loop, &pipe->ended);
		break;
	case ANNOUNCEMENT_LOST:
		stop_reading(pipe);
		tell_never(pipe->worker, "filled");
		break;
	}
}

static struct ready_pipe *make(struct worker *worker)
{
	struct ready_pipe *pipe = calloc(1, sizeof *pipe);
	if (!pipe)
		return NULL;
	pipe->worker = worker;
	ev_timer_init(&pipe->ended, on_ended, end_is_known_s, 0);
	ev_io_init(&pipe->watcher, on_readable, -1, EV_READ);
	pipe->watcher.data = pipe->ended.data = pipe;
	return pipe;
}

struct ready_pipe *ready_pipe_open(struct worker *worker, int *ret_write_fd)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) < 0)
		return NULL;
	fd_auto int read_fd = ends[0];
	fd_auto int write_fd = ends[1];
	struct ready_pipe *pipe = make(worker);
	if (!pipe || fd_set_nonblocking(read_fd) < 0) {
		free(pipe);
		return NULL;
	}
	ev_io_set(&pipe->watcher, fd_take(&read_fd), EV_READ);
	ready_pipe_resume(pipe);
	*ret_write_fd = fd_take(&write_fd);
	return pipe;
}

json_t *ready_pipe_save(const struct ready_pipe *pipe, struct state_fds *fds)
{
	json_t *json = pipe ? json_object() : NULL;
	if (!json)
		return NULL;
	json_object_set_new(json, "fd", state_save_fd(pipe->watcher.fd, fds));
	json_object_set_new(json, "n_read", json_integer((json_int_t)pipe->n_read));
	return json;
}

struct ready_pipe *ready_pipe_restore(
	struct worker *worker, const json_t *json, struct state_fds *fds)
{
	struct ready_pipe *pipe = make(worker);
	int fd = -1;
	if (!pipe || state_restore_fd(json_object_get(json, "fd"), fds, &fd) < 0) {
		free(pipe);
		return NULL;
	}
	ev_io_set(&pipe->watcher, fd, EV_READ);
	pipe->n_read = (size_t)json_integer_value(json_object_get(json, "n_read"));
	return pipe;
}

void ready_pipe_resume(struct ready_pipe *pipe)
{
	if (pipe && pipe->watcher.fd >= 0)
		ev_io_start(pipe->worker->service->supervisor->loop, &pipe->watcher);
}

void ready_pipe_close(struct ready_pipe *pipe)
{
	if (!pipe)
		return;
	ev_timer_stop(pipe->worker->service->supervisor->loop, &pipe->ended);
	stop_reading(pipe);
	free(pipe);
}
