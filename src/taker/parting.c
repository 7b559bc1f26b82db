#include "taker/parting.h"

#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/fd.h"

enum { ROOM_MIN = 16 };

static void close_all(struct parting *parting)
{
	for (size_t i = 0; i < parting->n; i++)
		fd_close(&parting->fds[i]);
	parting->n = 0;
	ev_timer_stop(parting->loop, &parting->soon);
}

static void on_waited(struct ev_loop *loop, ev_check *check, int events)
{
	(void)loop, (void)events;
	close_all(check->data);
}

static void on_soon(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)loop, (void)timer, (void)events;
}

static bool make_room(struct parting *parting)
{
	if (parting->n < parting->room)
		return true;
	size_t room = parting->room ? parting->room * 2 : ROOM_MIN;
	int *fds = realloc(parting->fds, room * sizeof *fds);
	if (!fds)
		return false;
	parting->fds = fds;
	parting->room = room;
	return true;
}

void parting_add(struct parting *parting, int *fd)
{
	if (*fd < 0)
		return;
	if (!make_room(parting)) {
		fd_close(fd);
		return;
	}
	shutdown(*fd, SHUT_RDWR);
	parting->fds[parting->n++] = fd_take(fd);
	ev_timer_start(parting->loop, &parting->soon);
}

void parting_init(struct parting *parting, struct ev_loop *loop)
{
	*parting = (struct parting){ .loop = loop };
	ev_check_init(&parting->after_wait, on_waited);
	ev_timer_init(&parting->soon, on_soon, 0, 0);
	parting->after_wait.data = parting;
	ev_check_start(loop, &parting->after_wait);
}

void parting_fini(struct parting *parting)
{
	close_all(parting);
	ev_check_stop(parting->loop, &parting->after_wait);
	free(parting->fds);
	*parting = (struct parting){ 0 };
}
