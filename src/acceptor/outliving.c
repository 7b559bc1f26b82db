#include "acceptor/outliving.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "acceptor/acceptor.h"
#include "acceptor/reports.h"
#include "acceptor/service.h"
#include "acceptor/service_log.h"
#include "base/clock.h"
#include "base/fd.h"

/* What is told of it comes from another process, after its parent has reaped it. */
static const double grace_s = 1;

struct outlived {
	struct outlived *next;
	struct acceptor *acceptor;
	pid_t pid;
	int pidfd;
	ev_io gone;
	ev_timer grace;
};

static void forget(struct outlived *outlived)
{
	struct acceptor *acceptor = outlived->acceptor;
	struct outlived **at = &acceptor->outliving.first;
	while (*at != outlived)
		at = &(*at)->next;
	*at = outlived->next;
	ev_io_stop(acceptor->loop, &outlived->gone);
	ev_timer_stop(acceptor->loop, &outlived->grace);
	fd_close(&outlived->pidfd);
	free(outlived);
}

static void on_grace_over(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)loop, (void)events;
	struct outlived *outlived = timer->data;
	struct acceptor *acceptor = outlived->acceptor;
	uint64_t now_ns = clock_now_ns();
	uint32_t place;
	while ((place = ledger_find_pid(&acceptor->ledger, outlived->pid))) {
		const struct ledger_entry *entry = ledger_at(&acceptor->ledger, place);
		struct service *service = acceptor->services[entry->service];
		struct ending ending = {
			.duration_us = (now_ns - entry->accepted_ns) / 1000,
			.is_by_kernel = true,
		};
		reports_end(service, place, &ending, now_ns);
		service_settle(service, now_ns);
	}
	forget(outlived);
}

static void on_gone(struct ev_loop *loop, ev_io *io, int events)
{
	(void)events;
	struct outlived *outlived = io->data;
	ev_io_stop(loop, io);
	fd_close(&outlived->pidfd);
	ev_timer_start(loop, &outlived->grace);
}

void outliving_watch(struct acceptor *acceptor, pid_t pid)
{
	struct outlived *outlived = malloc(sizeof *outlived);
	if (!outlived)
		return;
	*outlived = (struct outlived){ .next = acceptor->outliving.first, .acceptor = acceptor, .pid = pid };
	acceptor->outliving.first = outlived;
	outlived->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	bool is_over = outlived->pidfd < 0 && errno == ESRCH;
	ev_io_init(&outlived->gone, on_gone, outlived->pidfd, EV_READ);
	ev_timer_init(&outlived->grace, on_grace_over, grace_s, 0);
	outlived->gone.data = outlived->grace.data = outlived;
	if (outlived->pidfd >= 0)
		ev_io_start(acceptor->loop, &outlived->gone);
	else if (is_over)
		ev_timer_start(acceptor->loop, &outlived->grace);
	else
		forget(outlived); /* no descriptor is left for it: it ends when that is told */
}

void outliving_close(struct acceptor *acceptor)
{
	while (acceptor->outliving.first)
		forget(acceptor->outliving.first);
}
