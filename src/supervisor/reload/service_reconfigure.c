/*
 * A service that runs gets other settings, other addresses or a new generation of workers.
 */
#include "supervisor/service/service.h"

#include <stdlib.h>

#include "supervisor/listeners/late.h"
#include "supervisor/service/memory_watch.h"
#include "supervisor/service/pool.h"
#include "supervisor/service/service_tell.h"
#include "supervisor/service/watch.h"
#include "supervisor/succession/keeper.h"
#include "supervisor/supervisor.h"
#include "wire/control.h"
#include "wire/handoff.h"

/* The one of the new listeners that is a copy of this one; NULL: it is given up. */
static struct listener *find_copy(
	const struct listener *old, struct listener *opened, uint32_t n_opened)
{
	for (uint32_t i = 0; i < n_opened; i++)
		if (opened[i].is_taken_over && listen_address_is_same(&opened[i].where, &old->where))
			return &opened[i];
	return NULL;
}

/* Those that stay keep their socket and all that waits in it; the new ones come before the old go. */
static void replace_listeners(struct service *service, struct listener *opened, uint32_t n_opened)
{
	struct listener *old = service->listeners;
	uint32_t n_old = service->n_listeners;
	service->listeners = opened;
	service->n_listeners = n_opened;
	for (uint32_t i = 0; i < n_old; i++) {
		struct listener *copy = find_copy(&old[i], opened, n_opened);
		if (!copy)
			continue;
		copy->id = old[i].id;
		copy->is_handed = true;
	}
	/* The acceptor is to be the last that has the old ones: whoever else has them cannot accept. */
	keeper_touch(service);
	keeper_settle(service->supervisor);
	for (uint32_t i = 0; i < n_opened; i++)
		if (!opened[i].is_handed)
			service_tell_listener(service, &opened[i], CONTROL_LISTENER);
	for (uint32_t i = 0; i < n_old; i++)
		if (!find_copy(&old[i], opened, n_opened))
			service_tell_listener(service, &old[i], CONTROL_LISTENER_CLOSE);
	listeners_close(old, n_old);
}

/* The sockets are shared: the new ones are there before the old ones go. */
static void roll_listen(struct service *service)
{
	bool is_waiting = service->state == STATE_ON_DEMAND;
	pool_roll(service);
	if (is_waiting) /* for the first client, at sockets that may be others now */
		service_raise(service, EVENT_RESTART);
	else if (service->state == STATE_BACKOFF || service->state == STATE_FAILED)
		service_raise(service, EVENT_START);
}

void service_roll(struct service *service)
{
	service->generation++;
	service_drop_environment(service);
	service_forget_failures(service);
	if (service->config->type == SERVICE_DAEMON) {
		service_raise(service, EVENT_RESTART);
		return;
	}
	if (service_gets_listeners(service->config)) {
		roll_listen(service);
		return;
	}
	if (service->n_working && (service->config->type == SERVICE_WORKER || pool_has_current(service))) {
		pool_roll(service);
		return;
	}
	bool is_kept_ready = service->config->supervision->workers_min > 0;
	watch_stop(service);
	pool_drain_workers(service);
	if (service->state == STATE_ON_DEMAND)
		service_raise(service, is_kept_ready ? EVENT_DEMAND : EVENT_RESTART);
	else
		service_raise(service, is_kept_ready ? EVENT_GONE_LATE : EVENT_GONE_IDLE);
	if (service->state == STATE_BACKOFF || service->state == STATE_FAILED)
		service_raise(service, EVENT_START);
}

bool service_add_listener(struct service *service, const struct listener *listener)
{
	size_t size = (service->n_listeners + 1) * sizeof *service->listeners;
	struct listener *listeners = realloc(service->listeners, size);
	if (!listeners)
		return false;
	service->listeners = listeners;
	listeners[service->n_listeners++] = *listener;
	keeper_touch(service);
	/* Who has the sockets itself gets one more only from the beginning. */
	if (service_gets_listeners(service->config))
		service_roll(service);
	else if (service->is_open)
		service_tell_listener(service, listener, CONTROL_LISTENER);
	return true;
}

static void apply_limits(struct service *service)
{
	handoff_queue_set_depth(service->queue[0], service->config->supervision->queue);
	service_tell_settings(service, false, NULL);
	service_tell_access(service);
}

/* workers.min may have been raised. */
static void fill_up(struct service *service)
{
	if (service->n_working >= service->config->supervision->workers_min)
		return;
	if (service->state == STATE_UP)
		pool_fill(service);
	else if (service->state == STATE_ON_DEMAND)
		service_raise(service, EVENT_DEMAND);
}

struct service_config *service_reconfigure(struct service *service, struct service_config *config,
	enum config_change change, struct listener *opened, uint32_t n_opened)
{
	struct service_config *before = service->config;
	service->config = config;
	bool is_running = service->state != STATE_STOPPED && service->state != STATE_DRAINING;
	if (is_running && change != CHANGE_NONE) {
		if (opened)
			replace_listeners(service, opened, n_opened);
		listeners_apply(config, service->listeners, service->n_listeners);
		if (service->acceptor)
			apply_limits(service);
		if (change >= CHANGE_ROLL)
			service_roll(service);
		else
			fill_up(service);
		pool_keep_to_max(service);
		if (config->supervision->max_rss)
			memory_watch_start(service->supervisor);
	} else if (opened && service->is_awaiting) {
		service_unbind(service);
		service->listeners = opened;
		service->n_listeners = n_opened;
	} else {
		listeners_close(opened, n_opened);
	}
	if (!is_running)
		service_drop_environment(service);
	late_expect(service);
	return before;
}
