#include "redirect/link.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"

/* Old addresses are good enough when a new answer takes longer than this. */
enum { LOOK_UP_PATIENCE_MS = 2000 };

enum how { CLOSE_ORDERLY, CLOSE_BY_RESET };

/* ---- the end --------------------------------------------------------------------------------- */

/*
 * The kernel resets a connection that is closed with unread data. Where an orderly end is meant,
 * what has come is thrown away first.
 */
static void throw_unread_away(int fd)
{
	static char unread[PIPE_SIZE];
	shutdown(fd, SHUT_WR);
	(void)!recv(fd, unread, sizeof unread, MSG_TRUNC | MSG_DONTWAIT);
}

static void close_socket(int *fd, enum how how)
{
	struct linger now = { .l_onoff = 1, .l_linger = 0 };
	if (*fd < 0)
		return;
	if (how == CLOSE_BY_RESET) {
		setsockopt(*fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
	} else {
		throw_unread_away(*fd);
	}
	fd_close(fd);
}

/* A reset is no more one after a shutdown: that is closed at once. */
static void close_client(struct link *link, enum how how)
{
	if (how == CLOSE_ORDERLY) {
		throw_unread_away(link->client);
		parting_add(&link->redirect->taker.parting, &link->client);
	} else {
		close_socket(&link->client, how);
	}
}

static void link_end(struct link *link, enum how how, int status)
{
	struct redirect *redirect = link->redirect;
	struct ev_loop *loop = redirect->taker.loop;
	const struct ending ending = {
		.status = status,
		.bytes_in = link->in.n_read,
		.bytes_out = link->out.n_written,
	};
	resolver_forget(&redirect->resolver, &link->waiter);
	if (link->dial)
		dial_stop(link->dial);
	free(link->dial);
	ev_io_stop(loop, &link->client_io);
	ev_io_stop(loop, &link->target_io);
	ev_timer_stop(loop, &link->deadline);
	flow_fini(&link->in, &redirect->pipes);
	flow_fini(&link->out, &redirect->pipes);
	close_client(link, how);
	close_socket(&link->target, how);
	taker_ended(&redirect->taker, &link->taken, &ending);
	free(link);
}

/* What was cut off must not look complete. */
void link_stop(struct link *link)
{
	bool is_cut = link->in.n_in_pipe > 0 || link->out.n_in_pipe > 0;
	link_end(link, is_cut ? CLOSE_BY_RESET : CLOSE_ORDERLY, SIGTERM);
}

/* ---- forwarding ------------------------------------------------------------------------------ */

static void watch(struct link *link, ev_io *io, int fd, int events)
{
	struct ev_loop *loop = link->redirect->taker.loop;
	if (io->events == events && ev_is_active(io))
		return;
	ev_io_stop(loop, io);
	if (!events)
		return;
	ev_io_set(io, fd, events);
	ev_io_start(loop, io);
}

static int events_between(const struct flow *from_it, const struct flow *to_it)
{
	return (from_it->state == FLOW_READING ? EV_READ : 0) |
	       (to_it->state == FLOW_WRITING ? EV_WRITE : 0);
}

static bool is_over(const struct flow *flow)
{
	return flow->state == FLOW_ENDED || flow->state == FLOW_STUCK;
}

/* Ends the link, or waits for what the flows need next. */
static void settle(struct link *link)
{
	bool is_reset = link->in.state == FLOW_RESET || link->out.state == FLOW_RESET;
	if (is_reset) {
		link_end(link, CLOSE_BY_RESET, 0);
	} else if (is_over(&link->in) && is_over(&link->out)) {
		link_end(link, CLOSE_ORDERLY, 0);
	} else {
		watch(link, &link->client_io, link->client, events_between(&link->in, &link->out));
		watch(link, &link->target_io, link->target, events_between(&link->out, &link->in));
	}
}

static void on_ready(struct ev_loop *loop, ev_io *io, int events)
{
	(void)loop;
	struct link *link = io->data;
	struct pipes *pipes = &link->redirect->pipes;
	bool is_client = io == &link->client_io;
	bool is_moved = false;
	if (events & (is_client ? EV_READ : EV_WRITE))
		is_moved |= flow_move(&link->in, link->client, link->target, pipes);
	if (events & (is_client ? EV_WRITE : EV_READ))
		is_moved |= flow_move(&link->out, link->target, link->client, pipes);
	if (is_moved)
		link->active_ms = clock_now_ms();
	settle(link);
}

/* The timer is not set anew for each byte: it looks how long ago the last one was. */
static void on_deadline_idle(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)events;
	struct link *link = timer->data;
	uint64_t timeout_ms = link->redirect->options->common.idle_timeout_ms;
	uint64_t idle_ms = clock_now_ms() - link->active_ms;
	if (idle_ms >= timeout_ms) {
		log_info("a connection was idle for %llu ms: closed",
			(unsigned long long)timeout_ms);
		link_end(link, CLOSE_ORDERLY, 0);
		return;
	}
	timer->repeat = (double)(timeout_ms - idle_ms) / 1000;
	ev_timer_again(loop, timer);
}

static void start_deadline(
	struct link *link, void (*on_deadline)(struct ev_loop *, ev_timer *, int), uint64_t ms)
{
	struct ev_loop *loop = link->redirect->taker.loop;
	ev_timer_stop(loop, &link->deadline);
	ev_set_cb(&link->deadline, on_deadline);
	link->deadline.repeat = (double)ms / 1000;
	if (ms)
		ev_timer_again(loop, &link->deadline);
}

/* Urgent data travels in line, so that it is passed on like all else. */
static void forward(struct link *link, int target)
{
	const struct options *options = link->redirect->options;
	int on = 1;
	link->target = target;
	setsockopt(link->client, SOL_SOCKET, SO_OOBINLINE, &on, sizeof on);
	setsockopt(target, SOL_SOCKET, SO_OOBINLINE, &on, sizeof on);
	link->active_ms = clock_now_ms();
	start_deadline(link, on_deadline_idle, options->common.idle_timeout_ms);
	settle(link);
}

/* ---- connecting ------------------------------------------------------------------------------ */

/* The status is as wait(2) has it. */
static void fail(struct link *link, const char *cause, int exit_status)
{
	redirect_on_failed(link->redirect, cause);
	link_end(link, CLOSE_ORDERLY, exit_status << 8);
}

/* "Connection refused (192.0.2.1:80)" */
static void describe_failure(char *text, size_t size, const struct dial *dial, int error)
{
	char address[ADDRESS_TEXT_SIZE];
	snprintf(text, size, "%s (%s)", strerror(-error),
		address_format(address, &dial->addresses.list[dial->failed]));
}

static void on_dialled(struct dial *dial, int result)
{
	struct link *link = dial->data;
	char cause[ADDRESS_TEXT_SIZE + 80];
	if (result < 0) {
		describe_failure(cause, sizeof cause, dial, result);
		resolver_doubt(&link->redirect->resolver);
		fail(link, cause, EX_UNAVAILABLE);
		return;
	}
	free(link->dial);
	link->dial = NULL;
	redirect_on_connected(link->redirect);
	forward(link, result);
}

static void connect_to(struct link *link, const struct addresses *addresses)
{
	link->dial = malloc(sizeof *link->dial);
	if (!link->dial) {
		fail(link, strerror(ENOMEM), EX_OSERR);
		return;
	}
	dial_start(link->dial, link->redirect->taker.loop, addresses, on_dialled, link);
}

static void on_answer(struct resolver_waiter *waiter)
{
	struct link *link = (struct link *)((char *)waiter - offsetof(struct link, waiter));
	const struct resolver *resolver = &link->redirect->resolver;
	if (resolver->addresses.n > 0)
		connect_to(link, &resolver->addresses);
	else
		fail(link, resolver->error, EX_NOHOST);
}

static uint64_t connect_time_left_ms(const struct link *link)
{
	uint64_t waited_ms = clock_now_ms() - link->active_ms;
	uint64_t timeout_ms = link->redirect->options->connect_timeout_ms;
	return waited_ms < timeout_ms ? timeout_ms - waited_ms : 0;
}

static void give_up(struct link *link)
{
	const struct dial *dial = link->dial;
	char cause[ADDRESS_TEXT_SIZE + 80];
	resolver_doubt(&link->redirect->resolver);
	if (!dial) {
		fail(link, "the look-up of its name takes too long (connect_timeout)", EX_NOHOST);
	} else if (dial->is_short) {
		describe_failure(cause, sizeof cause, dial, dial->error);
		fail(link, cause, EX_OSERR);
	} else {
		fail(link, "no answer in time (connect_timeout)", EX_UNAVAILABLE);
	}
}

static void on_deadline_connecting(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)loop, (void)events;
	struct link *link = timer->data;
	struct resolver *resolver = &link->redirect->resolver;
	uint64_t left_ms = connect_time_left_ms(link);
	if (left_ms == 0) {
		give_up(link);
		return;
	}
	start_deadline(link, on_deadline_connecting, left_ms);
	if (link->waiter.is_waiting && resolver->addresses.n > 0) {
		resolver_forget(resolver, &link->waiter);
		connect_to(link, &resolver->addresses);
	}
}

/* ---- the beginning --------------------------------------------------------------------------- */

static void init(struct link *link, struct redirect *redirect, int client)
{
	link->redirect = redirect;
	link->client = client;
	link->target = -1;
	link->waiter.on_answer = on_answer;
	link->in = link->out = (struct flow)FLOW_INIT;
	link->active_ms = clock_now_ms();
	ev_init(&link->client_io, on_ready);
	ev_init(&link->target_io, on_ready);
	ev_init(&link->deadline, on_deadline_connecting);
	link->client_io.data = link->target_io.data = link->deadline.data = link;
}

void link_start(
	struct link *link, struct redirect *redirect, const struct handoff *record, int client)
{
	struct resolver *resolver = &redirect->resolver;
	init(link, redirect, client);
	taker_took(&redirect->taker, &link->taken, record);
	uint64_t timeout_ms = redirect->options->connect_timeout_ms;
	if (resolver_is_fresh(resolver)) {
		start_deadline(link, on_deadline_connecting, timeout_ms);
		connect_to(link, &resolver->addresses);
		return;
	}
	bool has_old = resolver->addresses.n > 0 && timeout_ms > LOOK_UP_PATIENCE_MS;
	start_deadline(link, on_deadline_connecting, has_old ? LOOK_UP_PATIENCE_MS : timeout_ms);
	resolver_wait(resolver, &link->waiter);
}
