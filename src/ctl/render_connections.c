/* netstat's first six columns with their names and order; ours stand to the right of them. */
#include "ctl/render.h"

#include "ctl/reply.h"

/* Who has it: the process that was started for it, else the worker. */
static void print_pid(FILE *cell, const json_t *row, const char *field)
{
	json_int_t pid;
	if (reply_integer(row, field, &pid) || reply_integer(row, "worker", &pid))
		fprintf(cell, "%" JSON_INTEGER_FORMAT, pid);
}

static void print_round_trip(FILE *cell, const json_t *row, const char *field)
{
	json_int_t us;
	if (!reply_integer(row, field, &us) || us < 0)
		return;
	if (us < 10000)
		fprintf(cell, "%.1fms", (double)us / 1000);
	else
		fprintf(cell, "%" JSON_INTEGER_FORMAT "ms", us / 1000);
}

static const struct table_column columns[] = {
	{ "Proto", 8, .field = "protocol", .format = reply_print_text },
	{ "Recv-Q", 6, .is_right = true, .field = "recv_q", .format = reply_print_exact },
	{ "Send-Q", 5, .is_right = true, .field = "send_q", .format = reply_print_exact },
	{ "Local Address", 9, .field = "local", .format = reply_print_text },
	{ "Foreign Address", 0, .field = "peer", .format = reply_print_text },
	{ "State", 2, .field = "state", .format = reply_print_text },
	{ "Service", 0, .field = "service", .format = reply_print_text },
	{ "PID", 3, .is_right = true, .field = "pid", .format = print_pid },
	{ "Stage", 1, .field = "stage", .format = reply_print_text },
	{ "Age", 4, .field = "age_ms", .format = reply_print_duration },
	{ "Idle", 7, .field = "idle_ms", .format = reply_print_duration },
	{ "RTT", 12, .is_right = true, .field = "rtt_us", .format = print_round_trip },
	{ "In", 10, .is_right = true, .field = "bytes_in", .format = reply_print_count },
	{ "Out", 11, .is_right = true, .field = "bytes_out", .format = reply_print_count },
	{ "ID", 13, .field = "id", .format = reply_print_text },
};

/* As netstat has them, and then the stages. */
static const char *const states[] = { "ESTABLISHED", "FIN_WAIT1", "FIN_WAIT2", "CLOSE", "CLOSE_WAIT",
	"LAST_ACK", "CLOSING", "CONNECTED", "held", "queued", "taken", "started", NULL };

const struct table table_connections = {
	.columns = columns,
	.states = states,
	.n_columns = sizeof columns / sizeof *columns,
};
