#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "policy/health.h"
#include "wire/scoreboard.h"

static struct health judge(const struct health_facts *facts)
{
	struct health health;
	health_judge(facts, &health);
	return health;
}

Test(health, a_worker_that_dies_tells_what_happened_its_last_words_and_what_is_next)
{
	struct health_facts facts = {
		.state = STATE_BACKOFF,
		.is_wanted = true,
		.death = { .is_known = true, .was_spawned = true, .program = "worker", .pid = 4711,
			.status = 3 << 8, .age_ms = 40, .times = 6 },
		.next_try_ms = 3200,
		.last_words = "open /etc/identd.key: Permission denied",
		.last_words_age_ms = 3000,
		.waiting = 7,
		.oldest_waiting_ms = 2100,
	};
	struct health health = judge(&facts);
	cr_expect_not(health.is_healthy);
	cr_expect_eq(health.state, STATE_BACKOFF);
	cr_assert_eq(health.n_lines, 3);
	cr_expect_str_eq(health.lines[0],
		"worker 4711 exited 3 after 40ms, before it was ready, 6th time; next try in 3.2s");
	cr_expect_str_eq(
		health.lines[1], "stderr: open /etc/identd.key: Permission denied (3.0s ago)");
	cr_expect_str_eq(health.lines[2], "7 clients are held, the oldest for 2.1s");
}

Test(health, a_worker_that_was_killed_by_a_limit_names_the_key)
{
	struct health_facts facts = {
		.state = STATE_BACKOFF,
		.is_wanted = true,
		.death = { .is_known = true, .was_spawned = true, .program = "worker", .pid = 4711,
			.status = SIGKILL, .age_ms = 3000, .times = 1, .killing = KILLED_START_TIMEOUT },
	};
	struct health health = judge(&facts);
	cr_expect_str_eq(health.lines[0],
		"worker 4711 killed by SIGKILL after 3.0s (start_timeout), before it was ready");
	char text[HEALTH_END_SIZE];
	cr_expect_str_eq(health_format_end(text, SIGKILL, 3000, KILLED_WATCHDOG_SILENT),
		"killed by SIGKILL after 3.0s (watchdog: it sent no WATCHDOG=1)");
	cr_expect_str_eq(health_format_end(text, 3 << 8, 40, KILLED_BY_OTHERS), "exited 3 after 40ms");
}

Test(health, who_is_held_for_a_limit_of_his_source_takes_no_place_and_is_told_of)
{
	struct health_facts facts = {
		.state = STATE_UP,
		.is_wanted = true,
		.live = 7,
		.held = 3,
		.max_connections = 5,
		.refuses = true,
	};
	struct health health = judge(&facts);
	cr_expect(health.is_healthy);
	cr_assert_eq(health.n_lines, 2);
	cr_expect_str_eq(
		health.lines[0], "4 of 5 connections are in use: raise max_connections before new clients are refused");
	cr_expect(strstr(health.lines[1], "3 connections are held back by max_per_source or rate_per_source"));
	facts.live = 8;
	health = judge(&facts);
	cr_expect_not(health.is_healthy);
	cr_expect(strstr(health.lines[1], "5 of 5 connections are in use"), "%s", health.lines[1]);
}

Test(health, a_death_that_a_sandbox_may_be_the_cause_of_names_the_keys_that_widen_it)
{
	struct health_facts facts = {
		.state = STATE_BACKOFF,
		.is_wanted = true,
		.sandbox = SANDBOX_STRICT,
		.death = { .is_known = true, .was_spawned = true, .program = "daemon", .pid = 1,
			.status = 1 << 8, .age_ms = 40, .was_ready = true, .times = 1 },
	};
	struct health health = judge(&facts);
	cr_assert_eq(health.n_lines, 2);
	cr_expect(strstr(health.lines[1],
		"sandbox = \"strict\": sandbox_read, sandbox_write and sandbox_network"));
	facts.sandbox = SANDBOX_BASIC;
	health = judge(&facts);
	cr_expect(strstr(health.lines[1], "sandbox = \"basic\""));
	facts.death.age_ms = 5000; /* it ran */
	cr_expect_eq(judge(&facts).n_lines, 1);
	facts.death.status = 126 << 8; /* but could not start something else */
	cr_expect_eq(judge(&facts).n_lines, 2);
	facts.death.was_ready = false;
	facts.death.status = 1 << 8;
	cr_expect_eq(judge(&facts).n_lines, 2);
	facts.death.killing = KILLED_START_TIMEOUT;
	cr_expect_eq(judge(&facts).n_lines, 1);
	facts.death.killing = KILLED_BY_OTHERS;
	facts.sandbox = SANDBOX_NONE;
	cr_expect_eq(judge(&facts).n_lines, 1);
}

Test(health, commands_that_fail_at_once_in_a_sandbox_name_the_keys_too)
{
	struct health_facts facts = {
		.state = STATE_UP,
		.is_wanted = true,
		.runs_commands = true,
		.sandbox = SANDBOX_STRICT,
		.command = "/bin/false",
		.failures_in_row = HEALTH_FAILURES,
		.failure_kind = SCORE_FAILURE_STATUS,
		.failure_status = 1 << 8,
		.failure_duration_ms = 20,
	};
	cr_expect(strstr(judge(&facts).lines[1], "sandbox_read"));
	facts.failure_duration_ms = 20000;
	cr_expect_null(strstr(judge(&facts).lines[1], "sandbox_read"));
}

Test(health, what_lacks_the_descriptors_for_its_queue_is_degraded_and_says_what_helps)
{
	struct health_facts facts = {
		.state = STATE_ON_DEMAND,
		.is_wanted = true,
		.is_queue_missing = true,
	};
	struct health health = judge(&facts);
	cr_expect_not(health.is_healthy);
	cr_expect_eq(health.state, STATE_DEGRADED);
	cr_assert_eq(health.n_lines, 2);
	cr_expect(strstr(health.lines[1], "ulimit -n"));
}

Test(health, what_is_closed_by_hours_says_so_and_is_well)
{
	struct health_facts facts = {
		.state = STATE_ON_DEMAND,
		.is_wanted = true,
		.is_closed = true,
		.opens_in_ms = 7200000,
	};
	struct health health = judge(&facts);
	cr_expect(health.is_healthy);
	cr_expect_eq(health.state, STATE_ON_DEMAND);
	cr_assert_eq(health.n_lines, 1);
	cr_expect_str_eq(health.lines[0], "closed by hours, for another 2h: new clients are refused");
	cr_expect_str_eq(health_refusing_key(&facts), "hours");
}

Test(health, what_refuses_everybody_for_the_load_is_degraded)
{
	struct health_facts facts = {
		.state = STATE_UP,
		.is_wanted = true,
		.max_load_centi = 400,
		.load_centi = 400,
	};
	cr_expect(judge(&facts).is_healthy);
	facts.load_centi = 520;
	struct health health = judge(&facts);
	cr_expect_eq(health.state, STATE_DEGRADED);
	cr_expect_str_eq(health.lines[0],
		"the load average is 5.20, above max_load=4: new clients are refused until it is lower");
	cr_expect_str_eq(health_refusing_key(&facts), "max_load");
}

Test(health, a_program_that_cannot_be_started_names_the_step_and_the_error)
{
	struct health_facts facts = {
		.state = STATE_BACKOFF,
		.is_wanted = true,
		.command = "/srv/app",
		.death = { .is_known = true, .stage = "setgroups", .status = EPERM, .times = 1 },
		.next_try_ms = 200,
	};
	struct health health = judge(&facts);
	cr_expect_str_eq(health.lines[0],
		"/srv/app cannot be started: setgroups: Operation not permitted; next try in 200ms");
}

Test(health, a_running_service_whose_command_cannot_be_executed_is_degraded)
{
	struct health_facts facts = {
		.state = STATE_UP,
		.is_wanted = true,
		.command = "/bin/absent",
		.failures_in_row = 1,
		.failure_kind = SCORE_FAILURE_EXEC,
		.failure_status = ENOENT,
		.failure_age_ms = 1000,
	};
	struct health health = judge(&facts);
	cr_expect_not(health.is_healthy);
	cr_expect_eq(health.state, STATE_DEGRADED);
	cr_expect(strstr(health.lines[0], "/bin/absent cannot be executed: No such file or directory"));
}

Test(health, commands_that_fail_in_a_row_degrade_and_one_good_end_heals)
{
	struct health_facts facts = {
		.state = STATE_ON_DEMAND,
		.is_wanted = true,
		.runs_commands = true,
		.command = "/bin/false",
		.failures_in_row = HEALTH_FAILURES - 1,
		.failure_kind = SCORE_FAILURE_STATUS,
		.failure_status = 1 << 8,
		.failure_pid = 12,
	};
	cr_expect(judge(&facts).is_healthy);
	facts.failures_in_row = HEALTH_FAILURES;
	struct health health = judge(&facts);
	cr_expect_eq(health.state, STATE_DEGRADED);
	cr_expect(strstr(health.lines[0], "the last 3 commands ended badly: pid 12 exited 1"));
	facts.failures_in_row = 0;
	cr_expect(judge(&facts).is_healthy);
}

Test(health, a_full_service_names_the_limit_and_who_holds_the_oldest_place)
{
	struct health_facts facts = {
		.state = STATE_UP,
		.is_wanted = true,
		.paused = SCORE_PAUSED_FULL,
		.paused_ms = 4000,
		.live = 100,
		.max_connections = 100,
		.oldest_ms = 7200000,
		.oldest_pid = 77,
	};
	struct health health = judge(&facts);
	cr_expect_eq(health.state, STATE_DEGRADED);
	cr_expect(strstr(health.lines[0], "max_connections is reached"));
	cr_expect_str_eq(
		health.lines[1], "100 of 100 connections are in use, the oldest for 2h (pid 77)");
	facts.oldest_pid = 0;
	health = judge(&facts);
	cr_expect_str_eq(health.lines[1], "100 of 100 connections are in use, the oldest for 2h");
}

Test(health, a_limit_that_is_nearly_reached_names_its_key_and_is_no_illness)
{
	struct health_facts facts = {
		.state = STATE_UP,
		.is_wanted = true,
		.live = 80,
		.max_connections = 100,
		.waiting = 205,
		.queue_limit = 256,
	};
	struct health health = judge(&facts);
	cr_expect(health.is_healthy);
	cr_assert_eq(health.n_lines, 2);
	cr_expect_str_eq(health.lines[0],
		"80 of 100 connections are in use: raise max_connections before new clients must wait");
	cr_expect(strstr(health.lines[1], "205 of 256 places in the queue"));
	facts.live = 79;
	facts.waiting = 204;
	cr_expect_eq(judge(&facts).n_lines, 0);
	facts.live = 2;
	facts.max_connections = 2;
	facts.refuses = false;
	cr_expect(judge(&facts).is_healthy);
	cr_expect_eq(judge(&facts).n_lines, 0); /* of so small a limit four fifths are nothing to tell */
}

Test(health, a_pause_says_how_it_ends_and_is_no_illness)
{
	struct health_facts facts = { .state = STATE_PAUSED, .is_wanted = true, .in_state_ms = 2000, .live = 1 };
	struct health health = judge(&facts);
	cr_expect(health.is_healthy);
	cr_expect_str_eq(health.lines[0], "paused by order for 2.0s: new clients wait in the kernel, 1 "
					  "connection is served; fdsupctl resume ends it");
}

Test(health, last_words_are_cut_between_characters)
{
	char words[200];
	memset(words, 'x', 179);
	strcpy(words + 179, "\xc3\xa4");
	struct health_facts facts = {
		.state = STATE_BACKOFF,
		.death = { .is_known = true, .was_spawned = true, .program = "worker" },
		.last_words = words,
	};
	cr_expect_null(strchr(judge(&facts).lines[1], '\xc3'));
}

Test(health, a_service_that_was_stopped_on_purpose_is_well)
{
	struct health_facts facts = { .state = STATE_STOPPED };
	cr_expect(judge(&facts).is_healthy);
	cr_expect_eq(judge(&facts).n_lines, 0);
}

Test(health, a_service_without_one_of_its_addresses_serves_and_is_not_well)
{
	struct health_facts facts = {
		.state = STATE_ON_DEMAND,
		.is_wanted = true,
		.missing = "cannot listen on tcp 192.0.2.1:80: it is not there",
	};
	struct health health = judge(&facts);
	cr_expect(!health.is_healthy);
	cr_expect_eq(health.state, STATE_DEGRADED);
	cr_expect_str_eq(health.lines[0], facts.missing);
}

Test(health, a_service_that_keeps_its_old_configuration_serves_and_is_not_well)
{
	static const enum service_state states[] = { STATE_UP, STATE_ON_DEMAND, STATE_STARTING };
	for (size_t i = 0; i < sizeof states / sizeof *states; i++) {
		struct health_facts facts = {
			.state = states[i],
			.is_wanted = true,
			.reload_failure = "worker 7 exited 3, 3 times",
		};
		struct health health = judge(&facts);
		cr_expect(!health.is_healthy);
		cr_expect(strstr(health.lines[0], "worker 7 exited 3, 3 times"), "%s", health.lines[0]);
		cr_expect(strstr(health.lines[1], "fdsupctl reload"), "%s", health.lines[1]);
	}
}

Test(health, every_state_but_the_good_ones_says_something_or_is_well)
{
	for (int state = 0; state < STATE_COUNT; state++) {
		struct health_facts facts = {
			.state = state,
			.is_wanted = true,
			.command = "x",
			.death = { .is_known = true, .was_spawned = true, .program = "worker",
				.status = SIGSEGV, .times = 2 },
		};
		struct health health = judge(&facts);
		cr_expect(health.is_healthy || health.n_lines > 0, "%s", service_state_name(state));
	}
}

Test(status, names_signals)
{
	char text[HEALTH_STATUS_SIZE];
	cr_expect_str_eq(health_format_status(text, SIGKILL), "killed by SIGKILL");
	cr_expect_str_eq(health_format_status(text, SIGSEGV | 0x80), "killed by SIGSEGV (core dumped)");
	cr_expect_str_eq(health_format_status(text, 0), "exited 0");
}

Test(health, of_one_that_runs_it_is_known_since_when_it_is_ill)
{
	struct health_facts waiting = { .state = STATE_UP, .waiting = 1, .oldest_waiting_ms = 7000, .command = "x" };
	cr_expect_eq(judge(&waiting).ill_ms, 5000, "two seconds are no illness");
	struct health_facts full = { .state = STATE_UP, .paused = SCORE_PAUSED_FULL, .paused_ms = 300, .live = 1,
		.max_connections = 1 };
	cr_expect_eq(judge(&full).ill_ms, 300);
	struct health_facts failing = { .state = STATE_UP, .failure_kind = SCORE_FAILURE_STATUS,
		.failures_in_row = HEALTH_FAILURES, .failure_age_ms = 40, .runs_commands = true, .command = "x" };
	cr_expect_eq(judge(&failing).ill_ms, 40);
	struct health_facts well = { .state = STATE_UP };
	cr_expect_eq(judge(&well).ill_ms, 0);
}
