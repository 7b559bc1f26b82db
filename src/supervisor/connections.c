#include "supervisor/connections.h"

#include <ev.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "supervisor/acceptor.h"
#include "supervisor/supervisor.h"
#include "wire/control.h"

/* An acceptor that does not answer is left out. */
static const double patience_s = 3;

struct asker {
	struct asker *next;
	connections_ready *ready;
	void *context;
};

struct connections_round {
	struct supervisor *supervisor;
	uint32_t number;
	size_t n_pending;
	bool *is_pending;                /* by acceptor */
	struct connections *connections; /* NULL: no round is under way */
	struct asker *current, *next;
	ev_timer timer;
};

void connections_release(struct connections *connections)
{
	if (!connections || --connections->n_users)
		return;
	for (size_t i = 0; i < connections->n_parts; i++)
		connections_unmap(connections->parts[i].rows, connections->parts[i].n);
	free(connections);
}

static void begin(struct connections_round *round);

static void tell(struct asker *asker, struct connections *connections)
{
	while (asker) {
		struct asker *next = asker->next;
		if (connections)
			connections->n_users++;
		asker->ready(asker->context, connections);
		free(asker);
		asker = next;
	}
}

static void finish(struct connections_round *round)
{
	struct connections *connections = round->connections;
	struct asker *current = round->current;
	ev_timer_stop(round->supervisor->loop, &round->timer);
	connections->is_complete = round->n_pending == 0;
	round->connections = NULL;
	round->current = NULL;
	free(round->is_pending);
	round->is_pending = NULL;
	tell(current, connections);
	connections_release(connections);
	if (round->next && !round->connections)
		begin(round);
}

static void on_timer(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)loop, (void)events;
	struct connections_round *round = timer->data;
	if (round->n_pending)
		log_warning("an acceptor has not listed its connections within %.0f s", patience_s);
	finish(round);
}

static void ask_acceptors(struct connections_round *round)
{
	struct supervisor *supervisor = round->supervisor;
	struct control_number message = { CONTROL_LIST, ++round->number };
	for (size_t i = 0; i < supervisor->n_acceptors; i++) {
		if (!supervisor->acceptors[i]->is_ready)
			continue;
		acceptor_tell(supervisor->acceptors[i], &message, -1);
		round->is_pending[i] = true;
		round->n_pending++;
	}
}

static void begin(struct connections_round *round)
{
	size_t n = round->supervisor->n_acceptors;
	struct connections *connections =
		calloc(1, sizeof *connections + n * sizeof *connections->parts);
	round->is_pending = calloc(n + 1, sizeof *round->is_pending);
	round->current = round->next;
	round->next = NULL;
	if (!connections || !round->is_pending) {
		struct asker *current = round->current;
		free(connections);
		free(round->is_pending);
		round->is_pending = NULL;
		round->current = NULL;
		tell(current, NULL);
		return;
	}
	connections->n_users = 1;
	round->connections = connections;
	round->n_pending = 0;
	ask_acceptors(round);
	ev_timer_set(&round->timer, round->n_pending ? patience_s : 0, 0);
	ev_timer_start(round->supervisor->loop, &round->timer);
}

static struct connections_round *round_of(struct supervisor *supervisor)
{
	if (supervisor->connections)
		return supervisor->connections;
	struct connections_round *round = calloc(1, sizeof *round);
	if (!round)
		return NULL;
	round->supervisor = supervisor;
	ev_init(&round->timer, on_timer);
	round->timer.data = round;
	supervisor->connections = round;
	return round;
}

void connections_ask(struct supervisor *supervisor, connections_ready *ready, void *context)
{
	struct connections_round *round = round_of(supervisor);
	struct asker *asker = round ? malloc(sizeof *asker) : NULL;
	if (!asker) {
		ready(context, NULL);
		return;
	}
	*asker = (struct asker){ round->next, ready, context };
	round->next = asker;
	if (!round->connections)
		begin(round);
}

static void remove_asker(struct asker **link, void *context)
{
	while (*link && (*link)->context != context)
		link = &(*link)->next;
	struct asker *asker = *link;
	if (!asker)
		return;
	*link = asker->next;
	free(asker);
}

void connections_forget(struct supervisor *supervisor, void *context)
{
	struct connections_round *round = supervisor->connections;
	if (!round)
		return;
	remove_asker(&round->current, context);
	remove_asker(&round->next, context);
}

/* True if it was asked and had not answered. */
static bool take_answer(struct connections_round *round, const struct acceptor *acceptor)
{
	for (size_t i = 0; round && round->connections && i < round->supervisor->n_acceptors; i++) {
		if (round->supervisor->acceptors[i] != acceptor || !round->is_pending[i])
			continue;
		round->is_pending[i] = false;
		round->n_pending--;
		return true;
	}
	return false;
}

void connections_on_listed(struct acceptor *acceptor, uint32_t number, int fd)
{
	struct connections_round *round = acceptor->supervisor->connections;
	if (!round || number != round->number || !take_answer(round, acceptor))
		return;
	struct connections *connections = round->connections;
	struct connections_part *part = &connections->parts[connections->n_parts];
	int r = fd < 0 ? -1 : connections_map(fd, &part->rows, &part->n);
	if (r < 0)
		log_warning("acceptor %u has made no list of its connections", acceptor->number + 1);
	part->acceptor = acceptor;
	connections->n_parts += r == 0;
	if (!round->n_pending)
		finish(round);
}

void connections_on_acceptor_gone(struct acceptor *acceptor)
{
	struct connections_round *round = acceptor->supervisor->connections;
	if (take_answer(round, acceptor) && !round->n_pending)
		finish(round);
}

void connections_end(struct supervisor *supervisor)
{
	struct connections_round *round = supervisor->connections;
	if (!round)
		return;
	struct asker *current = round->current, *next = round->next;
	ev_timer_stop(supervisor->loop, &round->timer);
	connections_release(round->connections);
	free(round->is_pending);
	free(round);
	supervisor->connections = NULL;
	tell(current, NULL);
	tell(next, NULL);
}
