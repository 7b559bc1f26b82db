#include "policy/explanation.h"

#include <criterion/criterion.h>
#include <string.h>

#include "wire/scoreboard.h"

static char text[8192];

static const char *explain(struct explanation_facts *facts, const struct health_facts *known)
{
	static struct explanation explanation;
	static struct health health;
	health_judge(known, &health);
	facts->facts = known;
	facts->health = &health;
	explanation_make(facts, &explanation);
	text[0] = 0;
	for (size_t i = 0; i < explanation.n; i++) {
		strcat(text, explanation.sentences[i]);
		strcat(text, "\n");
	}
	return text;
}

static struct explanation_facts a_service(void)
{
	return (struct explanation_facts){
		.service = "pop3",
		.supervisor_pid = 15,
		.config_file = "/etc/fdsup.conf",
		.addresses = "tcp *:110",
		.is_bound = true,
		.acceptance = ACCEPTED_BY_ACCEPTOR,
		.acceptor = 1,
		.acceptor_pid = 17,
		.n_workers = 2,
		.noun = "worker",
		.user = "pop3",
	};
}

Test(explanation, of_a_healthy_service_leads_from_its_sockets_to_its_work)
{
	struct explanation_facts facts = a_service();
	struct health_facts known = { .state = STATE_UP, .is_wanted = true, .in_state_ms = 2000,
		.command = "/usr/sbin/pop3d", .n_working = 2, .workers_max = 4, .max_connections = 400,
		.live = 12 };
	facts.accepted = 30;
	facts.served = 18;
	cr_expect_str_eq(explain(&facts, &known),
		"pop3 is UP, for 2.0s.\n"
		"fdsup (pid 15) has bound tcp *:110.\n"
		"Acceptor 1 (pid 17) accepts.\n"
		"2 of at most 4 workers run /usr/sbin/pop3d as pop3.\n"
		"12 of 400 connections are in use (max_connections).\n"
		"30 were accepted so far, 18 served, 0 lost.\n"
		"Nothing is to be done.\n",
		"%s", text);
}

Test(explanation, says_whether_the_acceptor_lets_anybody_in)
{
	struct explanation_facts facts = a_service();
	struct health_facts known = { .state = STATE_UP, .is_wanted = true, .command = "x",
		.n_working = 1, .workers_max = 1, .is_closed = true };
	explain(&facts, &known);
	cr_expect(strstr(text, "Acceptor 1 (pid 17) refuses every new client at the moment (hours).\n"),
		"%s", text);
	cr_expect(strstr(text, "Closed by hours: new clients are refused.\n"), "%s", text);
	cr_expect_null(strstr(text, "Nothing is to be done"), "%s", text);
	known.is_closed = false;
	known.max_connections = known.live = 3;
	known.refuses = true;
	explain(&facts, &known);
	cr_expect(strstr(text, "refuses every new client at the moment (max_connections).\n"), "%s", text);
	known.refuses = false;
	known.paused = SCORE_PAUSED_FULL;
	explain(&facts, &known);
	cr_expect(strstr(text, "Acceptor 1 (pid 17) accepts nothing at the moment.\n"), "%s", text);
	known.state = STATE_PAUSED;
	explain(&facts, &known);
	cr_expect(strstr(text, "Acceptor 1 (pid 17) accepts nothing while it is paused.\n"), "%s", text);
}

Test(explanation, names_the_rule_that_refuses_and_who_ended_last)
{
	struct explanation_facts facts = a_service();
	struct health_facts known = { .state = STATE_UP, .is_wanted = true, .command = "x", .n_working = 1,
		.workers_max = 1,
		.death = { .is_known = true, .was_spawned = true, .was_ready = true, .pid = 4711,
			.status = 9, .age_ms = 60000 } };
	facts.n_workers = 2;
	facts.refused = 3;
	facts.refused_rule = "max_per_source";
	facts.refused_age_ms = 4000;
	facts.death_age_ms = 5000;
	explain(&facts, &known);
	cr_expect(strstr(text, "3 were refused, the last one 4.0s ago by max_per_source.\n"), "%s", text);
	cr_expect(strstr(text, "1 more finishes what it has, or is being ended.\n"), "%s", text);
	cr_expect(strstr(text,
			  "The last worker that ended by itself, 4711, killed by SIGKILL after 60s, 5.0s ago.\n"),
		"%s", text);
}

Test(explanation, names_the_worker_that_a_client_waits_for)
{
	struct explanation_facts facts = a_service();
	struct health_facts known = { .state = STATE_UP, .is_wanted = true, .command = "x", .n_working = 1,
		.workers_max = 1, .live = 3, .waiting = 1, .oldest_waiting_ms = 100, .oldest_ms = 60000,
		.oldest_pid = 4712 };
	facts.acceptance = ACCEPTED_BY_ACCEPTOR;
	explain(&facts, &known);
	cr_expect_null(strstr(text, "must take the next one"), "several workers may: %s", text);
	facts.only_worker = 4711;
	explain(&facts, &known);
	cr_expect(strstr(text, "The only worker, 4711, must take the next one; its oldest connection is there "
			       "for 60s, served by process 4712.\n"),
		"%s", text);
	known.live = 1;
	explain(&facts, &known);
	cr_expect(strstr(text, "The only worker, 4711, must take the next one, and has none.\n"), "%s", text);
	known.waiting = 0;
	explain(&facts, &known);
	cr_expect_null(strstr(text, "must take the next one"), "%s", text);
}

Test(explanation, of_an_ill_service_begins_with_the_cause)
{
	struct explanation_facts facts = a_service();
	struct health_facts known = { .state = STATE_BACKOFF, .is_wanted = true, .command = "x",
		.death = { .is_known = true, .was_spawned = true, .program = "worker", .pid = 1,
			.status = 3 << 8, .age_ms = 40, .times = 6 },
		.next_try_ms = 3200, .last_words = "no key", .last_words_age_ms = 100, .waiting = 2 };
	facts.n_workers = 0;
	explain(&facts, &known);
	char *state = strstr(text, "pop3 is BACKOFF, which it should not be");
	char *cause = strstr(text, "Worker 1 exited 3 after 40ms, before it was ready, 6th time; next try in 3.2s.");
	char *words = strstr(text, "Stderr: no key (100ms ago).");
	char *sockets = strstr(text, "has bound");
	cr_expect(state && cause && words && sockets && state < cause && cause < words && words < sockets,
		"%s", text);
	cr_expect_null(strstr(text, "Nothing is to be done"));
}

Test(explanation, of_one_that_nobody_wants_says_how_to_start_it)
{
	struct explanation_facts facts = a_service();
	struct health_facts known = { .state = STATE_STOPPED, .command = "x" };
	facts.is_bound = false;
	facts.n_workers = 0;
	explain(&facts, &known);
	cr_expect(strstr(text, "fdsupctl start pop3 starts it.\nIts sockets are closed: tcp *:110.\n"), "%s",
		text);
}

Test(explanation, never_overflows_and_never_cuts_a_character)
{
	char long_text[600];
	memset(long_text, 'x', sizeof long_text);
	for (size_t i = 0; i + 2 < sizeof long_text; i += 2)
		memcpy(long_text + i, "\xc3\xa4", 2);
	long_text[sizeof long_text - 2] = 0;
	struct explanation_facts facts = a_service();
	facts.description = facts.addresses = long_text;
	struct health_facts known = { .state = STATE_UP, .command = long_text, .n_working = 1 };
	explain(&facts, &known);
	for (const char *p = text; (p = strchr(p, '\xc3')); p++)
		cr_assert_eq(p[1], '\xa4');
}
