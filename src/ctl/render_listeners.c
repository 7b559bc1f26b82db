/* netstat's first six columns with their names and order; ours stand to the right of them. */
#include "ctl/render.h"

#include <string.h>

#include "ctl/reply.h"

static bool is_unix(const char *local)
{
	return *local == '/' || *local == '@';
}

/* A listener has no foreign end; netstat writes the wildcard of the family. */
static void print_foreign(FILE *cell, const json_t *row, const char *field)
{
	const char *local = reply_text(row, field);
	if (!local || is_unix(local))
		return;
	fputs(*local == '[' ? "[::]:*" : *local == '*' ? "*:*" : "0.0.0.0:*", cell);
}

/* UDP sockets do not listen: they have no state. */
static void print_state(FILE *cell, const json_t *row, const char *field)
{
	const char *protocol = reply_text(row, field);
	if (protocol && strncmp(protocol, "udp", 3))
		fputs("LISTEN", cell);
}

static enum tone tone_of_pause(const json_t *row)
{
	return json_array_size(json_object_get(row, "paused")) ? TONE_WARNING : TONE_PLAIN;
}

static const struct table_column columns[] = {
	{ "Proto", 5, .field = "protocol", .format = reply_print_text },
	{ "Recv-Q", 2, .is_right = true, .field = "accept_queue", .format = reply_print_exact },
	{ "Send-Q", 4, .is_right = true, .field = "backlog", .format = reply_print_exact },
	{ "Local Address", 0, .field = "local", .format = reply_print_text },
	{ "Foreign Address", 7, .field = "local", .format = print_foreign },
	{ "State", 6, .field = "protocol", .format = print_state },
	{ "Service", 0, .field = "service", .format = reply_print_text },
	{ "Drops", 9, .is_right = true, .field = "drops", .format = reply_print_exact },
	{ "Queue", 10, .is_right = true, .field = "queue", .format = reply_print_exact },
	{ "Oldest", 11, .field = "oldest_ms", .format = reply_print_duration },
	{ "Paused", 3, .field = "paused", .format = reply_print_list, .tone = tone_of_pause },
	{ "Acceptor", 8, .field = "acceptor", .format = reply_print_exact },
};

const struct table table_listeners = {
	.columns = columns,
	.n_columns = sizeof columns / sizeof *columns,
};
