/* What a real acceptor does at its limits. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "config/config.h"
#include "support/acceptor_rig.h"

static struct rig rig;

static void setup(void)
{
	rig_start(&rig);
}

static void teardown(void)
{
	rig_stop(&rig);
}

TestSuite(acceptor_admission, .init = setup, .fini = teardown, .timeout = 60);

static void end_one(struct handoff *record)
{
	rig_report(&rig, 1, record, REPORT_ENDED, 4712, 0);
}

Test(acceptor_admission, pauses_at_max_connections_and_goes_on_when_one_ends)
{
	enum { N = 50, MAX = 5 };
	int clients[N];
	struct control_service settings = rig_settings(1);
	settings.max_connections = MAX;
	uint16_t port = rig_serve(&rig, &settings);
	for (int i = 0; i < N; i++) {
		clients[i] = rig_connect(port, NULL);
		if (i < MAX)
			rig_wait_score(&rig, 1, accepted, (unsigned)i + 1);
	}
	cr_expect(strstr(rig_wait_log(&rig, "of max_connections="), "4 of max_connections=5"));
	cr_expect(strstr(rig_wait_log(&rig, " reached"), "max_connections=5 reached"));
	rig_wait_score(&rig, 1, paused, (unsigned)SCORE_PAUSED_FULL);
	for (int i = 0; i < N; i++) {
		struct handoff record;
		close(rig_take(&rig, 1, &record));
		cr_expect_leq(rig_score(&rig, 1, live), MAX);
		end_one(&record);
	}
	rig_wait_score(&rig, 1, served, (unsigned)N);
	rig_wait_score(&rig, 1, paused, 0u);
	cr_expect_eq(rig_score(&rig, 1, refused), 0);
	for (int i = 0; i < N; i++)
		close(clients[i]);
}

Test(acceptor_admission, a_raised_limit_takes_effect_at_once)
{
	struct handoff record;
	struct control_service settings = rig_settings(1);
	settings.max_connections = 1;
	uint16_t port = rig_serve(&rig, &settings);
	int one = rig_connect(port, NULL), two = rig_connect(port, NULL);
	close(rig_take(&rig, 1, &record));
	rig_wait_score(&rig, 1, paused, (unsigned)SCORE_PAUSED_FULL);
	settings.max_connections = 2;
	rig_change(&rig, &settings);
	close(rig_take(&rig, 1, &record));
	close(one);
	close(two);
}

Test(acceptor_admission, refuses_beyond_max_connections_if_told_so)
{
	struct handoff record;
	struct control_service settings = rig_settings(1);
	settings.max_connections = 1;
	settings.overflow = OVERFLOW_REFUSE;
	uint16_t port = rig_serve(&rig, &settings);
	int one = rig_connect(port, NULL);
	int connection = rig_take(&rig, 1, &record);
	int two = rig_connect(port, NULL);
	cr_assert_eq(write(two, "data that nobody will read", 26), 26);
	cr_expect_eq(rig_client_end(two), 0, "an orderly end, although there was unread data");
	const char *line = rig_wait_log(&rig, "REFUSED");
	cr_expect(strstr(line, "reason=max_connections"), "%s", line);
	cr_expect_eq(rig_score(&rig, 1, refused), 1);
	end_one(&record);
	rig_wait_score(&rig, 1, live, 0u);
	int three = rig_connect(port, NULL);
	close(rig_take(&rig, 1, &record));
	close(connection);
	close(one);
	close(two);
	close(three);
}

Test(acceptor_admission, resets_beyond_max_connections_if_told_so)
{
	struct handoff record;
	struct control_service settings = rig_settings(1);
	settings.max_connections = 1;
	settings.overflow = OVERFLOW_RESET;
	uint16_t port = rig_serve(&rig, &settings);
	int one = rig_connect(port, NULL);
	int connection = rig_take(&rig, 1, &record);
	int two = rig_connect(port, NULL);
	cr_expect_eq(rig_client_end(two), ECONNRESET);
	close(connection);
	close(one);
	close(two);
}

Test(acceptor_admission, accepts_at_its_rate_and_never_stops_for_good)
{
	enum { N = 12 };
	int clients[N];
	struct handoff record;
	struct control_service settings = rig_settings(1);
	settings.rate_count = 20;
	settings.rate_per_ms = 1000;
	settings.rate_burst = 2;
	uint16_t port = rig_serve(&rig, &settings);
	uint64_t before_ns = clock_now_ns();
	for (int i = 0; i < N; i++)
		clients[i] = rig_connect(port, NULL);
	for (int i = 0; i < N; i++)
		close(rig_take(&rig, 1, &record));
	/* Two at once, the others 50 ms apart. */
	cr_expect_geq(clock_now_ns() - before_ns, UINT64_C(490000000));
	cr_expect(strstr(rig_wait_log(&rig, "rate="), "rate=20/s exceeded"));
	for (int i = 0; i < N; i++)
		close(clients[i]);
}

Test(acceptor_admission, says_nothing_of_a_rate_that_nobody_had_to_wait_for)
{
	struct handoff record;
	struct control_service settings = rig_settings(1);
	settings.rate_count = 1000;
	settings.rate_per_ms = 1000;
	settings.rate_burst = 1;
	uint16_t port = rig_serve(&rig, &settings);
	int client = rig_connect(port, NULL);
	close(rig_take(&rig, 1, &record));
	rig_wait_score(&rig, 1, paused, 0u);
	shutdown(rig.control, SHUT_RDWR);
	cr_assert_eq(rig_wait_end(&rig), 0);
	cr_expect_null(strstr(rig.log, "rate="), "%s", rig.log);
	close(client);
}

Test(acceptor_admission, holds_a_source_at_its_limit_and_hands_it_off_when_one_ends)
{
	struct handoff first, second, other;
	char text[ENDPOINT_TEXT_SIZE];
	struct control_service settings = rig_settings(1);
	settings.max_per_source = 1;
	uint16_t port = rig_serve(&rig, &settings);
	int one = rig_connect(port, "127.0.0.5"), two = rig_connect(port, "127.0.0.5");
	close(rig_take(&rig, 1, &first));
	rig_wait_score(&rig, 1, held, 1u);
	int three = rig_connect(port, "127.0.0.6");
	close(rig_take(&rig, 1, &other));
	cr_expect_str_eq(endpoint_format_host(text, &other.peer), "127.0.0.6");
	end_one(&first);
	close(rig_take(&rig, 1, &second));
	cr_expect_str_eq(endpoint_format_host(text, &second.peer), "127.0.0.5");
	cr_expect_neq(second.connection, first.connection);
	rig_wait_score(&rig, 1, held, 0u);
	const char *line = rig_wait_log(&rig, "max_per_source");
	cr_expect(strstr(line, "max_per_source=1 reached by 127.0.0.5"), "%s", line);
	close(one);
	close(two);
	close(three);
}

Test(acceptor_admission, refuses_what_was_held_for_overflow_wait)
{
	struct handoff first;
	struct control_service settings = rig_settings(1);
	settings.max_per_source = 1;
	settings.overflow_wait_ms = 200;
	uint16_t port = rig_serve(&rig, &settings);
	int one = rig_connect(port, NULL);
	int connection = rig_take(&rig, 1, &first);
	uint64_t before_ns = clock_now_ns();
	int two = rig_connect(port, NULL);
	cr_expect_eq(rig_client_end(two), 0);
	cr_expect_geq(clock_now_ns() - before_ns, UINT64_C(199000000));
	const char *line = rig_wait_log(&rig, "REFUSED");
	cr_expect(strstr(line, "reason=max_per_source"), "%s", line);
	rig_wait_score(&rig, 1, refused, 1u);
	cr_expect_eq(rig_score(&rig, 1, live), 1);
	close(connection);
	close(one);
	close(two);
}

Test(acceptor_admission, delays_a_source_above_its_rate)
{
	int clients[4];
	struct handoff record;
	struct control_service settings = rig_settings(1);
	settings.source_rate_count = 10;
	settings.source_rate_per_ms = 1000;
	settings.source_rate_burst = 1;
	uint16_t port = rig_serve(&rig, &settings);
	uint64_t before_ns = clock_now_ns();
	for (int i = 0; i < 4; i++)
		clients[i] = rig_connect(port, NULL);
	for (int i = 0; i < 4; i++)
		close(rig_take(&rig, 1, &record));
	cr_expect_geq(clock_now_ns() - before_ns, UINT64_C(290000000));
	cr_expect_eq(rig_score(&rig, 1, refused), 0);
	for (int i = 0; i < 4; i++)
		close(clients[i]);
}

Test(acceptor_admission, a_flood_from_one_source_leaves_the_others_alone)
{
	enum { FLOOD = 500 };
	static int flood[FLOOD];
	struct handoff record;
	char text[ENDPOINT_TEXT_SIZE];
	struct control_service settings = rig_settings(1);
	settings.max_per_source = 2;
	settings.max_connections = 20;
	uint16_t port = rig_serve(&rig, &settings);
	for (int i = 0; i < FLOOD; i++)
		flood[i] = rig_connect(port, "127.0.0.66");
	for (int i = 0; i < 2; i++)
		close(rig_take(&rig, 1, &record));
	for (int i = 0; i < 5; i++) {
		char source[32];
		snprintf(source, sizeof source, "127.0.1.%d", i + 1);
		int client = rig_connect(port, source);
		close(rig_take(&rig, 1, &record));
		cr_expect_str_eq(endpoint_format_host(text, &record.peer), source);
		close(client);
	}
	cr_expect_eq(rig_score(&rig, 1, paused), 0);
	/* Ten lines a second at most, and then their number. */
	const char *line = rig_wait_log(&rig, "more within that second");
	cr_expect(strstr(line, "test: REFUSED "), "%s", line);
	for (int i = 0; i < FLOOD; i++)
		close(flood[i]);
}

Test(acceptor_admission, logs_an_episode_once_and_how_it_was)
{
	struct control_service settings = rig_settings(1);
	settings.max_connections = 1;
	settings.log_events = 0;
	uint16_t port = rig_serve(&rig, &settings);
	for (int i = 0; i < 10; i++) {
		struct handoff record;
		int client = rig_connect(port, NULL);
		close(rig_take(&rig, 1, &record));
		end_one(&record);
		rig_wait_score(&rig, 1, served, (unsigned)i + 1);
		close(client);
	}
	const char *line = rig_wait_log(&rig, "max_connections was not reached for 5s");
	cr_expect(strstr(line, "it happened 10 times"), "%s", line);
	char *first = strstr(rig.log, "max_connections=1 reached");
	cr_assert(first);
	cr_expect_null(strstr(first + 1, "max_connections=1 reached"));
}
