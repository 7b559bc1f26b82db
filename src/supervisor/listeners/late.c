#include "supervisor/listeners/late.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/log.h"
#include "supervisor/listeners/listeners.h"
#include "supervisor/reload/roll.h"
#include "supervisor/service/service.h"
#include "supervisor/supervisor.h"

/*
 * News come at once. A look without them costs a bind for each address that is missing, and to find out
 * who holds it: the longer it lasts, the less often.
 */
static const double look_s = 1, look_max_s = 10, look_growth = 1.5;

static const struct listener *find_listener(
	const struct service *service, const struct listen_address *where)
{
	for (uint32_t i = 0; i < service->n_listeners; i++)
		if (listen_address_is_same(&service->listeners[i].where, where))
			return &service->listeners[i];
	return NULL;
}

static bool is_missing_some(const struct service *service)
{
	return service->listeners && service->n_listeners < service->config->n_listen;
}

static void forget(struct service *service)
{
	free(service->missing);
	service->missing = NULL;
}

/* Said when it is news: the first of those that are missing, and why. */
static void note(struct service *service, uint32_t which, int r, const char *step)
{
	char error[LISTENERS_ERROR_SIZE];
	if (service->missing && service->missing_which == which && service->missing_error == r)
		return;
	listeners_explain(service->config, &service->config->listen[which], r, step, error);
	if (!listeners_may_appear(r)) { /* of those it says so already */
		size_t length = strlen(error);
		snprintf(error + length, sizeof error - length, "; it is tried again every few seconds");
	}
	bool is_known = service->missing && !strcmp(error, service->missing);
	forget(service);
	service->missing = strdup(error);
	service->missing_which = which;
	service->missing_error = r;
	if (!is_known)
		log_warning("%s", error);
}

static void say_bound(const struct service *service, const struct listener *listener)
{
	char address[LISTEN_TEXT_SIZE];
	log_notice("%s: %s %s has appeared and is listened on", service->config->name,
		listen_protocol_name(service->config, &listener->where),
		listen_address_format(address, &listener->where));
}

/* 0: it is there and belongs to the service. */
static int try_one(struct service *service, const struct listen_address *where, const char **ret_step)
{
	struct listener listener;
	int r = listeners_open_late(service->config, where, &listener, ret_step);
	if (r < 0)
		return r;
	if (!service_add_listener(service, &listener)) {
		fd_close(&listener.fd);
		*ret_step = "memory";
		return -ENOMEM;
	}
	say_bound(service, &listener);
	return 0;
}

static void look(struct service *service)
{
	bool is_first = true;
	for (uint32_t i = 0; i < service->config->n_listen; i++) {
		const struct listen_address *where = &service->config->listen[i];
		const char *step;
		int r = find_listener(service, where) ? 0 : try_one(service, where, &step);
		if (r < 0 && is_first)
			note(service, i, r, step);
		is_first = is_first && r == 0;
	}
	if (is_first)
		forget(service);
}

/* What is being tried may have other addresses: its outcome comes first. */
static bool is_to_wait(const struct service *service)
{
	return roll_tried(service) != NULL;
}

static void look_at_all(struct supervisor *supervisor)
{
	bool is_needed = false;
	for (size_t i = 0; i < supervisor->n_services; i++) {
		struct service *service = supervisor->services[i];
		if (is_missing_some(service) && !is_to_wait(service))
			look(service);
		else if (!is_missing_some(service))
			forget(service);
		is_needed |= is_missing_some(service);
	}
	if (!is_needed)
		late_stop(supervisor);
}

static void look_again_in(struct supervisor *supervisor, double seconds)
{
	supervisor->late.repeat = seconds < look_max_s ? seconds : look_max_s;
	ev_timer_again(supervisor->loop, &supervisor->late);
}

static void on_time(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)loop, (void)events;
	struct supervisor *supervisor = timer->data;
	look_at_all(supervisor);
	if (ev_is_active(timer))
		look_again_in(supervisor, timer->repeat * look_growth);
}

/* What they say does not matter, nor whether some were lost. */
static void on_news(struct ev_loop *loop, ev_io *watcher, int events)
{
	(void)loop, (void)events;
	char bytes[8192];
	for (int i = 0; i < 64 && recv(watcher->fd, bytes, sizeof bytes, MSG_DONTWAIT) > 0; i++)
		;
	struct supervisor *supervisor = watcher->data;
	look_at_all(supervisor);
	if (ev_is_active(&supervisor->late))
		look_again_in(supervisor, look_s);
}

static int subscribe(void)
{
	struct sockaddr_nl name = {
		.nl_family = AF_NETLINK,
		.nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR,
	};
	fd_auto int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
	if (fd < 0 || bind(fd, (struct sockaddr *)&name, sizeof name) < 0)
		return -1;
	return fd_take(&fd);
}

void late_init(struct supervisor *supervisor)
{
	ev_timer_init(&supervisor->late, on_time, look_s, look_s);
	ev_io_init(&supervisor->late_news, on_news, -1, EV_READ);
	supervisor->late.data = supervisor->late_news.data = supervisor;
}

/* Not now: whoever calls is in the middle of something. */
void late_expect(struct service *service)
{
	struct supervisor *supervisor = service->supervisor;
	service->missing_error = 0; /* it may be another address that has this place now */
	if (!is_missing_some(service)) {
		forget(service);
		return;
	}
	if (!ev_is_active(&supervisor->late_news)) {
		int fd = subscribe();
		if (fd >= 0) {
			ev_io_set(&supervisor->late_news, fd, EV_READ);
			ev_io_start(supervisor->loop, &supervisor->late_news);
		}
	}
	ev_timer_stop(supervisor->loop, &supervisor->late);
	ev_timer_set(&supervisor->late, 0, look_s);
	ev_timer_start(supervisor->loop, &supervisor->late);
}

void late_stop(struct supervisor *supervisor)
{
	ev_timer_stop(supervisor->loop, &supervisor->late);
	ev_io_stop(supervisor->loop, &supervisor->late_news);
	if (supervisor->late_news.fd >= 0)
		fd_close(&supervisor->late_news.fd);
}
