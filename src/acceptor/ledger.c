#include "acceptor/ledger.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/*
 * A connection usually belongs at the end of the list. One that a worker tells us about after the
 * acceptor was replaced, or that was held, is put in its place only within this distance: reports
 * are untrusted, and a made-up age must not cost a walk through everything.
 */
enum { WALK_MAX = 256, SMALLEST = 64, KEPT_WHEN_EMPTY = 1024 };

void ledger_init(struct ledger *ledger, uint64_t seed)
{
	*ledger = (struct ledger){ .seed = seed };
}

void ledger_fini(struct ledger *ledger)
{
	free(ledger->entries);
	free(ledger->by_id);
	free(ledger->by_pid);
	*ledger = (struct ledger){ .seed = ledger->seed };
}

static uint32_t hash(const struct ledger *ledger, uint64_t key)
{
	key = (key ^ ledger->seed) * 0x9e3779b97f4a7c15u;
	key = (key ^ key >> 32 ^ ledger->seed >> 9) * 0xd6e8feb86659fd93u;
	return (uint32_t)(key >> 32) & (ledger->capacity - 1);
}

static uint32_t *head_by_id(const struct ledger *ledger, uint64_t id)
{
	return &ledger->by_id[hash(ledger, id)];
}

static uint32_t *head_by_pid(const struct ledger *ledger, int32_t pid)
{
	return &ledger->by_pid[hash(ledger, (uint32_t)pid)];
}

static void chain(struct ledger *ledger, uint32_t place)
{
	struct ledger_entry *entry = &ledger->entries[place];
	uint32_t *head = head_by_id(ledger, entry->id);
	entry->next_by_id = *head;
	*head = place;
	if (!entry->pid)
		return;
	head = head_by_pid(ledger, entry->pid);
	entry->next_by_pid = *head;
	*head = place;
}

static void unchain_pid(struct ledger *ledger, uint32_t place)
{
	struct ledger_entry *entry = &ledger->entries[place];
	if (!entry->pid)
		return;
	uint32_t *link = head_by_pid(ledger, entry->pid);
	while (*link != place)
		link = &ledger->entries[*link].next_by_pid;
	*link = entry->next_by_pid;
	entry->next_by_pid = LEDGER_NOWHERE;
}

static void unchain(struct ledger *ledger, uint32_t place)
{
	struct ledger_entry *entry = &ledger->entries[place];
	uint32_t *link = head_by_id(ledger, entry->id);
	while (*link != place)
		link = &ledger->entries[*link].next_by_id;
	*link = entry->next_by_id;
	unchain_pid(ledger, place);
}

/* Only ever called when every place is used. Places stay; the chains are made anew. */
static int grow(struct ledger *ledger)
{
	uint32_t before = ledger->capacity;
	uint32_t capacity = before ? before * 2 : SMALLEST;
	if (before >= LEDGER_MAX)
		return -ENOSPC;
	uint32_t *by_id = calloc(capacity, sizeof *by_id);
	uint32_t *by_pid = calloc(capacity, sizeof *by_pid);
	struct ledger_entry *entries = realloc(ledger->entries, capacity * sizeof *entries);
	if (entries)
		ledger->entries = entries;
	if (!by_id || !by_pid || !entries) {
		free(by_id);
		free(by_pid);
		return -ENOMEM;
	}
	free(ledger->by_id);
	free(ledger->by_pid);
	ledger->by_id = by_id;
	ledger->by_pid = by_pid;
	ledger->capacity = capacity;
	for (uint32_t place = 1; place < before; place++)
		chain(ledger, place);
	for (uint32_t place = capacity - 1; place >= before && place > LEDGER_NOWHERE; place--) {
		entries[place].is_used = false;
		entries[place].next_by_id = ledger->free;
		ledger->free = place;
	}
	return 0;
}

int ledger_reserve(struct ledger *ledger)
{
	return ledger->free ? 0 : grow(ledger);
}

static void link_by_age(struct ledger *ledger, struct ledger_account *account, uint32_t place)
{
	struct ledger_entry *entries = ledger->entries;
	struct ledger_entry *entry = &entries[place];
	uint32_t older = account->newest;
	if (account->oldest && entry->accepted_ns < entries[account->oldest].accepted_ns)
		older = LEDGER_NOWHERE;
	for (int i = 0; i < WALK_MAX && older && entries[older].accepted_ns > entry->accepted_ns;
		i++)
		older = entries[older].older;
	entry->older = older;
	entry->newer = older ? entries[older].newer : account->oldest;
	*(older ? &entries[older].newer : &account->oldest) = place;
	*(entry->newer ? &entries[entry->newer].older : &account->newest) = place;
}

static void unlink_by_age(struct ledger *ledger, struct ledger_account *account, uint32_t place)
{
	struct ledger_entry *entries = ledger->entries;
	struct ledger_entry *entry = &entries[place];
	*(entry->older ? &entries[entry->older].newer : &account->oldest) = entry->newer;
	*(entry->newer ? &entries[entry->newer].older : &account->newest) = entry->older;
}

/* Behind `ahead`; LEDGER_NOWHERE: before all. */
static void link_waiting(
	struct ledger *ledger, struct ledger_account *account, uint32_t place, uint32_t ahead)
{
	struct ledger_entry *entry = &ledger->entries[place];
	entry->ahead = ahead;
	entry->behind = ahead ? ledger->entries[ahead].behind : account->first_waiting;
	*(ahead ? &ledger->entries[ahead].behind : &account->first_waiting) = place;
	*(entry->behind ? &ledger->entries[entry->behind].ahead : &account->last_waiting) = place;
	account->n_waiting++;
}

static void unlink_waiting(struct ledger *ledger, struct ledger_account *account, uint32_t place)
{
	struct ledger_entry *entries = ledger->entries;
	struct ledger_entry *entry = &entries[place];
	*(entry->ahead ? &entries[entry->ahead].behind : &account->first_waiting) = entry->behind;
	*(entry->behind ? &entries[entry->behind].ahead : &account->last_waiting) = entry->ahead;
	account->n_waiting--;
}

uint32_t ledger_add(
	struct ledger *ledger, struct ledger_account *account, const struct ledger_entry *like)
{
	if (ledger_reserve(ledger) < 0)
		return LEDGER_NOWHERE;
	uint32_t place = ledger->free;
	struct ledger_entry *entry = &ledger->entries[place];
	ledger->free = entry->next_by_id;
	*entry = (struct ledger_entry){
		.id = like->id,
		.accepted_ns = like->accepted_ns,
		.peer = like->peer,
		.local = like->local,
		.service = like->service,
		.source = like->source,
		.state = LEDGER_HELD,
		.is_used = true,
		.is_followed = like->is_followed,
		.is_foreign = like->is_foreign,
		.is_counted = like->is_counted,
	};
	chain(ledger, place);
	link_by_age(ledger, account, place);
	account->n++;
	account->n_held++;
	ledger->n++;
	return place;
}

static uint32_t skip_others(const struct ledger *ledger, uint32_t place, uint64_t id)
{
	while (place && ledger->entries[place].id != id)
		place = ledger->entries[place].next_by_id;
	return place;
}

uint32_t ledger_find_id(const struct ledger *ledger, uint64_t id)
{
	return ledger->capacity ? skip_others(ledger, *head_by_id(ledger, id), id) : LEDGER_NOWHERE;
}

uint32_t ledger_find_same(const struct ledger *ledger, uint32_t place)
{
	const struct ledger_entry *entry = &ledger->entries[place];
	return skip_others(ledger, entry->next_by_id, entry->id);
}

uint32_t ledger_find(const struct ledger *ledger, uint32_t service, uint64_t id)
{
	uint32_t place = ledger_find_id(ledger, id);
	while (place && ledger->entries[place].service != service)
		place = ledger_find_same(ledger, place);
	return place;
}

uint32_t ledger_find_pid(const struct ledger *ledger, int32_t pid)
{
	if (!ledger->capacity || !pid)
		return LEDGER_NOWHERE;
	uint32_t place = *head_by_pid(ledger, pid);
	while (place && ledger->entries[place].pid != pid)
		place = ledger->entries[place].next_by_pid;
	return place;
}

void ledger_set_state(struct ledger *ledger, struct ledger_account *account, uint32_t place,
	enum ledger_state state)
{
	struct ledger_entry *entry = &ledger->entries[place];
	if (entry->state == LEDGER_WAITING)
		unlink_waiting(ledger, account, place);
	account->n_held -= entry->state == LEDGER_HELD;
	account->n_held += state == LEDGER_HELD;
	if (state == LEDGER_WAITING)
		link_waiting(ledger, account, place, account->last_waiting);
	entry->state = (uint8_t)state;
}

void ledger_wait_first(struct ledger *ledger, struct ledger_account *account, uint32_t place)
{
	ledger_set_state(ledger, account, place, LEDGER_TAKEN);
	link_waiting(ledger, account, place, LEDGER_NOWHERE);
	ledger->entries[place].state = LEDGER_WAITING;
}

void ledger_set_pid(struct ledger *ledger, uint32_t place, int32_t pid)
{
	struct ledger_entry *entry = &ledger->entries[place];
	unchain_pid(ledger, place);
	entry->pid = pid;
	if (!pid)
		return;
	uint32_t *head = head_by_pid(ledger, pid);
	entry->next_by_pid = *head;
	*head = place;
}

void ledger_remove(struct ledger *ledger, struct ledger_account *account, uint32_t place)
{
	struct ledger_entry *entry = &ledger->entries[place];
	if (entry->state == LEDGER_WAITING)
		unlink_waiting(ledger, account, place);
	account->n_held -= entry->state == LEDGER_HELD;
	unlink_by_age(ledger, account, place);
	unchain(ledger, place);
	account->n--;
	ledger->n--;
	entry->is_used = false;
	entry->next_by_id = ledger->free;
	ledger->free = place;
	/* What a rush has needed goes back when it is over. */
	if (ledger->n == 0 && ledger->capacity > KEPT_WHEN_EMPTY)
		ledger_fini(ledger);
}
