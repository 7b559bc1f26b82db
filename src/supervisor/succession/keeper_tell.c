/*
 * What has changed is told to the keeper: record by record, or all of it as a whole.
 */
#include "supervisor/succession/keeper.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/heap.h"
#include "base/log.h"
#include "config/pack.h"
#include "supervisor/acceptor.h"
#include "supervisor/service/service.h"
#include "supervisor/succession/keeper_parts.h"
#include "supervisor/succession/saved.h"
#include "supervisor/succession/saved_configs.h"
#include "supervisor/succession/shorthand.h"
#include "supervisor/supervisor.h"
#include "wire/keeping.h"

enum { SETTLE_MS = 250 };

/* Services told in one turn of the loop: a tenth of a millisecond, for clients wait meanwhile. */
enum { FILLED_A_TURN = 8 };

static const double patience_s = 5;

bool keeper_is_there(const struct keeper *keeper)
{
	return keeper && keeper->channel.socket >= 0;
}

/* One that does not read keeps open what was given up, and us from being rid of what we send. */
static void expect(struct keeper *keeper)
{
	struct ev_loop *loop = keeper->supervisor->loop;
	if (ev_is_active(&keeper->patience))
		return;
	ev_timer_set(&keeper->patience, patience_s, 0);
	ev_timer_start(loop, &keeper->patience);
}

void keeper_on_patience(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)loop, (void)events;
	struct keeper *keeper = timer->data;
	if (!keeper->is_told_off && !channel_has_backlog(&keeper->channel))
		return;
	log_warning("the keeper %d does not answer; it is killed", (int)keeper->child.pid);
	if (keeper->child.pid)
		kill(keeper->child.pid, SIGKILL);
}

static void send_message(struct keeper *keeper, const void *message, size_t size, const int fds[],
	size_t n_fds)
{
	int r = channel_send(&keeper->channel, message, size, fds, n_fds);
	if (r < 0 && r != -EPIPE && r != -ECONNRESET) {
		log_error("keeper: %s; it is replaced", strerror(-r));
		keeper->is_behind = true;
		if (keeper->child.pid)
			kill(keeper->child.pid, SIGKILL);
	}
	if (channel_has_backlog(&keeper->channel)) {
		ev_io_start(keeper->supervisor->loop, &keeper->writable);
		expect(keeper);
	}
}

static void tell(struct keeper *keeper, uint32_t kind, uint32_t number, const char *key)
{
	struct keeping_message message = { .kind = kind, .number = number };
	if (key)
		snprintf(message.key, sizeof message.key, "%s", key);
	send_message(keeper, &message, sizeof message, NULL, 0);
}

static void send_parts(struct keeper *keeper, const char *key, const char *text, size_t length,
	const struct state_fds *fds)
{
	static struct keeping_buffer buffer;
	size_t text_sent = 0, fds_sent = 0;
	do {
		size_t n = length - text_sent, n_fds = fds->n - fds_sent;
		n = n < KEEPING_TEXT_MAX ? n : KEEPING_TEXT_MAX;
		n_fds = n_fds < KEEPING_FDS_MAX ? n_fds : KEEPING_FDS_MAX;
		buffer.head = (struct keeping_message){
			.kind = KEEPING_PUT,
			.is_last = text_sent + n == length && fds_sent + n_fds == fds->n,
			.length = (uint32_t)n,
			.n_fds = (uint32_t)n_fds,
		};
		snprintf(buffer.head.key, sizeof buffer.head.key, "%s", key);
		memcpy(buffer.text, text + text_sent, n);
		send_message(keeper, &buffer, sizeof buffer.head + n, fds->items + fds_sent, n_fds);
		text_sent += n;
		fds_sent += n_fds;
	} while (!buffer.head.is_last);
}

/* Takes both. What there was no memory for is told again at the next turn: all of it. */
void keeper_put(struct keeper *keeper, const char *key, json_t *json, struct state_fds *fds)
{
	char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
	if (text)
		send_parts(keeper, key, text, shorthand_write(text), fds);
	else
		keeper->is_behind = true;
	free(text);
	free(fds->items);
	json_decref(json);
}

static void put_service(struct keeper *keeper, struct service *service)
{
	struct state_fds fds = { .is_brief = true };
	char key[STATE_KEY_SIZE];
	service->is_touched = false;
	json_t *json = saved_service(service, &fds);
	keeper_put(keeper, saved_service_key(key, service), json, &fds);
}

static void put_acceptor(struct keeper *keeper, struct acceptor *acceptor)
{
	struct state_fds fds = { .is_brief = true };
	char key[STATE_KEY_SIZE];
	acceptor->is_touched = false;
	snprintf(key, sizeof key, "acceptor/%u", acceptor->number);
	json_t *json = saved_acceptor(acceptor, &fds);
	keeper_put(keeper, key, json, &fds);
}

static bool has_edition(const struct keeper *keeper, uint64_t edition)
{
	for (size_t i = 0; i < keeper->n_editions; i++)
		if (keeper->editions[i] == edition)
			return true;
	return false;
}

/* If that cannot be noted down it is told once more. */
static void note_editions(struct keeper *keeper, const struct state *state)
{
	uint64_t *editions = realloc(keeper->editions, (state->n + 1) * sizeof *editions);
	keeper->n_editions = 0;
	if (!editions)
		return;
	keeper->editions = editions;
	for (size_t i = 0; i < state->n; i++)
		editions[keeper->n_editions++] = (uint64_t)json_integer_value(
			json_object_get(state->records[i].json, "edition"));
}

/* A service in the middle of a reload: nobody could read its record without the new texts. */
static bool lacks_configs(const struct keeper *keeper)
{
	const struct supervisor *supervisor = keeper->supervisor;
	for (size_t i = 0; i < supervisor->n_services; i++) {
		const struct service *service = supervisor->services[i];
		const struct pack *pack = service->config->pack;
		if (service->is_touched && pack && !has_edition(keeper, pack->config->edition))
			return true;
	}
	return false;
}

static bool is_used(const struct supervisor *supervisor, uint64_t edition)
{
	bool is = supervisor->config->edition == edition;
	for (size_t i = 0; i < supervisor->n_services && !is; i++) {
		const struct pack *pack = supervisor->services[i]->config->pack;
		is = pack && pack->config->edition == edition;
	}
	return is;
}

/* The last service that lived by it has changed over, or is gone. */
static bool has_old_configs(const struct keeper *keeper)
{
	for (size_t i = 0; i < keeper->n_editions && keeper->n_editions > 1; i++)
		if (!is_used(keeper->supervisor, keeper->editions[i]))
			return true;
	return false;
}

static void put_configs(struct keeper *keeper)
{
	struct state state = { 0 };
	if (saved_configs_add(keeper->supervisor, &state) < 0)
		keeper->is_behind = true;
	note_editions(keeper, &state);
	for (size_t i = 0; i < state.n; i++) {
		struct state_record *record = &state.records[i];
		keeper_put(keeper, record->key, record->json, &record->fds);
		record->json = NULL;
		record->fds = (struct state_fds){ 0 };
	}
	state_free(&state);
}

/* ---- everything ------------------------------------------------------------------------------ */

static void begin_all(struct keeper *keeper)
{
	struct supervisor *supervisor = keeper->supervisor;
	struct state_fds fds = { .is_brief = true };
	keeper->is_touched = keeper->is_behind = keeper->is_empty = false;
	keeper->is_filling = true;
	keeper->n_told = 0;
	tell(keeper, KEEPING_BEGIN, 0, NULL);
	json_t *own = saved_supervisor(supervisor, &fds);
	keeper_put(keeper, "fdsup", own, &fds);
	put_configs(keeper);
	for (size_t i = 0; i < supervisor->n_acceptors; i++)
		put_acceptor(keeper, supervisor->acceptors[i]);
}

/* What is put between BEGIN and COMMIT, in whatever order and how often, counts from COMMIT on. */
static void fill(struct keeper *keeper, size_t n_most)
{
	const struct supervisor *supervisor = keeper->supervisor;
	for (; n_most && keeper->n_told < supervisor->n_services; n_most--)
		put_service(keeper, supervisor->services[keeper->n_told++]);
	if (keeper->n_told < supervisor->n_services)
		return;
	keeper_put_deaths(keeper);
	tell(keeper, KEEPING_COMMIT, 0, NULL);
	keeper->is_filling = false;
}

void keeper_on_filling(struct ev_loop *loop, ev_idle *idle, int events)
{
	(void)loop, (void)idle, (void)events; /* the loop does not wait: that is all */
}

/* ---- what has changed ------------------------------------------------------------------------ */

void keeper_touch(struct service *service)
{
	service->is_touched = true;
	service->supervisor->has_touched = true;
}

void keeper_touch_acceptor(struct acceptor *acceptor)
{
	acceptor->is_touched = true;
	acceptor->supervisor->has_touched = true;
}

void keeper_touch_all(struct supervisor *supervisor)
{
	supervisor->has_touched = true;
	if (supervisor->keeper)
		supervisor->keeper->is_touched = true;
}

void keeper_forget(const struct service *service)
{
	struct keeper *keeper = service->supervisor->keeper;
	char key[STATE_KEY_SIZE];
	service->supervisor->has_touched = true;
	if (keeper && keeper->is_filling)
		keeper->is_behind = true; /* those behind it move up: they are counted anew */
	if (keeper_is_there(keeper))
		tell(keeper, KEEPING_DROP, 0, saved_service_key(key, service));
}

void keeper_tell_now(struct service *service)
{
	struct keeper *keeper = service->supervisor->keeper;
	keeper_touch(service);
	bool is_readable = keeper_is_there(keeper) && !keeper->is_touched && !keeper->is_behind &&
			   !lacks_configs(keeper);
	if (is_readable)
		put_service(keeper, service);
}

static void put_touched(struct keeper *keeper)
{
	struct supervisor *supervisor = keeper->supervisor;
	size_t n = keeper->is_filling ? keeper->n_told : supervisor->n_services;
	for (size_t i = 0; i < supervisor->n_acceptors; i++)
		if (supervisor->acceptors[i]->is_touched)
			put_acceptor(keeper, supervisor->acceptors[i]);
	for (size_t i = 0; i < n; i++)
		if (supervisor->services[i]->is_touched)
			put_service(keeper, supervisor->services[i]);
	supervisor->has_touched = keeper->is_behind;
}

/* True if all that there is had to be told, and was: at once, or over some turns unless `is_urgent`. */
static bool put_all_if_needed(struct keeper *keeper, bool is_urgent)
{
	bool is_needed = keeper->is_touched || keeper->is_behind || lacks_configs(keeper) ||
			 has_old_configs(keeper);
	bool is_piecemeal = !is_urgent && (keeper->is_empty || (keeper->is_filling && !is_needed));
	if (is_needed)
		begin_all(keeper);
	if (!keeper->is_filling)
		return false;
	/* It reads while we serve: what it has not read yet would lie in our memory. */
	if (!is_piecemeal)
		fill(keeper, SIZE_MAX);
	else if (!channel_has_backlog(&keeper->channel))
		fill(keeper, FILLED_A_TURN);
	return !keeper->is_filling;
}

static void send_touched(struct keeper *keeper, bool is_urgent)
{
	struct supervisor *supervisor = keeper->supervisor;
	if (!supervisor->has_touched && !keeper->is_filling)
		return;
	bool is_all = put_all_if_needed(keeper, is_urgent);
	put_touched(keeper);
	bool has_backlog = channel_has_backlog(&keeper->channel);
	if (keeper->is_filling && !has_backlog)
		ev_idle_start(supervisor->loop, &keeper->filling);
	else
		ev_idle_stop(supervisor->loop, &keeper->filling);
	/* A start, or what a reload changes, is over, and has freed much, this among it. */
	if (is_all && !has_backlog)
		heap_give_back();
}

void keeper_flush(struct supervisor *supervisor)
{
	struct keeper *keeper = supervisor->keeper;
	if (!keeper_is_there(keeper))
		return;
	send_touched(keeper, false);
	if (keeper->is_filling)
		return;
	keeper_tell_deaths(keeper);
	if (!keeper->is_behind)
		keeper_end_doubt(supervisor);
}

/* ---- what it says ------------------------------------------------------------------------------ */

/* False: nothing was there. */
static bool receive(struct keeper *keeper)
{
	struct keeping_message head;
	struct descriptor_message message = { .bytes = &head, .size = sizeof head };
	if (descriptor_receive(keeper->channel.socket, &message) != 1)
		return false;
	if (message.length == sizeof head && head.kind == KEEPING_SYNCED) {
		keeper->n_synced = head.number;
		keeper->is_told_off = false;
	}
	return true;
}

void keeper_on_readable(struct ev_loop *loop, ev_io *watcher, int events)
{
	(void)events;
	if (!receive(watcher->data))
		ev_io_stop(loop, watcher); /* its end is seen elsewhere */
}

void keeper_on_writable(struct ev_loop *loop, ev_io *watcher, int events)
{
	(void)events;
	struct keeper *keeper = watcher->data;
	if (channel_flush(&keeper->channel) >= 0 && channel_has_backlog(&keeper->channel))
		return;
	ev_io_stop(loop, watcher);
	heap_give_back();
}

void keeper_settle(struct supervisor *supervisor)
{
	struct keeper *keeper = supervisor->keeper;
	if (!keeper_is_there(keeper) || keeper->is_told_off)
		return;
	/* From here on the acceptor has what the keeper has no more, until it is told. */
	keeper_doubt(supervisor);
	send_touched(keeper, true);
	uint64_t end_ms = clock_now_ms() + SETTLE_MS;
	tell(keeper, KEEPING_SYNC, ++keeper->n_syncs, NULL);
	while (keeper->n_synced != keeper->n_syncs) {
		struct pollfd answer = { .fd = keeper->channel.socket, .events = POLLIN };
		uint64_t now_ms = clock_now_ms();
		if (now_ms >= end_ms || poll(&answer, 1, (int)(end_ms - now_ms)) < 0 ||
			(answer.revents && !receive(keeper)))
			break;
	}
	keeper->is_told_off = keeper->n_synced != keeper->n_syncs;
	if (keeper->is_told_off)
		expect(keeper);
}
