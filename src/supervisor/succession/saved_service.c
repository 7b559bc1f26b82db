#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <netinet/in.h>

#include "config/pack.h"
#include "supervisor/acceptor.h"
#include "supervisor/listeners/bound_name.h"
#include "supervisor/log/capture.h"
#include "supervisor/service/service.h"
#include "supervisor/succession/saved.h"
#include "supervisor/supervisor.h"

char *saved_service_key(char key[STATE_KEY_SIZE], const struct service *service)
{
	snprintf(key, STATE_KEY_SIZE, "service/%" PRIu64, service->serial);
	return key;
}

/* ---- state ------------------------------------------------------------------------------------- */

static json_t *save_state(const void *object, struct state_fds *fds)
{
	(void)fds;
	return json_string(service_state_name(((const struct service *)object)->state));
}

static int restore_state(
	void *object, const json_t *value, struct state_fds *fds, char error[STATE_ERROR_SIZE])
{
	(void)fds;
	struct service *service = object;
	const char *name = json_string_value(value);
	for (int state = 0; name && state < STATE_COUNT; state++) {
		service->state = (enum service_state)state;
		if (!strcmp(name, service_state_name(service->state)))
			return 0;
	}
	snprintf(error, STATE_ERROR_SIZE, "the state \"%.40s\" is unknown", name ? name : "");
	return -EINVAL;
}

/* ---- what it hangs on -------------------------------------------------------------------------- */

static json_t *save_acceptor(const void *object, struct state_fds *fds)
{
	(void)fds;
	const struct service *service = object;
	return service->acceptor ? json_integer(service->acceptor->number) : NULL;
}

static int restore_acceptor(
	void *object, const json_t *value, struct state_fds *fds, char error[STATE_ERROR_SIZE])
{
	(void)fds, (void)error;
	struct service *service = object;
	const struct supervisor *supervisor = service->supervisor;
	json_int_t number = json_integer_value(value);
	if (!json_is_integer(value) || number < 0 || (size_t)number >= supervisor->n_acceptors)
		return -EINVAL;
	service->acceptor = supervisor->acceptors[number];
	int r = acceptor_take_this_slot(service->acceptor, service->slot);
	if (r < 0)
		service->acceptor = NULL;
	return r;
}

static json_t *save_queue(const void *object, struct state_fds *fds)
{
	const struct service *service = object;
	json_t *ends = service->queue[0] >= 0 ? json_array() : NULL;
	for (int i = 0; ends && i < 2; i++)
		json_array_append_new(ends, state_save_fd(service->queue[i], fds));
	if (ends && service->slots_fd >= 0)
		json_array_append_new(ends, state_save_fd(service->slots_fd, fds));
	return ends;
}

static int restore_queue(
	void *object, const json_t *value, struct state_fds *fds, char error[STATE_ERROR_SIZE])
{
	(void)error;
	struct service *service = object;
	size_t n = json_array_size(value);
	int r = n == 2 || n == 3 ? 0 : -EINVAL;
	for (size_t i = 0; i < 2 && r == 0; i++)
		r = state_restore_fd(json_array_get(value, i), fds, &service->queue[i]);
	/* The third are the slots, which workers to come must claim in as those do that run. */
	if (r == 0 && n == 3)
		r = state_restore_fd(json_array_get(value, 2), fds, &service->slots_fd);
	return r;
}

static json_t *save_capture(const void *object, struct state_fds *fds)
{
	return capture_save(((const struct service *)object)->capture, fds);
}

static int restore_capture(
	void *object, const json_t *value, struct state_fds *fds, char error[STATE_ERROR_SIZE])
{
	(void)error;
	struct service *service = object;
	service->capture = capture_restore(
		service->supervisor->loop, service->config->name, CAPTURE_PROGRAM, value, fds);
	return service->capture ? 0 : -EINVAL;
}

/* ---- listeners --------------------------------------------------------------------------------- */

/* Family, port, scope and bytes of the address without the zeros at its end: "2 80 0 7f000001". */
static json_t *save_address(const void *object, struct state_fds *fds)
{
	(void)fds;
	const struct endpoint *address = &((const struct listener *)object)->where.address;
	char text[2 * sizeof address->ip + 32];
	size_t n_bytes = sizeof address->ip;
	while (n_bytes && !address->ip[n_bytes - 1])
		n_bytes--;
	int n = snprintf(text, sizeof text, "%u %u %u ", (unsigned)address->family,
		(unsigned)address->port, (unsigned)address->scope);
	for (size_t i = 0; i < n_bytes; i++)
		n += snprintf(text + n, sizeof text - (size_t)n, "%02x", address->ip[i]);
	return json_string(text);
}

static int restore_address(
	void *object, const json_t *value, struct state_fds *fds, char error[STATE_ERROR_SIZE])
{
	(void)fds, (void)error;
	struct endpoint *address = &((struct listener *)object)->where.address;
	const char *text = json_string_value(value);
	unsigned family, port, scope, byte;
	int n = 0;
	if (!text || sscanf(text, "%u %u %u %n", &family, &port, &scope, &n) != 3 || !n)
		return -EINVAL;
	size_t n_digits = strlen(text + n);
	if (n_digits > 2 * sizeof address->ip || n_digits % 2 || family > UINT16_MAX || port > UINT16_MAX)
		return -EINVAL;
	*address = (struct endpoint){
		.family = (uint16_t)family,
		.port = (uint16_t)port,
		.scope = scope,
	};
	for (size_t i = 0; i < n_digits / 2; i++) {
		if (sscanf(text + n + 2 * i, "%2x", &byte) != 1)
			return -EINVAL;
		address->ip[i] = (uint8_t)byte;
	}
	return 0;
}

static json_t *save_name(const void *object, struct state_fds *fds)
{
	(void)fds;
	const struct bound_name *name = ((const struct listener *)object)->name;
	return name ? json_pack("{s:s, s:I, s:I}", "text", name->text, "device",
			      (json_int_t)name->file.device, "inode", (json_int_t)name->file.inode)
		    : NULL;
}

static int restore_name(
	void *object, const json_t *value, struct state_fds *fds, char error[STATE_ERROR_SIZE])
{
	(void)fds, (void)error;
	struct listener *listener = object;
	const char *text = json_string_value(json_object_get(value, "text"));
	const struct unix_file file = {
		(dev_t)json_integer_value(json_object_get(value, "device")),
		(ino_t)json_integer_value(json_object_get(value, "inode")),
	};
	if (!text)
		return -EINVAL;
	listener->name = bound_name_restore(text, &file);
	if (!listener->name)
		return -ENOMEM;
	listener->where.path = listener->name->text;
	return 0;
}

static const struct state_row listener_rows[] = {
	STATE_FIELD(STATE_FD, struct listener, fd),
	STATE_FIELD(STATE_UNSIGNED, struct listener, id),
	STATE_FIELD(STATE_BOOL, struct listener, where.is_both_families),
	STATE_FIELD(STATE_BOOL, struct listener, where.is_entrance),
	STATE_PAIR("address", save_address, restore_address),
	STATE_PAIR("name", save_name, restore_name),
};
enum { N_LISTENER_ROWS = sizeof listener_rows / sizeof *listener_rows };

static json_t *save_listeners(const void *object, struct state_fds *fds)
{
	const struct service *service = object;
	/* None may be bound yet: then the list is empty, and still there. */
	json_t *listeners = service->listeners ? json_array() : NULL;
	for (uint32_t i = 0; i < service->n_listeners; i++)
		json_array_append_new(listeners,
			state_save_rows(listener_rows, N_LISTENER_ROWS, &service->listeners[i], fds));
	return listeners;
}

/* Two services share the name of a socket while one takes it over from the other. */
static void share_name(struct supervisor *supervisor, struct listener *listener)
{
	for (size_t i = 0; listener->name && i < supervisor->n_services; i++) {
		const struct service *other = supervisor->services[i];
		for (uint32_t j = 0; j < other->n_listeners; j++) {
			struct bound_name *name = other->listeners[j].name;
			if (!name || strcmp(name->text, listener->name->text) ||
				name->file.inode != listener->name->file.inode)
				continue;
			free(listener->name);
			listener->name = bound_name_share(name);
			listener->where.path = name->text;
			return;
		}
	}
}

static int restore_listeners(
	void *object, const json_t *value, struct state_fds *fds, char error[STATE_ERROR_SIZE])
{
	struct service *service = object;
	size_t n = json_array_size(value), i;
	json_t *item;
	if (!json_is_array(value))
		return -EINVAL;
	service->listeners = calloc(n ? n : 1, sizeof *service->listeners);
	if (!service->listeners)
		return -ENOMEM;
	json_array_foreach(value, i, item) {
		struct listener *listener = &service->listeners[service->n_listeners++];
		listener->fd = -1;
		int r = state_restore_rows(
			listener_rows, N_LISTENER_ROWS, listener, item, fds, error);
		if (r < 0)
			return r;
		listener->is_handed = true;
		share_name(service->supervisor, listener);
		listeners_know_id(listener->id);
	}
	return 0;
}

/* ---- its past ---------------------------------------------------------------------------------- */

static json_t *save_step(const void *object, struct state_fds *fds)
{
	(void)fds;
	const char *step = ((const struct history *)object)->last_death.step;
	return step ? json_string(step) : NULL;
}

/* It is a constant of this program, if this program has it. */
static int restore_step(
	void *object, const json_t *value, struct state_fds *fds, char error[STATE_ERROR_SIZE])
{
	(void)fds, (void)error;
	static const char *const known[] = { "setsid", "dup2", "setpriority", "setrlimit", "setgroups",
		"setgid", "setuid", "chdir", "prctl", "exec", "pipe", "fork", "queue", "environment" };
	struct last_death *death = &((struct history *)object)->last_death;
	death->step = "start";
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (json_is_string(value) && !strcmp(json_string_value(value), known[i]))
			death->step = known[i];
	return 0;
}

static json_t *save_killing(const void *object, struct state_fds *fds)
{
	(void)fds;
	const char *text = health_killing_text(((const struct history *)object)->last_death.killing);
	return text ? json_string(text) : NULL;
}

static int restore_killing(
	void *object, const json_t *value, struct state_fds *fds, char error[STATE_ERROR_SIZE])
{
	(void)fds, (void)error;
	struct last_death *death = &((struct history *)object)->last_death;
	for (enum health_killing i = KILLED_BY_OTHERS + 1; i < KILLINGS; i++)
		if (json_is_string(value) && !strcmp(json_string_value(value), health_killing_text(i)))
			death->killing = i;
	return 0;
}

static json_t *save_times(const void *object, struct state_fds *fds)
{
	(void)fds;
	const struct backoff *backoff = &((const struct history *)object)->backoff;
	json_t *times = backoff->n_times ? json_array() : NULL;
	for (size_t i = 0; times && i < BACKOFF_DEATHS_KEPT; i++)
		json_array_append_new(times, json_integer(backoff->times_ms[i]));
	return times;
}

static int restore_times(
	void *object, const json_t *value, struct state_fds *fds, char error[STATE_ERROR_SIZE])
{
	(void)fds, (void)error;
	struct backoff *backoff = &((struct history *)object)->backoff;
	for (size_t i = 0; i < BACKOFF_DEATHS_KEPT; i++)
		backoff->times_ms[i] = (uint32_t)json_integer_value(json_array_get(value, i));
	return 0;
}

static const struct state_row history_rows[] = {
	STATE_FIELD(STATE_UNSIGNED, struct history, backoff.early_deaths),
	STATE_FIELD(STATE_UNSIGNED, struct history, backoff.n_times),
	STATE_FIELD(STATE_BOOL, struct history, last_death.is_known),
	STATE_FIELD(STATE_BOOL, struct history, last_death.was_spawned),
	STATE_FIELD(STATE_BOOL, struct history, last_death.was_ready),
	STATE_FIELD(STATE_SIGNED, struct history, last_death.pid),
	STATE_FIELD(STATE_SIGNED, struct history, last_death.status),
	STATE_FIELD(STATE_UNSIGNED, struct history, last_death.age_ms),
	STATE_FIELD(STATE_UNSIGNED, struct history, last_death.n_left_behind),
	STATE_FIELD(STATE_BOOL, struct history, last_death.was_out_of_memory),
	STATE_FIELD(STATE_UNSIGNED, struct history, n_oom_kills),
	STATE_FIELD(STATE_UNSIGNED, struct history, last_death.delay_ms),
	STATE_FIELD(STATE_BOOL, struct history, last_death.gave_up),
	STATE_FIELD(STATE_UNSIGNED, struct history, renew_after_ms),
	STATE_PAIR("killing", save_killing, restore_killing),
	STATE_PAIR("step", save_step, restore_step),
	STATE_PAIR("times_ms", save_times, restore_times),
};
enum { N_HISTORY_ROWS = sizeof history_rows / sizeof *history_rows };

static json_t *save_history(const void *object, struct state_fds *fds)
{
	const struct history *history = ((const struct service *)object)->history;
	return history ? state_save_rows(history_rows, N_HISTORY_ROWS, history, fds) : NULL;
}

static int restore_history(
	void *object, const json_t *value, struct state_fds *fds, char error[STATE_ERROR_SIZE])
{
	struct service *service = object;
	service->history = calloc(1, sizeof *service->history);
	return service->history ? state_restore_rows(history_rows, N_HISTORY_ROWS, service->history,
					  value, fds, error)
				: -ENOMEM;
}

/* ---- its workers ------------------------------------------------------------------------------- */

static json_t *save_workers(const void *object, struct state_fds *fds)
{
	const struct service *service = object;
	json_t *workers = service->workers ? json_array() : NULL;
	for (const struct worker *worker = service->workers; worker; worker = worker->next)
		json_array_append_new(workers, saved_worker(worker, fds));
	return workers;
}

static int restore_workers(
	void *object, const json_t *value, struct state_fds *fds, char error[STATE_ERROR_SIZE])
{
	struct service *service = object;
	size_t i;
	json_t *item;
	int r = 0;
	json_array_foreach(value, i, item)
		if (r == 0)
			r = saved_restore_worker(service, item, fds, error);
	for (struct worker *worker = service->workers; worker; worker = worker->next)
		for (struct worker *other = service->workers; other; other = other->next)
			if (other->pid == worker->replaces_pid)
				worker->replaces = other;
	return r;
}

/* ---- all of it --------------------------------------------------------------------------------- */

/* The slot before the acceptor, which is asked for it. */
static const struct state_row rows[] = {
	STATE_FIELD(STATE_UNSIGNED, struct service, serial),
	STATE_PAIR("state", save_state, restore_state),
	STATE_FIELD(STATE_UNSIGNED, struct service, state_since_ms),
	STATE_FIELD(STATE_BOOL, struct service, is_wanted),
	STATE_FIELD(STATE_BOOL, struct service, is_leaving),
	STATE_FIELD(STATE_UNSIGNED, struct service, slot),
	STATE_PAIR("acceptor", save_acceptor, restore_acceptor),
	STATE_FIELD(STATE_UNSIGNED, struct service, close_sync),
	STATE_FIELD(STATE_UNSIGNED, struct service, pause_sync),
	STATE_FIELD(STATE_BOOL, struct service, is_awaiting),
	STATE_FIELD(STATE_BOOL, struct service, is_to_stop),
	STATE_FIELD(STATE_UNSIGNED, struct service, start_ms),
	STATE_PAIR("listeners", save_listeners, restore_listeners),
	STATE_FIELD(STATE_BOOL, struct service, is_open),
	STATE_PAIR("queue", save_queue, restore_queue),
	STATE_PAIR("workers", save_workers, restore_workers),
	STATE_FIELD(STATE_UNSIGNED, struct service, generation),
	STATE_PAIR("capture", save_capture, restore_capture),
	STATE_PAIR("history", save_history, restore_history),
	STATE_FIELD(STATE_UNSIGNED, struct service, next_try_ms),
	STATE_FIELD(STATE_UNSIGNED, struct service, terminate_ms),
	STATE_FIELD(STATE_BOOL, struct service, is_hurried),
	STATE_FIELD(STATE_TEXT, struct service, reload_failure),
	STATE_FIELD(STATE_TEXT, struct service, missing),
	STATE_FIELD(STATE_BOOL, struct service, has_spawned),
	STATE_FIELD(STATE_BOOL, struct service, has_cgroup),
	STATE_FIELD(STATE_UNSIGNED, struct service, n_deaths),
	STATE_FIELD(STATE_UNSIGNED, struct service, n_restarts),
};
enum { N_ROWS = sizeof rows / sizeof *rows };

json_t *saved_service(const struct service *service, struct state_fds *fds)
{
	json_t *json = state_save_rows(rows, N_ROWS, service, fds);
	if (!json)
		return NULL;
	json_object_set_new(json, "name", json_string(service->config->name));
	if (service->config->pack)
		json_object_set_new(json, "edition",
			json_integer((json_int_t)service->config->pack->config->edition));
	return json;
}

int saved_restore_service(
	struct service *service, struct state_record *record, char error[STATE_ERROR_SIZE])
{
	int r = state_restore_rows(rows, N_ROWS, service, record->json, &record->fds, error);
	standing_change(&service->standing, service->state, service->state_since_ms);
	return r;
}
