#include "acceptor/farewell.h"

#include <stdlib.h>

#include "acceptor/service.h"

/* Powers of two. */
enum { LINES_MAX = 4096, HEADS = 4096 };

static const uint64_t patience_ns = 1000000000;

struct line {
	struct service *service; /* NULL: it has been written */
	struct ledger_entry entry;
	struct ending ending;
	uint64_t due_ns;
	uint32_t next; /* chain of the same hash: its place and 1; 0 ends it */
};

struct farewells {
	struct line lines[LINES_MAX]; /* a ring, in the order of their times */
	uint32_t first, n;
	uint32_t heads[HEADS]; /* of the chains, as `next` */
};

struct farewells *farewells_create(void)
{
	return calloc(1, sizeof(struct farewells)); /* what is not used is not there */
}

/* Cookies are given out in ascending order, a batch to a processor. */
static uint32_t *head_of(struct farewells *farewells, uint64_t id)
{
	return &farewells->heads[(id ^ id >> 12) % HEADS];
}

static void unchain(struct farewells *farewells, uint32_t place)
{
	uint32_t *link = head_of(farewells, farewells->lines[place].entry.id);
	while (*link != place + 1)
		link = &farewells->lines[*link - 1].next;
	*link = farewells->lines[place].next;
}

static void write_line(struct farewells *farewells, uint32_t place)
{
	struct line *line = &farewells->lines[place];
	unchain(farewells, place);
	service_log_end(line->service, &line->entry, &line->ending);
	line->service = NULL;
}

/* Those that have been written leave the ring when it is their turn. */
static void shorten(struct farewells *farewells)
{
	while (farewells->n && !farewells->lines[farewells->first].service) {
		farewells->first = (farewells->first + 1) % LINES_MAX;
		farewells->n--;
	}
	if (!farewells->n)
		farewells->first = 0; /* the memory that few lines need is always the same */
}

void farewells_destroy(struct farewells *farewells)
{
	if (farewells)
		farewell_flush(farewells, NULL);
	free(farewells);
}

void farewell_flush(struct farewells *farewells, const struct service *service)
{
	for (uint32_t i = 0; i < farewells->n; i++) {
		uint32_t place = (farewells->first + i) % LINES_MAX;
		const struct service *whose = farewells->lines[place].service;
		if (whose && (!service || whose == service))
			write_line(farewells, place);
	}
	shorten(farewells);
}

void farewell_say(struct farewells *farewells, struct service *service,
	const struct ledger_entry *entry, const struct ending *ending, uint64_t now_ns)
{
	bool is_awaited = entry->is_followed && !entry->is_gone && !ending->has_bytes;
	if (!farewells || !is_awaited || !(service->settings->told.log_events & LOG_EVENT_END)) {
		service_log_end(service, entry, ending);
		return;
	}
	if (farewells->n == LINES_MAX) {
		write_line(farewells, farewells->first);
		shorten(farewells);
	}
	uint32_t place = (farewells->first + farewells->n++) % LINES_MAX;
	uint32_t *head = head_of(farewells, entry->id);
	farewells->lines[place] = (struct line){
		.service = service,
		.entry = *entry,
		.ending = *ending,
		.due_ns = now_ns + patience_ns,
		.next = *head,
	};
	*head = place + 1;
}

static void add_bytes(struct line *line, const struct diag_facts *facts)
{
	if (line->entry.severance && !facts->has_bytes)
		return; /* it was reset by us, and its counters are lost: what was known before stays */
	line->entry.has_bytes = facts->has_bytes;
	line->entry.bytes_in = facts->bytes_in;
	line->entry.bytes_out = facts->bytes_out;
}

void farewell_complete(struct farewells *farewells, const struct diag_facts *facts)
{
	uint32_t next = *head_of(farewells, facts->cookie);
	while (next) {
		uint32_t place = next - 1;
		next = farewells->lines[place].next;
		if (farewells->lines[place].entry.id == facts->cookie) {
			add_bytes(&farewells->lines[place], facts);
			write_line(farewells, place);
		}
	}
	shorten(farewells);
}

void farewell_expire(struct farewells *farewells, int query, uint64_t now_ns)
{
	while (farewells->n && farewells->lines[farewells->first].due_ns <= now_ns) {
		struct line *line = &farewells->lines[farewells->first];
		struct diag_facts facts;
		if (query >= 0 && diag_look_up(query, line->entry.id, &line->entry.local,
					  &line->entry.peer, &facts) == 0)
			add_bytes(line, &facts);
		write_line(farewells, farewells->first);
		shorten(farewells);
	}
}

uint64_t farewell_due_ns(const struct farewells *farewells)
{
	return farewells->n ? farewells->lines[farewells->first].due_ns : NEVER_NS;
}
