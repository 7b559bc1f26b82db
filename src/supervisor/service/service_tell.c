#include "supervisor/service/service_tell.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/unix_name.h"
#include "supervisor/acceptor.h"
#include "wire/control.h"

static uint32_t length_of(const char *text)
{
	return text ? (uint32_t)strlen(text) : 0;
}

uint32_t service_tell_load_centi(double load)
{
	uint32_t nearest = (uint32_t)(load * 100 + 0.5);
	return nearest || load == 0 ? nearest : 1;
}

static struct control_access describe_access(const struct service *service)
{
	const struct service_config *config = service->config;
	return (struct control_access){
		.kind = CONTROL_ACCESS,
		.service = service->slot,
		.has_allow = config->admission->has_allow,
		.n_allow = config->admission->n_allow,
		.n_deny = config->admission->n_deny,
		.n_windows = config->admission->n_windows,
		.refuse_length = length_of(config->admission->refuse_message),
		.banner_length = length_of(config->admission->banner),
		.max_load_centi = service_tell_load_centi(config->admission->max_load),
	};
}

static bool has_access_rules(const struct service *service)
{
	struct control_access access = describe_access(service);
	return access.has_allow || access.max_load_centi || control_access_size(&access) > 0;
}

void service_tell_settings(struct service *service, bool is_new, const struct listener *first)
{
	const struct service_config *config = service->config;
	struct control_service message = {
		.kind = CONTROL_SERVICE,
		.service = service->slot,
		.max_connections = config->admission->max_connections,
		.max_per_source = config->admission->max_per_source,
		.rate_count = config->admission->rate.count,
		.rate_per_ms = config->admission->rate.per_ms,
		.rate_burst = config->admission->rate.burst,
		.source_rate_count = config->admission->rate_per_source.count,
		.source_rate_per_ms = config->admission->rate_per_source.per_ms,
		.source_rate_burst = config->admission->rate_per_source.burst,
		.overflow = config->admission->overflow,
		.overflow_wait_ms = (uint32_t)config->admission->overflow_wait,
		.log_events = config->supervision->log_events,
		.log_address = config->supervision->log_address,
		.queue_depth = config->supervision->queue,
		.may_be_silent = config->type == SERVICE_WORKER,
		.max_uses = config->supervision->max_uses,
		.awaits_access = is_new && has_access_rules(service),
		.redelivers = config->admission->redeliver == REDELIVER_UNTOUCHED,
		.has_queue = is_new && service->queue[0] >= 0,
		.has_slots = is_new && service->slots_fd >= 0,
		.listener = first ? first->id : 0,
		.first_byte_ms = config->admission->first_byte_timeout,
		.silence_ms = config->admission->silence_timeout,
		.duration_ms = config->admission->max_duration,
	};
	int fds[CONTROL_FDS_MAX];
	size_t n_fds = 0;
	if (message.has_queue)
		fds[n_fds++] = service->queue[0];
	if (message.has_slots)
		fds[n_fds++] = service->slots_fd;
	if (first)
		fds[n_fds++] = first->fd;
	strncpy(message.name, config->name, sizeof message.name - 1);
	acceptor_tell_with(service->acceptor, &message, fds, n_fds);
}

/* All that is counted in the message, in a memory file; -1: there is nothing. -errno. */
static int open_access(
	const struct service_config *config, const struct control_access *message, int *ret_fd)
{
	const struct service_admission *admission = config->admission;
	const struct iovec parts[] = {
		{ admission->networks,
			(admission->n_allow + admission->n_deny) * sizeof *admission->networks },
		{ admission->windows, admission->n_windows * sizeof *admission->windows },
		{ admission->refuse_message, message->refuse_length },
		{ admission->banner, message->banner_length },
	};
	size_t size = control_access_size(message);
	*ret_fd = -1;
	if (size == 0)
		return 0;
	fd_auto int fd = memfd_create("fdsup-access", MFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	ssize_t n = writev(fd, parts, sizeof parts / sizeof *parts);
	if (n < 0 || (size_t)n != size)
		return n < 0 ? -errno : -ENOSPC;
	*ret_fd = fd_take(&fd);
	return 0;
}

/* If that cannot be told, nobody gets in: that is seen, and the other way it might not be. */
void service_tell_access(struct service *service)
{
	struct control_access message = describe_access(service);
	fd_auto int fd = -1;
	int r = open_access(service->config, &message, &fd);
	if (r < 0) {
		log_error("%s: cannot hand over who may connect: %s; nobody may until fdsupctl restart %s",
			service->config->name, strerror(-r), service->config->name);
		message = (struct control_access){ CONTROL_ACCESS, service->slot, .has_allow = true };
	}
	acceptor_tell(service->acceptor, &message, fd);
}

void service_tell_queue(struct service *service)
{
	struct control_number message = { CONTROL_QUEUE, service->slot };
	const int fds[] = { service->queue[0], service->slots_fd };
	acceptor_tell_with(service->acceptor, &message, fds, 1 + (service->slots_fd >= 0));
}

void service_tell_number(struct service *service, uint32_t kind)
{
	struct control_number message = { kind, service->slot };
	if (service->acceptor)
		acceptor_tell(service->acceptor, &message, -1);
}

void service_tell_ending(struct service *service, pid_t worker)
{
	struct control_process message = {
		.kind = CONTROL_WORKER_ENDING,
		.service = service->slot,
		.pid = worker,
	};
	if (service->acceptor)
		acceptor_tell(service->acceptor, &message, -1);
}

/* At an abstract name the kernel's word on who it is decides alone: unix(7). */
static struct control_listener describe_listener(
	const struct service *service, const struct listener *listener, uint32_t kind)
{
	const struct service_config *config = service->config;
	return (struct control_listener){
		.kind = kind,
		.service = service->slot,
		.listener = listener->id,
		.is_entrance = listener->where.is_entrance,
		.checks_uids = listener->where.is_entrance && unix_name_is_abstract(listener->where.path),
		.uids = { config->account ? config->account->uid : 0, config->sockets->socket_uid },
	};
}

void service_tell_listener(struct service *service, const struct listener *listener, uint32_t kind)
{
	struct control_listener message = describe_listener(service, listener, kind);
	if (!service->acceptor)
		return;
	acceptor_tell(service->acceptor, &message, kind == CONTROL_LISTENER ? listener->fd : -1);
}

void service_introduce(struct service *service)
{
	if (!service->is_open)
		return;
	/* Most services have one listener, and all of them start at the same time: one message each. */
	bool is_paused = service->state == STATE_PAUSED;
	bool has_plain = service->n_listeners && !service->listeners[0].where.is_entrance;
	uint32_t n_told = !is_paused && has_plain ? 1 : 0;
	service_tell_settings(service, true, n_told ? &service->listeners[0] : NULL);
	if (has_access_rules(service))
		service_tell_access(service);
	if (is_paused)
		service_tell_number(service, CONTROL_PAUSE);
	for (uint32_t i = n_told; i < service->n_listeners; i++)
		service_tell_listener(service, &service->listeners[i], CONTROL_LISTENER);
	for (struct worker *worker = service->workers; worker; worker = worker->next)
		worker_ask_reports(worker);
}
