#include "supervisor/service/leftovers.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <ev.h>

#include "base/log.h"
#include "base/text.h"
#include "process/holding.h"
#include "process/orphans.h"
#include "supervisor/service/service.h"
#include "supervisor/supervisor.h"

/* What one worker left. */
struct leftover {
	struct leftover *next; /* list: of the service */
	struct service *service;
	pid_t session;
	ev_timer timer;        /* the end of their time */
};

struct sweep {
	const struct service *service;
	pid_t session;
	int signal;
	ino_t inodes[LISTEN_SOCKETS_MAX];
	size_t n_inodes;
	unsigned n;
};

static void sweep_one(void *context, pid_t pid, const char *name)
{
	struct sweep *sweep = context;
	/* All of this once more before each signal: the pid may be another's by now. */
	if (!name || strcmp(name, sweep->service->config->name) || getsid(pid) != sweep->session ||
		!process_holds_socket(pid, sweep->inodes, sweep->n_inodes))
		return;
	sweep->n++;
	kill(pid, sweep->signal);
	kill(pid, SIGCONT); /* one that is suspended must wake to hear it */
}

static unsigned signal_them(const struct service *service, pid_t session, int signal)
{
	struct sweep sweep = { .service = service, .session = session, .signal = signal };
	struct stat status;
	for (uint32_t i = 0; i < service->n_listeners && sweep.n_inodes < LISTEN_SOCKETS_MAX; i++)
		if (fstat(service->listeners[i].fd, &status) == 0)
			sweep.inodes[sweep.n_inodes++] = status.st_ino;
	if (sweep.n_inodes)
		orphans_walk(sweep_one, &sweep);
	return sweep.n;
}

static void forget(struct leftover *leftover)
{
	struct leftover **link = &leftover->service->leftovers;
	while (*link != leftover)
		link = &(*link)->next;
	*link = leftover->next;
	ev_timer_stop(leftover->service->supervisor->loop, &leftover->timer);
	free(leftover);
}

static void on_timer(struct ev_loop *loop, ev_timer *watcher, int events)
{
	(void)loop, (void)events;
	struct leftover *leftover = watcher->data;
	unsigned n = signal_them(leftover->service, leftover->session, SIGKILL);
	if (n)
		log_warning("%s: %u process%s that worker %d left behind did not end, and %s killed",
			leftover->service->config->name, n, n == 1 ? "" : "es", (int)leftover->session,
			n == 1 ? "is" : "are");
	forget(leftover);
}

void leftovers_end(struct service *service, pid_t gone)
{
	char text[TEXT_DURATION_SIZE];
	const struct service_config *config = service->config;
	if (config->type != SERVICE_LISTEN || service->n_listeners == 0)
		return;
	unsigned n = signal_them(service, gone, config->supervision->stop_signal);
	if (n == 0)
		return;
	log_warning("%s: worker %d has left %u process%s behind that would accept beside its successor; "
		    "ended now, and killed after %s (stop_timeout)",
		config->name, (int)gone, n, n == 1 ? "" : "es",
		text_format_duration(text, config->supervision->stop_timeout));
	struct leftover *leftover = calloc(1, sizeof *leftover);
	if (!leftover) {
		signal_them(service, gone, SIGKILL);
		return;
	}
	leftover->service = service;
	leftover->session = gone;
	leftover->next = service->leftovers;
	service->leftovers = leftover;
	ev_timer_init(
		&leftover->timer, on_timer, (double)config->supervision->stop_timeout / 1000, 0);
	leftover->timer.data = leftover;
	ev_timer_start(service->supervisor->loop, &leftover->timer);
}

void leftovers_forget(struct service *service)
{
	while (service->leftovers)
		forget(service->leftovers);
}
