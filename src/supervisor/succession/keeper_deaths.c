/*
 * What has died is told to the keeper at once, and then once a second at most: programs may crash all
 * the time, and the lists are told as a whole.
 */
#include <stdlib.h>

#include "base/fd.h"
#include "supervisor/succession/keeper_parts.h"
#include "supervisor/succession/saved_deaths.h"
#include "supervisor/supervisor.h"

static const double pause_s = 1;

void keeper_put_deaths(struct keeper *keeper)
{
	struct supervisor *supervisor = keeper->supervisor;
	struct state_fds fds = { 0 };
	json_t *json = saved_deaths_in_files(supervisor, &fds);
	int files[2] = { -1, -1 };
	for (size_t i = 0; i < fds.n; i++)
		files[i] = fds.items[i];
	supervisor->deaths.is_touched = supervisor->command_deaths.is_touched = false;
	if (json)
		keeper_put(keeper, saved_deaths_key, json, &fds);
	else
		free(fds.items);
	fd_close(&files[0]);
	fd_close(&files[1]);
}

void keeper_tell_deaths(struct keeper *keeper)
{
	const struct supervisor *supervisor = keeper->supervisor;
	bool is_touched = supervisor->deaths.is_touched || supervisor->command_deaths.is_touched;
	if (!is_touched || ev_is_active(&keeper->deaths))
		return;
	keeper_put_deaths(keeper);
	ev_timer_set(&keeper->deaths, pause_s, 0);
	ev_timer_start(supervisor->loop, &keeper->deaths);
}

void keeper_on_deaths(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)loop, (void)events;
	keeper_tell_deaths(timer->data);
}
