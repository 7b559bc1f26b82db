/* Reports wait for an acceptor that does not read, in order and within bounds. */
#include <criterion/criterion.h>

#include "base/fd.h"
#include "base/log.h"
#include "taker/outbox.h"
#include "wire/handoff.h"

static int ends[2];
static struct outbox outbox;
static int n_warnings;

static void count_line(int level, const char *line, size_t length)
{
	(void)line, (void)length;
	n_warnings += level == LOG_WARNING;
}

static void prepare(void)
{
	log_set_sink(count_line);
	cr_assert_eq(handoff_queue_open(16, ends), 0);
	outbox_init(&outbox, ends[1]);
}

static void clean_up(void)
{
	outbox_fini(&outbox);
	fd_close(&ends[0]);
	fd_close(&ends[1]);
}

TestSuite(outbox, .init = prepare, .fini = clean_up, .timeout = 20);

static void add(uint64_t connection)
{
	struct report report = {
		.kind = REPORT_TAKEN,
		.version = REPORT_VERSION,
		.length = sizeof report,
		.connection = connection,
	};
	outbox_add(&outbox, &report);
}

/* Reads all that is there; each connection must be the next one. */
static uint64_t read_from(uint64_t next)
{
	struct report reports[REPORTS_PER_MESSAGE];
	int pid, n;
	while ((n = report_receive(ends[0], reports, &pid)) > 0)
		for (int i = 0; i < n; i++)
			cr_assert_eq(reports[i].connection, next++);
	return next;
}

Test(outbox, gathers_reports_and_sends_them_in_order)
{
	for (uint64_t i = 0; i < 100; i++)
		add(i);
	outbox_flush(&outbox);
	cr_assert_eq(outbox.n, 0);
	cr_assert_eq(read_from(0), 100);
}

Test(outbox, keeps_what_a_full_queue_does_not_take)
{
	uint64_t added = 0, next = 0;
	for (int round = 0; round < 5; round++) {
		while (!outbox.is_full) {
			for (int i = 0; i < 50; i++)
				add(added++);
			outbox_flush(&outbox);
		}
		next = read_from(next);
		outbox_flush(&outbox);
	}
	while (outbox.n > 0) {
		next = read_from(next);
		outbox_flush(&outbox);
	}
	cr_assert_eq(read_from(next), added);
	cr_assert_eq(n_warnings, 0);
}

Test(outbox, drops_and_says_so_once_when_nobody_reads_for_long)
{
	while (!outbox.is_full) {
		add(0);
		outbox_flush(&outbox);
	}
	for (int i = 0; i < OUTBOX_MAX + 100; i++)
		add(1);
	cr_assert_eq(outbox.n, OUTBOX_MAX);
	cr_assert_geq(outbox.n_dropped, 100);
	cr_assert_eq(n_warnings, 1);
}

Test(outbox, is_empty_when_nobody_is_left_to_listen)
{
	fd_close(&ends[0]);
	add(1);
	outbox_flush(&outbox);
	cr_assert_eq(outbox.n, 0);
	cr_assert_not(outbox.is_full);
}
