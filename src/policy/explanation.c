#include "policy/explanation.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

__attribute__((format(printf, 2, 3))) static void say(
	struct explanation *explanation, const char *format, ...)
{
	if (explanation->n == EXPLANATION_SENTENCES)
		return;
	char *sentence = explanation->sentences[explanation->n++];
	va_list args;
	va_start(args, format);
	vsnprintf(sentence, EXPLANATION_SENTENCE_SIZE, format, args);
	va_end(args);
	sentence[text_whole_length(sentence, strlen(sentence))] = 0;
}

static void say_state(struct explanation *explanation, const struct explanation_facts *about)
{
	const struct health_facts *facts = about->facts;
	char age[TEXT_DURATION_SIZE], described[160] = "";
	if (about->description)
		snprintf(described, sizeof described, " (%.*s)",
			(int)text_whole_length(about->description, 140), about->description);
	say(explanation, "%s%s is %s%s, for %s.", about->service, described,
		service_state_name(about->health->state),
		about->health->is_healthy ? "" : ", which it should not be",
		text_format_duration(age, facts->in_state_ms));
	if (facts->state == STATE_STOPPED && !facts->is_wanted)
		say(explanation,
			"Nobody wants it: it was stopped by fdsupctl, or %s has enabled = false for it; "
			"fdsupctl start %s starts it.",
			about->config_file, about->service);
}

static void say_acceptor(struct explanation *explanation, const struct explanation_facts *about)
{
	const struct health_facts *facts = about->facts;
	const char *key = health_refusing_key(facts);
	char what[64] = "accepts";
	if (facts->state == STATE_PAUSED)
		snprintf(what, sizeof what, "accepts nothing while it is paused");
	else if (facts->paused)
		snprintf(what, sizeof what, "accepts nothing at the moment");
	else if (key)
		snprintf(what, sizeof what, "refuses every new client at the moment (%s)", key);
	say(explanation, "Acceptor %u (pid %d) %s.", about->acceptor, about->acceptor_pid, what);
}

static void say_sockets(struct explanation *explanation, const struct explanation_facts *about)
{
	if (!*about->addresses) {
		say(explanation, "It has no sockets.");
		return;
	}
	if (!about->is_bound) {
		say(explanation, "Its sockets are closed: %s.", about->addresses);
		return;
	}
	say(explanation, "fdsup (pid %d) has bound %s.", about->supervisor_pid, about->addresses);
	if (about->acceptance == ACCEPTED_BY_PROGRAM)
		say(explanation, "Its program has the sockets and %s by itself.",
			about->has_datagrams ? "receives" : "accepts");
	else if (about->acceptor_pid)
		say_acceptor(explanation, about);
}

static void say_workers(struct explanation *explanation, const struct explanation_facts *about)
{
	const struct health_facts *facts = about->facts;
	const char *user = about->user ? about->user : "the user of fdsup";
	uint32_t n_ending = about->n_workers - facts->n_working;
	if (facts->n_working)
		say(explanation, "%u of at most %u %s%s run%s %s as %s.", facts->n_working,
			facts->workers_max, about->noun, facts->workers_max == 1 ? "" : "s",
			facts->n_working == 1 ? "s" : "", facts->command, user);
	else if (about->is_on_demand && facts->state == STATE_ON_DEMAND)
		say(explanation, "No %s runs: the first %s starts %s as %s.", about->noun,
			about->has_datagrams ? "datagram" : "connection", facts->command, user);
	else
		say(explanation, "No %s runs.", about->noun);
	if (n_ending)
		say(explanation, "%u more finish%s what %s, or %s being ended.", n_ending,
			n_ending == 1 ? "es" : "", n_ending == 1 ? "it has" : "they have",
			n_ending == 1 ? "is" : "are");
	if (about->telling_worker)
		say(explanation, "%c%s %d says: %s.", about->noun[0] - 'a' + 'A', about->noun + 1,
			about->telling_worker, about->told);
}

/* "max_connections is reached": it stays as it is written in the file. */
static bool begins_with_key(const char *line)
{
	return memchr(line, '_', strcspn(line, " ")) != NULL;
}

/* The judgement has lines; here they become sentences. */
static void say_judgement(struct explanation *explanation, const struct health *health)
{
	for (size_t i = 0; i < health->n_lines; i++) {
		const char *line = health->lines[i];
		if (*line >= 'a' && *line <= 'z' && !begins_with_key(line))
			say(explanation, "%c%s.", *line - 'a' + 'A', line + 1);
		else
			say(explanation, "%s.", line);
	}
}

/* Who must become free before the next one is served, and what it has that long. */
static void say_awaited(struct explanation *explanation, const struct explanation_facts *about)
{
	const struct health_facts *facts = about->facts;
	char age[TEXT_DURATION_SIZE], server[32] = "";
	bool is_serving = facts->live > facts->waiting + facts->held;
	if (!facts->waiting || !about->only_worker)
		return;
	if (is_serving && facts->oldest_pid)
		snprintf(server, sizeof server, ", served by process %d", facts->oldest_pid);
	if (is_serving)
		say(explanation,
			"The only %s, %d, must take the next one; its oldest connection is there for %s%s.",
			about->noun, about->only_worker, text_format_duration(age, facts->oldest_ms), server);
	else
		say(explanation, "The only %s, %d, must take the next one, and has none.", about->noun,
			about->only_worker);
}

static void say_connections(struct explanation *explanation, const struct explanation_facts *about)
{
	const struct health_facts *facts = about->facts;
	char age[TEXT_DURATION_SIZE];
	if (about->acceptance != ACCEPTED_BY_ACCEPTOR)
		return;
	if (facts->max_connections)
		say(explanation, "%u of %u connections are in use (max_connections).",
			health_n_admitted(facts), facts->max_connections);
	if (facts->waiting)
		say(explanation, "%u of them wait%s for a worker, the oldest for %s.", facts->waiting,
			facts->waiting == 1 ? "s" : "",
			text_format_duration(age, facts->oldest_waiting_ms));
	say_awaited(explanation, about);
	if (facts->held)
		say(explanation, "%u more %s held back by a limit of %s source.", facts->held,
			facts->held == 1 ? "is" : "are", facts->held == 1 ? "its" : "their");
	if (about->accepted)
		say(explanation, "%" PRIu64 " %s accepted so far, %" PRIu64 " served, %" PRIu64 " lost.",
			about->accepted, about->accepted == 1 ? "was" : "were", about->served, about->lost);
}

static void say_refused(struct explanation *explanation, const struct explanation_facts *about)
{
	char age[TEXT_DURATION_SIZE];
	if (about->refused && about->refused_rule)
		say(explanation, "%" PRIu64 " %s refused, the last one %s ago by %s.", about->refused,
			about->refused == 1 ? "was" : "were",
			text_format_duration(age, about->refused_age_ms), about->refused_rule);
}

/* What is not well has told of it already. */
static void say_last_exit(struct explanation *explanation, const struct explanation_facts *about)
{
	const struct health_death *death = &about->facts->death;
	char end[HEALTH_END_SIZE], ago[TEXT_DURATION_SIZE];
	if (!about->health->is_healthy || !death->is_known || !death->was_spawned)
		return;
	say(explanation, "The last %s that ended by itself, %d, %s, %s ago.", about->noun, death->pid,
		health_format_end(end, death->status, death->age_ms, death->killing),
		text_format_duration(ago, about->death_age_ms));
}

void explanation_make(const struct explanation_facts *facts, struct explanation *ret)
{
	ret->n = 0;
	say_state(ret, facts);
	say_judgement(ret, facts->health);
	say_sockets(ret, facts);
	say_workers(ret, facts);
	say_connections(ret, facts);
	say_refused(ret, facts);
	say_last_exit(ret, facts);
	if (facts->health->is_healthy && !facts->health->n_lines && facts->facts->is_wanted)
		say(ret, "Nothing is to be done.");
}
