/* Reports are kept, in order, for an acceptor that does not read them now. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "worker/reports.h"

enum { RECEIVED_MAX = 3 * REPORTS_ENDED_MAX };

static struct report received[RECEIVED_MAX];
static size_t n_received;
static size_t n_messages;
static size_t room; /* messages that the socket still takes */

static int tell(struct source *source, const struct report reports[], size_t n)
{
	(void)source;
	if (room == 0)
		return -EAGAIN;
	room--;
	n_messages++;
	cr_assert_leq(n_received + n, RECEIVED_MAX);
	memcpy(received + n_received, reports, n * sizeof *reports);
	n_received += n;
	return 0;
}

static int tell_nobody(struct source *source, const struct report reports[], size_t n)
{
	(void)source, (void)reports, (void)n;
	return -EPIPE;
}

static const struct source_methods heard = { .tell = tell };
static const struct source_methods gone = { .tell = tell_nobody };
static const struct source_methods silent = { 0 };

static struct child *child_new(uint64_t connection)
{
	struct child *child = calloc(1, sizeof *child);
	child->is_running = true;
	child->report.connection = connection;
	child->report.kind = REPORT_ENDED;
	return child;
}

static struct child *start(struct reports *reports, uint64_t connection)
{
	struct child *child = child_new(connection);
	reports_started(reports, child);
	return child;
}

Test(reports, gathers_them_in_one_message)
{
	struct source source = { .methods = &heard };
	struct reports reports;
	reports_init(&reports, &source);
	room = 10;
	for (uint64_t i = 0; i < 5; i++)
		reports_ended(&reports, start(&reports, i));
	reports_flush(&reports);
	cr_assert_eq(n_messages, 1);
	cr_assert_eq(n_received, 10);
	for (uint64_t i = 0; i < 10; i++) {
		cr_assert_eq(received[i].connection, i / 2);
		cr_assert_eq(received[i].kind, i % 2 ? REPORT_ENDED : REPORT_STARTED);
	}
	reports_fini(&reports);
}

Test(reports, keeps_them_while_the_socket_is_full)
{
	struct source source = { .methods = &heard };
	struct reports reports;
	reports_init(&reports, &source);
	for (uint64_t i = 0; i < 100; i++)
		reports_ended(&reports, start(&reports, i));
	room = 3;
	reports_flush(&reports);
	cr_assert(reports.is_full);
	cr_assert_eq(n_received, 3 * REPORTS_PER_MESSAGE);
	room = 100;
	reports_flush(&reports);
	cr_assert_not(reports.is_full);
	cr_assert_eq(n_received, 200);
	for (uint64_t i = 0; i < 200; i++)
		cr_assert_eq(received[i].connection, i / 2);
	reports_fini(&reports);
}

Test(reports, tells_the_start_of_a_running_command_again)
{
	struct source source = { .methods = &heard };
	struct reports reports;
	reports_init(&reports, &source);
	room = 10;
	struct child *child = start(&reports, 1);
	reports_flush(&reports);
	reports_started(&reports, child);
	reports_started(&reports, child);
	reports_flush(&reports);
	cr_assert_eq(n_received, 2);
	cr_assert_eq(received[1].kind, REPORT_STARTED);
	reports_ended(&reports, child);
	reports_flush(&reports);
	cr_assert_eq(received[2].kind, REPORT_ENDED);
	reports_fini(&reports);
}

Test(reports, a_start_told_again_says_so_though_the_command_has_ended_since)
{
	struct source source = { .methods = &heard };
	struct reports reports;
	reports_init(&reports, &source);
	room = 10;
	struct child *child = start(&reports, 1);
	reports_flush(&reports);
	reports_started(&reports, child);
	reports_ended(&reports, child);
	reports_flush(&reports);
	cr_assert_eq(n_received, 3);
	cr_expect_eq(received[0].duration_us, 0);
	cr_expect_eq(received[1].kind, REPORT_STARTED);
	cr_expect_neq(received[1].duration_us, 0);
	cr_expect_eq(received[2].kind, REPORT_ENDED);
	cr_expect_eq(received[2].duration_us, 0);
	reports_fini(&reports);
}

Test(reports, a_start_says_nothing_of_the_end)
{
	struct source source = { .methods = &heard };
	struct reports reports;
	reports_init(&reports, &source);
	room = 10;
	struct child *child = start(&reports, 1);
	child->report.status = 256;
	child->report.duration_us = child->report.cpu_us = child->report.max_rss_kib = 5;
	reports_ended(&reports, child);
	reports_flush(&reports);
	cr_assert_eq(received[0].status, 0);
	cr_assert_eq(received[0].duration_us, 0);
	cr_assert_eq(received[1].status, 256);
	cr_assert_eq(received[1].duration_us, 5);
	reports_fini(&reports);
}

Test(reports, memory_is_bounded_when_nobody_reads)
{
	struct source source = { .methods = &heard };
	struct reports reports;
	reports_init(&reports, &source);
	for (uint64_t i = 0; i < 2 * REPORTS_ENDED_MAX; i++)
		reports_ended(&reports, child_new(i));
	cr_assert_eq(reports.n_ended, REPORTS_ENDED_MAX);
	room = SIZE_MAX;
	reports_flush(&reports);
	cr_assert_eq(n_received, REPORTS_ENDED_MAX);
	cr_assert_eq(reports.n_ended, 0);
	reports_ended(&reports, child_new(7));
	reports_flush(&reports);
	cr_assert_eq(n_received, REPORTS_ENDED_MAX + 1);
	reports_fini(&reports);
}

Test(reports, forgets_them_when_nobody_listens)
{
	struct source nobody = { .methods = &silent }, dead = { .methods = &gone };
	struct source *sources[] = { &nobody, &dead };
	for (size_t i = 0; i < 2; i++) {
		struct reports reports;
		reports_init(&reports, sources[i]);
		reports_ended(&reports, start(&reports, 1));
		reports_flush(&reports);
		cr_assert_null(reports.first);
		cr_assert_not(reports.is_full);
		reports_fini(&reports);
	}
}

Test(reports, what_was_not_sent_is_freed)
{
	struct source source = { .methods = &heard };
	struct reports reports;
	reports_init(&reports, &source);
	for (uint64_t i = 0; i < 100; i++)
		reports_ended(&reports, start(&reports, i));
	reports_flush(&reports);
	reports_fini(&reports); /* the leak sanitizer looks */
	cr_assert_eq(n_received, 0);
}
