/*
 * What an acceptor tells us and we tell it: the messages of wire/control.h, each to whom it concerns.
 */
#include "supervisor/acceptor.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "base/fd.h"
#include "base/log.h"
#include "supervisor/connections.h"
#include "supervisor/deaths/death_command.h"
#include "supervisor/deaths/death_record.h"
#include "supervisor/pulse.h"
#include "supervisor/reload/reload.h"
#include "supervisor/service/ending.h"
#include "supervisor/service/service.h"
#include "supervisor/severing.h"
#include "supervisor/succession/keeper.h"
#include "supervisor/supervisor.h"

/* A sibling that talks nonsense is broken; its successor is told everything anew. */
static void on_nonsense(struct acceptor *acceptor, const char *what)
{
	log_error("acceptor %d: %s; it is replaced", (int)acceptor->child.pid, what);
	ev_io_stop(acceptor->supervisor->loop, &acceptor->readable);
	kill(acceptor->child.pid, SIGKILL);
}

/* Services that are ending may have waited for this. */
static void on_synced(struct acceptor *acceptor, uint32_t number)
{
	struct supervisor *supervisor = acceptor->supervisor;
	acceptor->n_synced = number;
	acceptor->is_ready = true; /* as it has told whoever was here before, perhaps */
	for (size_t i = 0; i < supervisor->n_services; i++) {
		struct service *service = supervisor->services[i];
		if (service->acceptor == acceptor && service->close_sync == number)
			ending_check(service);
	}
	reload_on_confirmation(supervisor);
}

/* NULL: it has gone meanwhile. */
static struct service *find_service(const struct acceptor *acceptor, uint32_t slot)
{
	const struct supervisor *supervisor = acceptor->supervisor;
	for (size_t i = 0; i < supervisor->n_services; i++)
		if (supervisor->services[i]->acceptor == acceptor &&
			supervisor->services[i]->slot == slot)
			return supervisor->services[i];
	return NULL;
}

static void on_need_queue(struct acceptor *acceptor, uint32_t slot)
{
	struct service *service = find_service(acceptor, slot);
	if (service)
		service_on_need_queue(service);
}

static void on_queue_closed(struct acceptor *acceptor, uint32_t slot)
{
	struct service *service = find_service(acceptor, slot);
	if (service)
		service_on_queue_closed(service);
}

/* It may have ended meanwhile, or be on its way out. */
static void on_worn(struct acceptor *acceptor, uint32_t slot, pid_t pid)
{
	struct service *service = find_service(acceptor, slot);
	for (struct worker *worker = service ? service->workers : NULL; worker; worker = worker->next)
		if (worker->pid == pid)
			worker_on_worn(worker);
}

/* What it forked may say it, too, and is none of the workers. */
static void on_slots(struct acceptor *acceptor, const struct control_process *message)
{
	struct service *service = find_service(acceptor, message->service);
	for (struct worker *worker = service ? service->workers : NULL; worker; worker = worker->next)
		if (worker->pid == message->pid && message->status >= 0)
			worker_on_slots(worker, (uint32_t)message->status);
}

static void on_toll(struct acceptor *acceptor, const struct control_toll *toll)
{
	const struct service *service = find_service(acceptor, toll->service);
	if (service)
		death_record_toll(service, toll);
}

static void on_command_died(struct acceptor *acceptor, const struct control_command *command)
{
	const struct service *service = find_service(acceptor, command->service);
	if (service)
		death_command_record(service, command);
}

static void on_lapsed(struct acceptor *acceptor, const struct control_connection *connection)
{
	struct service *service = find_service(acceptor, connection->service);
	if (service)
		severing_on_lapsed(service, connection);
}

static void say_unguarded(struct acceptor *acceptor, int32_t error)
{
	if (error && !acceptor->is_unguarded_told)
		log_warning("acceptor %u: it cannot start its guard (%s): should it be killed, connections "
			    "that it holds are lost; see fdsup(8)",
			acceptor->number + 1, strerror(-error));
	acceptor->is_unguarded_told = error;
}

static void on_ready(struct acceptor *acceptor, const struct control_ready *ready)
{
	char missing[CONFINEMENT_TEXT_SIZE];
	acceptor->is_ready = true;
	acceptor->confinement = ready->confinement;
	confinement_format_missing(missing, &ready->confinement);
	say_unguarded(acceptor, ready->guard);
	if (*missing && !acceptor->is_missing_told)
		log_notice("acceptor %u: its sandbox is without %s, and it goes on without",
			acceptor->number + 1, missing);
	acceptor->is_missing_told = true;
	keeper_touch_acceptor(acceptor);
}

static void on_message(struct acceptor *acceptor, const union control_message *message, int fd)
{
	if (message->kind == CONTROL_READY && message->ready.version == CONTROL_VERSION)
		on_ready(acceptor, &message->ready);
	else if (message->kind == CONTROL_SYNCED)
		on_synced(acceptor, message->number.number);
	else if (message->kind == CONTROL_NEED_QUEUE)
		on_need_queue(acceptor, message->number.number);
	else if (message->kind == CONTROL_QUEUE_CLOSED)
		on_queue_closed(acceptor, message->number.number);
	else if (message->kind == CONTROL_LISTED)
		connections_on_listed(acceptor, message->number.number, fd);
	else if (message->kind == CONTROL_WORKER_WORN)
		on_worn(acceptor, message->process.service, message->process.pid);
	else if (message->kind == CONTROL_WORKER_SLOTS)
		on_slots(acceptor, &message->process);
	else if (message->kind == CONTROL_TOLL)
		on_toll(acceptor, &message->toll);
	else if (message->kind == CONTROL_COMMAND_DIED)
		on_command_died(acceptor, &message->command);
	else if (message->kind == CONTROL_UNGUARDED)
		acceptor_renew(acceptor);
	else if (message->kind == CONTROL_LAPSED)
		on_lapsed(acceptor, &message->connection);
	else
		on_nonsense(acceptor, "unknown message on its control channel");
}

static void on_readable(struct ev_loop *loop, ev_io *watcher, int events)
{
	(void)events;
	struct acceptor *acceptor = watcher->data;
	union control_message content;
	fd_auto int fd = -1;
	struct descriptor_message message = {
		.bytes = &content,
		.size = sizeof content,
		.fds = &fd,
		.max_fds = 1,
	};
	int r = descriptor_receive(acceptor->channel.socket, &message);
	if (r == 1 && !message.is_cut && message.length >= sizeof content.kind &&
		message.length == control_size(content.kind))
		on_message(acceptor, &content, fd);
	else if (r == 1)
		on_nonsense(acceptor, "malformed message on its control channel");
	else if (r != -EAGAIN)
		ev_io_stop(loop, watcher); /* it is gone, or nearly: its exit is seen elsewhere */
}

static void on_writable(struct ev_loop *loop, ev_io *watcher, int events)
{
	(void)events;
	struct acceptor *acceptor = watcher->data;
	if (channel_flush(&acceptor->channel) < 0 || !channel_has_backlog(&acceptor->channel))
		ev_io_stop(loop, watcher);
}

void acceptor_tell_with(
	struct acceptor *acceptor, const void *message, const int fds[], size_t n_fds)
{
	uint32_t kind;
	memcpy(&kind, message, sizeof kind);
	if (acceptor->channel.socket < 0)
		return;
	keeper_doubt(acceptor->supervisor);
	int r = channel_send(&acceptor->channel, message, control_size(kind), fds, n_fds);
	if (r == -EPIPE || r == -ECONNRESET)
		return; /* it has just died; the next one will be told */
	if (r < 0)
		on_nonsense(acceptor, strerror(-r));
	if (channel_has_backlog(&acceptor->channel))
		ev_io_start(acceptor->supervisor->loop, &acceptor->writable);
}

void acceptor_tell(struct acceptor *acceptor, const void *message, int fd)
{
	acceptor_tell_with(acceptor, message, &fd, fd >= 0);
}

uint32_t acceptor_ask_sync(struct acceptor *acceptor)
{
	struct control_number message = { CONTROL_SYNC, ++acceptor->n_syncs };
	if (acceptor->channel.socket < 0)
		acceptor->n_synced = acceptor->n_syncs;
	else
		acceptor_tell(acceptor, &message, -1);
	return acceptor->n_syncs;
}

bool acceptor_has_synced(const struct acceptor *acceptor, uint32_t number)
{
	return (int32_t)(acceptor->n_synced - number) >= 0;
}

void acceptor_listen(struct acceptor *acceptor)
{
	ev_io_init(&acceptor->readable, on_readable, acceptor->channel.socket, EV_READ);
	ev_io_init(&acceptor->writable, on_writable, acceptor->channel.socket, EV_WRITE);
	acceptor->readable.data = acceptor->writable.data = acceptor;
	ev_io_start(acceptor->supervisor->loop, &acceptor->readable);
	acceptor->group = acceptor->child.pid;
	pulse_start(acceptor);
}
