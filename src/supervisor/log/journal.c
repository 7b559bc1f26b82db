#include "supervisor/log/journal.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const char journal_path[] = "/run/systemd/journal/socket";

bool journal_has_stderr(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	struct stat status;
	char text[64];
	if (!stream || fstat(STDERR_FILENO, &status) < 0)
		return false;
	snprintf(text, sizeof text, "%llu:%llu", (unsigned long long)status.st_dev,
		(unsigned long long)status.st_ino);
	return !strcmp(stream, text);
}

struct entry {
	char *bytes;
	size_t used;
};

/* What does not fit is left out whole: a line is never longer than it has room for, twice. */
static void put(struct entry *entry, const char *name, const char *value, size_t length)
{
	size_t name_length = strlen(name);
	if (entry->used + name_length + length + 2 > JOURNAL_ENTRY_SIZE)
		return;
	memcpy(entry->bytes + entry->used, name, name_length);
	entry->used += name_length;
	entry->bytes[entry->used++] = '=';
	memcpy(entry->bytes + entry->used, value, length);
	entry->used += length;
	entry->bytes[entry->used++] = '\n';
}

/* "peer" becomes FDSUP_PEER. Empty: it cannot be the name of a field. */
static void name_field(char field[32], const char *key, size_t length)
{
	static const char prefix[] = "FDSUP_";
	field[0] = 0;
	if (length == 2 && !memcmp(key, "id", 2)) {
		strcpy(field, "FDSUP_CONNECTION");
		return;
	}
	if (length == 0 || length + sizeof prefix > 32)
		return;
	for (size_t i = 0; i < length; i++)
		if (!islower((unsigned char)key[i]))
			return;
	strcpy(field, prefix);
	for (size_t i = 0; i < length; i++)
		field[sizeof prefix - 1 + i] = (char)toupper((unsigned char)key[i]);
	field[sizeof prefix - 1 + length] = 0;
}

/* "id=1 peer=2 local=3: and more": until something is no field. */
static void put_fields(struct entry *entry, const char *text, const char *end)
{
	while (text < end) {
		char field[32];
		const char *space = memchr(text, ' ', (size_t)(end - text));
		const char *stop = space ? space : end;
		const char *equals = memchr(text, '=', (size_t)(stop - text));
		if (!equals)
			return;
		bool is_last = stop[-1] == ':';
		name_field(field, text, (size_t)(equals - text));
		if (*field)
			put(entry, field, equals + 1, (size_t)(stop - is_last - equals - 1));
		if (is_last)
			return;
		text = space ? space + 1 : end;
	}
}

/* START, END, REFUSED or LOST with the id of a connection behind it. 0: something else. */
static size_t event_length(const char *text, size_t length)
{
	static const char *const events[] = { "START", "END", "REFUSED", "LOST" };
	for (size_t i = 0; i < sizeof events / sizeof *events; i++) {
		size_t n = strlen(events[i]);
		if (length > n + 4 && !memcmp(text, events[i], n) && !memcmp(text + n, " id=", 4))
			return n;
	}
	return 0;
}

size_t journal_format(char bytes[JOURNAL_ENTRY_SIZE], int level, const char *line, size_t length,
	journal_knows *knows)
{
	struct entry entry = { .bytes = bytes };
	char priority[] = { (char)('0' + (level & 7)), 0 };
	const char *colon = memchr(line, ':', length), *end = line + length;
	put(&entry, "MESSAGE", line, length);
	put(&entry, "PRIORITY", priority, 1);
	put(&entry, "SYSLOG_FACILITY", "3", 1); /* daemon */
	put(&entry, "SYSLOG_IDENTIFIER", "fdsup", 5);
	if (!colon || end - colon < 2 || colon[1] != ' ')
		return entry.used;
	size_t n = event_length(colon + 2, (size_t)(end - colon - 2));
	size_t name_length = (size_t)(colon - line);
	if (n || (knows && knows(line, name_length)))
		put(&entry, "FDSUP_SERVICE", line, name_length);
	if (n) {
		put(&entry, "FDSUP_EVENT", colon + 2, n);
		put_fields(&entry, colon + 2 + n + 1, end);
	}
	return entry.used;
}
