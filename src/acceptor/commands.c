#include "acceptor/commands.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "acceptor/accepting.h"
#include "acceptor/access.h"
#include "acceptor/entrance.h"
#include "acceptor/listing.h"
#include "acceptor/losses.h"
#include "acceptor/reports.h"
#include "acceptor/service.h"
#include "acceptor/toll.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "config/config.h"

static int nonsense(struct acceptor *acceptor, const char *what, uint32_t kind)
{
	log_error("the supervisor sent a message of kind %u that makes no sense: %s; this "
		  "acceptor ends, and the supervisor starts another",
		kind, what);
	acceptor_stop(acceptor, EX_SOFTWARE);
	return -EBADMSG;
}

static struct service *find(struct acceptor *acceptor, uint32_t row)
{
	return row < acceptor->n_rows ? acceptor->services[row] : NULL;
}

static int make_row(struct acceptor *acceptor, uint32_t row)
{
	if (row < acceptor->n_rows)
		return 0;
	uint32_t n = row < 16 ? 16 : row + row / 2;
	struct service **services = realloc(acceptor->services, n * sizeof *services);
	if (!services)
		return -ENOMEM;
	memset(services + acceptor->n_rows, 0, (n - acceptor->n_rows) * sizeof *services);
	acceptor->services = services;
	acceptor->n_rows = n;
	return 0;
}

/* What stops a service from being served must be seen: the supervisor notices that we ended. */
static void out_of_memory(struct acceptor *acceptor)
{
	log_error("out of memory for another service or listener; this acceptor ends, and the "
		  "supervisor starts another");
	acceptor_stop(acceptor, EX_OSERR);
}

static const char *check_settings(const struct control_service *settings)
{
	if (settings->service >= SCOREBOARD_SLOTS)
		return "the service has no row on the scoreboard";
	if (!settings->name[0] || !memchr(settings->name, 0, sizeof settings->name))
		return "the name of the service is empty or too long";
	if (settings->overflow > OVERFLOW_RESET)
		return "unknown overflow rule";
	if (settings->log_address > LOG_ADDRESS_NONE)
		return "unknown part of addresses to log";
	if (!settings->queue_depth)
		return "the queue has no room";
	return NULL;
}

static void add_listener(
	struct service *service, const struct control_listener *settings, int *fd)
{
	struct acceptor *acceptor = service->acceptor;
	int r = settings->is_entrance ? entrance_add(service, settings, fd_take(fd))
				      : accepting_add(service, settings->listener, fd_take(fd));
	if (r == -ENOMEM)
		out_of_memory(acceptor);
	else if (r < 0)
		nonsense(acceptor, r == -EEXIST ? "a listener twice" : "the socket does not listen",
			settings->kind);
}

static const char *check_descriptors(
	const struct control_service *settings, bool is_known, const int fds[])
{
	size_t n = (size_t)(fds[0] >= 0) + (fds[1] >= 0) + (fds[2] >= 0);
	if (is_known)
		return n ? "descriptors for a known service" : NULL;
	return n == (size_t)(settings->has_queue != 0) + (settings->has_slots != 0) +
				(settings->listener != 0)
		       ? NULL
		       : "a new service without the descriptors that it names";
}

static void open_service(
	struct acceptor *acceptor, const struct control_service *settings, int fds[])
{
	const struct control_listener first = { settings->kind, settings->service, settings->listener };
	int queue_fd = settings->has_queue ? fd_take(fds++) : -1;
	int slots_fd = settings->has_slots ? fd_take(fds++) : -1;
	struct service *service = NULL;
	if (make_row(acceptor, settings->service) == 0)
		service = service_open(acceptor, settings, fd_take(&queue_fd), fd_take(&slots_fd));
	fd_close(&queue_fd);
	fd_close(&slots_fd);
	if (!service) {
		out_of_memory(acceptor);
		return;
	}
	acceptor->services[settings->service] = service;
	if (settings->listener)
		add_listener(service, &first, fds);
}

static void on_service(struct acceptor *acceptor, const union control_message *message, int fds[])
{
	const struct control_service *settings = &message->service;
	const char *wrong = check_settings(settings);
	struct service *service = wrong ? NULL : find(acceptor, settings->service);
	if (!wrong)
		wrong = check_descriptors(settings, service != NULL, fds);
	if (wrong)
		nonsense(acceptor, wrong, message->kind);
	else if (!service)
		open_service(acceptor, settings, fds);
	else if (service_change(service, settings) < 0)
		out_of_memory(acceptor);
}

static void on_access(struct acceptor *acceptor, const union control_message *message, int fds[])
{
	struct service *service = find(acceptor, message->access.service);
	struct access *access;
	if (!service) {
		nonsense(acceptor, "an unknown service", message->kind);
		return;
	}
	int r = access_read(&message->access, fds[0], &access);
	if (r == 0)
		service_set_access(service, access);
	else if (r == -ENOMEM)
		out_of_memory(acceptor);
	else
		nonsense(acceptor, "networks or times that are not there", message->kind);
}

/* The supervisor says it before it names any service. */
static void on_zone(struct acceptor *acceptor, const union control_message *message, int fds[])
{
	(void)fds;
	const struct zone *zone = &message->zone.zone;
	if (zone->n >= 1 && zone->n <= ZONE_SPANS_MAX)
		acceptor->zone = *zone;
	else
		nonsense(acceptor, "a time zone without an offset", message->kind);
}

static void on_queue(struct acceptor *acceptor, const union control_message *message, int fds[])
{
	struct service *service = find(acceptor, message->number.number);
	bool is_due = service && fds[0] >= 0 && !service_has_queue(service);
	if (is_due && service_give_queue(service, fd_take(&fds[0]), fd_take(&fds[1])) < 0)
		out_of_memory(acceptor);
	else if (!is_due)
		nonsense(acceptor, "a queue for a service that needs none", message->kind);
}

static void on_listener(struct acceptor *acceptor, const union control_message *message, int fds[])
{
	struct service *service = find(acceptor, message->listener.service);
	if (service && fds[0] >= 0)
		add_listener(service, &message->listener, &fds[0]);
	else
		nonsense(acceptor, "a listener without its service or descriptor", message->kind);
}

static void on_listener_close(
	struct acceptor *acceptor, const union control_message *message, int fds[])
{
	(void)fds;
	struct service *service = find(acceptor, message->listener.service);
	uint32_t id = message->listener.listener;
	if (!service || (accepting_remove(service, id) < 0 && entrance_remove(service, id) < 0))
		nonsense(acceptor, "an unknown listener", message->kind);
}

static void on_pause(struct acceptor *acceptor, const union control_message *message, int fds[])
{
	(void)fds;
	struct service *service = find(acceptor, message->number.number);
	if (service)
		service_pause(service, message->kind == CONTROL_PAUSE);
	else
		nonsense(acceptor, "an unknown service", message->kind);
}

static void on_forget(struct acceptor *acceptor, const union control_message *message, int fds[])
{
	(void)fds;
	struct service *service = find(acceptor, message->number.number);
	if (!service) {
		nonsense(acceptor, "an unknown service", message->kind);
		return;
	}
	/* Until it is closed it is found by its row: what has ended meanwhile is still its own. */
	service_close(service);
	acceptor->services[message->number.number] = NULL;
}

static void on_worker_gone(struct acceptor *acceptor, const union control_message *message, int fds[])
{
	(void)fds;
	struct service *service = find(acceptor, message->process.service);
	uint64_t now_ns = clock_now_ns();
	if (!service || message->process.pid <= 0) {
		nonsense(acceptor, "an unknown service or process", message->kind);
		return;
	}
	losses_worker_gone(service, message->process.pid, now_ns);
	uses_forget(&service->traffic->uses, message->process.pid);
	vacancies_forget(service, message->process.pid);
	service_settle(service, now_ns);
}

static void on_worker_ending(struct acceptor *acceptor, const union control_message *message, int fds[])
{
	(void)fds;
	struct service *service = find(acceptor, message->process.service);
	if (service && message->process.pid > 0)
		reports_excuse(service, message->process.pid, clock_now_ns());
	else
		nonsense(acceptor, "an unknown service or process", message->kind);
}

/* Its worker may have said that it started the process, and we have not listened yet. */
static void read_all_reports(struct acceptor *acceptor, uint64_t now_ns)
{
	for (uint32_t row = 0; row < acceptor->n_rows; row++)
		if (acceptor->services[row])
			reports_drain(acceptor->services[row], REPORTS_AT_ONCE, now_ns);
}

/* Its worker may have died before it could say that. */
static void find_process(struct acceptor *acceptor, pid_t pid)
{
	for (uint32_t row = 0; row < acceptor->n_rows; row++) {
		struct service *service = acceptor->services[row];
		uint32_t place = service ? copies_find_process(service, pid) : LEDGER_NOWHERE;
		if (place)
			reports_found_started(service, place, pid);
	}
}

/* Its worker died before it, so nobody else will report its end. */
static void on_child_ended(struct acceptor *acceptor, const union control_message *message, int fds[])
{
	(void)fds;
	const struct control_process *process = &message->process;
	uint64_t now_ns = clock_now_ns();
	/* What its worker said before it died counts, and counts once. */
	uint32_t place = ledger_find_pid(&acceptor->ledger, process->pid);
	if (place)
		reports_drain(find(acceptor, ledger_at(&acceptor->ledger, place)->service),
			REPORTS_AT_ONCE, now_ns);
	else
		read_all_reports(acceptor, now_ns);
	if (!ledger_find_pid(&acceptor->ledger, process->pid))
		find_process(acceptor, process->pid);
	while ((place = ledger_find_pid(&acceptor->ledger, process->pid))) {
		const struct ledger_entry *entry = ledger_at(&acceptor->ledger, place);
		struct service *service = find(acceptor, entry->service);
		struct ending ending = {
			.duration_us = (now_ns - entry->accepted_ns) / 1000,
			.cpu_us = process->cpu_us,
			.max_rss_kib = (uint32_t)process->max_rss_kib,
			.status = process->status,
		};
		toll_orphan(service, entry->worker);
		reports_end(service, place, &ending, now_ns);
		service_settle(service, now_ns);
	}
}

static void on_queue_back(struct acceptor *acceptor, const union control_message *message, int fds[])
{
	(void)fds;
	struct control_number answer = { CONTROL_QUEUE_CLOSED, message->number.number };
	struct service *service = find(acceptor, message->number.number);
	if (!service)
		nonsense(acceptor, "an unknown service", message->kind);
	else if (service_give_queue_back(service))
		acceptor_tell_supervisor(acceptor, &answer, sizeof answer);
}

static void on_list(struct acceptor *acceptor, const union control_message *message, int fds[])
{
	(void)fds;
	listing_begin(acceptor, message->number.number);
}

static void on_sync(struct acceptor *acceptor, const union control_message *message, int fds[])
{
	(void)fds;
	struct control_number answer = { .kind = CONTROL_SYNCED, .number = message->number.number };
	acceptor_tell_supervisor(acceptor, &answer, sizeof answer);
}

static void on_estate_out(struct acceptor *acceptor, const union control_message *message, int fds[])
{
	if (fds[0] < 0)
		nonsense(acceptor, "an estate without its descriptor", message->kind);
	else
		acceptor_set_estate(acceptor, fd_take(&fds[0]));
}

static void on_estate_in(struct acceptor *acceptor, const union control_message *message, int fds[])
{
	(void)message;
	heir_open(acceptor, fd_take(&fds[0]));
}

static void on_severed(struct acceptor *acceptor, const union control_message *message, int fds[])
{
	(void)fds;
	struct service *service = find(acceptor, message->connection.service);
	if (service)
		lapse_on_severed(service, &message->connection);
}

static const struct command {
	void (*handle)(struct acceptor *acceptor, const union control_message *message, int fds[]);
	size_t n_fds; /* at most */
} commands[] = {
	[CONTROL_SERVICE] = { on_service, 3 },
	[CONTROL_LISTENER] = { on_listener, 1 },
	[CONTROL_LISTENER_CLOSE] = { on_listener_close },
	[CONTROL_PAUSE] = { on_pause },
	[CONTROL_RESUME] = { on_pause },
	[CONTROL_FORGET] = { on_forget, 1 },
	[CONTROL_WORKER_GONE] = { on_worker_gone },
	[CONTROL_CHILD_ENDED] = { on_child_ended },
	[CONTROL_ACCESS] = { on_access, 1 },
	[CONTROL_ZONE] = { on_zone },
	[CONTROL_QUEUE] = { on_queue, 2 },
	[CONTROL_QUEUE_BACK] = { on_queue_back },
	[CONTROL_SYNC] = { on_sync },
	[CONTROL_LIST] = { on_list },
	[CONTROL_ESTATE_OUT] = { on_estate_out, 1 },
	[CONTROL_ESTATE_IN] = { on_estate_in, 1 },
	[CONTROL_SEVERED] = { on_severed },
	[CONTROL_WORKER_ENDING] = { on_worker_ending },
};

static void dispatch(struct acceptor *acceptor, const union control_message *message, size_t length,
	int fds[], size_t n_fds)
{
	if (length < sizeof message->kind) {
		nonsense(acceptor, "too short", 0);
		return;
	}
	const struct command *command = message->kind < sizeof commands / sizeof *commands
						? &commands[message->kind]
						: NULL;
	if (!command || !command->handle)
		nonsense(acceptor, "unknown kind", message->kind);
	else if (length != control_size(message->kind))
		nonsense(acceptor, "wrong size", message->kind);
	else if (n_fds > command->n_fds)
		nonsense(acceptor, "a descriptor nobody wants", message->kind);
	else
		command->handle(acceptor, message, fds);
}

void commands_handle(struct acceptor *acceptor, const union control_message *message, size_t length,
	int fds[CONTROL_FDS_MAX], size_t n_fds)
{
	for (size_t i = n_fds; i < CONTROL_FDS_MAX; i++)
		fds[i] = -1;
	dispatch(acceptor, message, length, fds, n_fds);
	for (size_t i = 0; i < n_fds; i++)
		fd_close(&fds[i]);
}
