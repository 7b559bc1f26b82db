#include "keeper/deposit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"

/* ---- one record ------------------------------------------------------------------------------- */

const char *record_key(const struct record *record)
{
	return (const char *)(record->fds + record->n_fds);
}

const char *record_text(const struct record *record)
{
	const char *key = record_key(record);
	return key + strlen(key) + 1;
}

static void record_free(struct record *record)
{
	for (uint32_t i = 0; record && i < record->n_fds; i++)
		fd_close(&record->fds[i]);
	free(record);
}

/* The record with one part more; NULL without memory, then it is as it was. */
static struct record *extend(struct record *record, const struct keeping_message *message,
	const char *text, const int fds[])
{
	size_t key_size = strlen(message->key) + 1;
	uint32_t n_fds = record ? record->n_fds : 0, length = record ? record->length : 0;
	struct record *longer = realloc(record, sizeof *record + (n_fds + message->n_fds) * sizeof *fds +
							key_size + length + message->length);
	if (!longer)
		return NULL;
	char *key = (char *)(longer->fds + n_fds + message->n_fds);
	memmove(key, longer->fds + n_fds, record ? key_size + length : 0);
	memcpy(key, message->key, key_size);
	memcpy(key + key_size + length, text, message->length);
	if (message->n_fds)
		memcpy(longer->fds + n_fds, fds, message->n_fds * sizeof *fds);
	longer->next = NULL;
	longer->n_fds = n_fds + message->n_fds;
	longer->length = length + message->length;
	return longer;
}

/* ---- tables ------------------------------------------------------------------------------------ */

static size_t place_of(const char *key)
{
	uint32_t hash = 2166136261u;
	for (; *key; key++)
		hash = (hash ^ (unsigned char)*key) * 16777619u;
	return hash % DEPOSIT_PLACES;
}

static struct record **table_of(struct deposit *deposit)
{
	return deposit->is_changing ? deposit->fresh : deposit->kept;
}

static void remove_one(struct record **table, const char *key)
{
	for (struct record **link = &table[place_of(key)]; *link; link = &(*link)->next) {
		struct record *record = *link;
		if (strcmp(record_key(record), key))
			continue;
		*link = record->next;
		record_free(record);
		return;
	}
}

static void clear(struct record **table)
{
	for (size_t i = 0; i < DEPOSIT_PLACES; i++)
		while (table[i]) {
			struct record *record = table[i];
			table[i] = record->next;
			record_free(record);
		}
}

/* ---- what is asked ----------------------------------------------------------------------------- */

static void forget_part(struct deposit *deposit)
{
	record_free(deposit->part);
	deposit->part = NULL;
}

int deposit_put(struct deposit *deposit, const struct keeping_message *message, const char *text,
	const int fds[])
{
	if (deposit->part && strcmp(record_key(deposit->part), message->key))
		forget_part(deposit);
	struct record *record = extend(deposit->part, message, text, fds);
	if (!record) {
		for (size_t i = 0; i < message->n_fds; i++) {
			int fd = fds[i];
			fd_close(&fd);
		}
		return -ENOMEM;
	}
	deposit->part = record;
	if (!message->is_last)
		return 0;
	deposit->part = NULL;
	/* First the old one goes: what is closed in it must not outlive what this one says. */
	struct record **table = table_of(deposit);
	remove_one(table, message->key);
	size_t place = place_of(message->key);
	record->next = table[place];
	table[place] = record;
	return 0;
}

void deposit_drop(struct deposit *deposit, const char *key)
{
	remove_one(table_of(deposit), key);
}

void deposit_begin(struct deposit *deposit)
{
	deposit_cancel(deposit);
	deposit->is_changing = true;
}

void deposit_commit(struct deposit *deposit)
{
	if (!deposit->is_changing)
		return;
	clear(deposit->kept);
	memcpy(deposit->kept, deposit->fresh, sizeof deposit->kept);
	memset(deposit->fresh, 0, sizeof deposit->fresh);
	deposit->is_changing = false;
}

void deposit_cancel(struct deposit *deposit)
{
	forget_part(deposit);
	clear(deposit->fresh);
	deposit->is_changing = false;
}

void deposit_clear(struct deposit *deposit)
{
	deposit_cancel(deposit);
	clear(deposit->kept);
}

bool deposit_is_empty(const struct deposit *deposit)
{
	for (size_t i = 0; i < DEPOSIT_PLACES; i++)
		if (deposit->kept[i])
			return false;
	return true;
}

int deposit_each(const struct deposit *deposit,
	int (*visit)(void *context, const struct record *record), void *context)
{
	int r = 0;
	for (size_t i = 0; i < DEPOSIT_PLACES; i++)
		for (const struct record *record = deposit->kept[i]; record && r == 0;
			record = record->next)
			r = visit(context, record);
	return r;
}
