#include "policy/health.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "base/names.h"
#include "base/text.h"
#include "wire/scoreboard.h"

__attribute__((format(printf, 2, 3))) static void say(
	struct health *health, const char *format, ...)
{
	if (health->n_lines == HEALTH_LINES)
		return;
	va_list args;
	va_start(args, format);
	char *line = health->lines[health->n_lines++];
	vsnprintf(line, HEALTH_LINE_SIZE, format, args);
	va_end(args);
	line[text_whole_length(line, strlen(line))] = 0;
}

char *health_format_status(char text[HEALTH_STATUS_SIZE], int status)
{
	if (status == HEALTH_STATUS_UNKNOWN) {
		snprintf(text, HEALTH_STATUS_SIZE, "ended in an unknown way");
	} else if (WIFSIGNALED(status)) {
		const char *name = signal_name(WTERMSIG(status));
		snprintf(text, HEALTH_STATUS_SIZE, "killed by SIG%s%s", name ? name : "?",
			WCOREDUMP(status) ? " (core dumped)" : "");
	} else {
		snprintf(text, HEALTH_STATUS_SIZE, "exited %d", WEXITSTATUS(status));
	}
	return text;
}

const char *health_killing_text(enum health_killing killing)
{
	static const char *const texts[KILLINGS] = {
		[KILLED_START_TIMEOUT] = "start_timeout",
		[KILLED_WATCHDOG_SILENT] = "watchdog: it sent no WATCHDOG=1",
		[KILLED_WATCHDOG_IDLE] = "watchdog: it took no connection",
	};
	return texts[killing];
}

char *health_format_end(
	char text[HEALTH_END_SIZE], int status, uint64_t age_ms, enum health_killing killing)
{
	char ended[HEALTH_STATUS_SIZE], age[TEXT_DURATION_SIZE];
	const char *why = health_killing_text(killing);
	snprintf(text, HEALTH_END_SIZE, "%s after %s%s%s%s", health_format_status(ended, status),
		text_format_duration(age, age_ms), why ? " (" : "", why ? why : "", why ? ")" : "");
	return text;
}

static const char *ordinal_suffix(uint32_t n)
{
	if (n % 100 >= 11 && n % 100 <= 13)
		return "th";
	return n % 10 == 1 ? "st" : n % 10 == 2 ? "nd" : n % 10 == 3 ? "rd" : "th";
}

/* "; next try in 3.2s", or nothing. */
static const char *next_try(char *text, size_t size, const struct health_facts *facts)
{
	char duration[TEXT_DURATION_SIZE];
	text[0] = 0;
	if (facts->next_try_ms)
		snprintf(text, size, "; next try in %s",
			text_format_duration(duration, facts->next_try_ms));
	return text;
}

/* So soon ends who could not do what every start of it does. */
enum { SANDBOX_SOON_MS = 1000, STATUS_NOT_EXECUTABLE = 126, STATUS_NOT_FOUND = 127 };

static const char *sandbox_hint(enum sandbox sandbox)
{
	static const char *const texts[] = {
		[SANDBOX_BASIC] = "it runs with sandbox = \"basic\", which keeps system calls and files of the "
				  "system from it: see whether it needs \"none\"",
		[SANDBOX_STRICT] = "it runs with sandbox = \"strict\": sandbox_read, sandbox_write and "
				   "sandbox_network give it what it may lack",
	};
	return texts[sandbox];
}

const char *health_sandbox_hint(
	enum sandbox sandbox, int status, uint64_t age_ms, bool was_ready, enum health_killing killing)
{
	bool is_clean = status != HEALTH_STATUS_UNKNOWN && WIFEXITED(status) && WEXITSTATUS(status) == 0;
	bool is_shells = status != HEALTH_STATUS_UNKNOWN && WIFEXITED(status) &&
			 (WEXITSTATUS(status) == STATUS_NOT_EXECUTABLE || WEXITSTATUS(status) == STATUS_NOT_FOUND);
	bool is_its_own = killing == KILLED_BY_OTHERS && !is_clean;
	return is_its_own && (is_shells || !was_ready || age_ms < SANDBOX_SOON_MS) ? sandbox_hint(sandbox)
										   : NULL;
}

static void say_hint(struct health *health, const char *hint)
{
	if (hint)
		say(health, "%s", hint);
}

/* It was started for what waits at its sockets, which starts the next one. */
static bool left_it_lying(const struct health_facts *facts)
{
	const struct health_death *death = &facts->death;
	return facts->is_started_by_sockets && death->status != HEALTH_STATUS_UNKNOWN &&
	       WIFEXITED(death->status) && WEXITSTATUS(death->status) == 0;
}

static void say_death(struct health *health, const struct health_facts *facts)
{
	const struct health_death *death = &facts->death;
	char end[HEALTH_END_SIZE], next[64], times[32] = "";
	if (!death->is_known)
		return;
	next_try(next, sizeof next, facts);
	if (death->times > 1)
		snprintf(times, sizeof times, ", %u%s time", death->times, ordinal_suffix(death->times));
	if (!death->was_spawned) {
		say(health, "%s cannot be started: %s: %s%s%s", facts->command, death->stage,
			death->error ? death->error : strerror(death->status), times, next);
		if (death->status == EACCES || death->status == EPERM)
			say_hint(health, sandbox_hint(facts->sandbox));
		return;
	}
	say(health, "%s %d %s%s%s%s", death->program, death->pid,
		health_format_end(end, death->status, death->age_ms, death->killing),
		death->was_ready ? "" : ", before it was ready", times, next);
	if (death->was_out_of_memory)
		say(health, "the service had used up its memory: mend it, or raise cgroup.memory_max");
	if (death->n_left_behind)
		say(health, "it went into the background: it must stay in the foreground, find its option "
			    "for that");
	if (left_it_lying(facts))
		say(health, "it left what waits at its socket: it must accept the connection, or receive the "
			    "datagram, before it ends");
	if (!death->was_out_of_memory && !death->n_left_behind)
		say_hint(health, health_sandbox_hint(facts->sandbox, death->status, death->age_ms,
					 death->was_ready, death->killing));
}

static void say_last_words(struct health *health, const struct health_facts *facts)
{
	char age[TEXT_DURATION_SIZE];
	if (facts->last_words)
		say(health, "stderr: %.*s (%s ago)", (int)text_whole_length(facts->last_words, 180),
			facts->last_words,
			text_format_duration(age, facts->last_words_age_ms));
}

static void say_waiting(struct health *health, const struct health_facts *facts)
{
	char age[TEXT_DURATION_SIZE];
	uint32_t n = facts->waiting + facts->held;
	if (n)
		say(health, "%u client%s held, the oldest for %s", n, n == 1 ? " is" : "s are",
			text_format_duration(age, facts->oldest_waiting_ms));
}

/* A service whose processes are well, but whose commands are not. */
static bool say_failing_commands(struct health *health, const struct health_facts *facts)
{
	char status[HEALTH_STATUS_SIZE], age[TEXT_DURATION_SIZE], took[TEXT_DURATION_SIZE];
	text_format_duration(age, facts->failure_age_ms);
	if (facts->failure_kind == SCORE_FAILURE_EXEC && facts->failures_in_row) {
		say(health, "%s cannot be executed: %s (%s ago, %u in a row); clients are disconnected",
			facts->command, strerror(facts->failure_status), age, facts->failures_in_row);
		say(health, "each connection tries again; repair the command, or correct the key command");
		if (facts->failure_status == EACCES)
			say_hint(health, sandbox_hint(facts->sandbox));
		return true;
	}
	bool is_failing = facts->failure_kind == SCORE_FAILURE_STATUS &&
			  facts->failures_in_row >= HEALTH_FAILURES;
	if (is_failing && !facts->runs_commands) {
		say(health, "the last %u connections ended badly, the last one %s ago",
			facts->failures_in_row, age);
		say_last_words(health, facts);
		say(health, "each new connection is tried again");
		return true;
	}
	if (is_failing) {
		say(health, "the last %u commands ended badly: pid %d %s after %s, %s ago",
			facts->failures_in_row, facts->failure_pid,
			health_format_status(status, facts->failure_status),
			text_format_duration(took, facts->failure_duration_ms), age);
		say_hint(health, health_sandbox_hint(facts->sandbox, facts->failure_status,
					 facts->failure_duration_ms, true, KILLED_BY_OTHERS));
		say_last_words(health, facts);
		say(health, "each connection still starts %s", facts->command);
		return true;
	}
	return false;
}

static const char *pause_reason(uint32_t paused)
{
	if (paused & SCORE_PAUSED_DESCRIPTORS)
		return "the acceptor has no free descriptor; raise its limit (ulimit -n, LimitNOFILE)";
	if (paused & SCORE_PAUSED_FULL)
		return "max_connections is reached";
	if (paused & SCORE_PAUSED_HELD)
		return "too many clients are held by max_per_source or rate_per_source";
	if (paused & SCORE_PAUSED_QUEUE)
		return "the queue is full: the workers do not keep up";
	return NULL; /* rate delays by design; an administrator's pause is a state of its own */
}

static void say_places(struct health *health, const struct health_facts *facts)
{
	char age[TEXT_DURATION_SIZE];
	char server[24] = "";
	if (facts->oldest_pid)
		snprintf(server, sizeof server, " (pid %d)", facts->oldest_pid);
	say(health, "%u of %u connections are in use, the oldest for %s%s", health_n_admitted(facts),
		facts->max_connections, text_format_duration(age, facts->oldest_ms), server);
}

static bool is_full(const struct health_facts *facts)
{
	return facts->max_connections && health_n_admitted(facts) >= facts->max_connections;
}

static bool is_overloaded(const struct health_facts *facts)
{
	return facts->max_load_centi && facts->load_centi > facts->max_load_centi;
}

const char *health_refusing_key(const struct health_facts *facts)
{
	if (facts->is_closed)
		return "hours";
	if (is_overloaded(facts))
		return "max_load";
	return is_full(facts) && facts->refuses ? "max_connections" : NULL;
}

/* As the administrator wants it, and so no illness. */
static void say_closed(struct health *health, const struct health_facts *facts)
{
	char duration[TEXT_DURATION_SIZE];
	if (!facts->is_closed)
		return;
	if (facts->opens_in_ms)
		say(health, "closed by hours, for another %s: new clients are refused",
			text_format_duration(duration, facts->opens_in_ms));
	else
		say(health, "closed by hours: new clients are refused");
}

static bool say_overload(struct health *health, const struct health_facts *facts)
{
	if (!is_overloaded(facts) || facts->is_closed)
		return false;
	say(health, "the load average is %.2f, above max_load=%.9g: new clients are refused until it is "
		    "lower",
		facts->load_centi / 100.0, facts->max_load_centi / 100.0);
	return true;
}

/* A service at the end of what it may use. */
static bool say_exhausted(struct health *health, const struct health_facts *facts)
{
	char age[TEXT_DURATION_SIZE];
	const char *reason = pause_reason(facts->paused);
	if (facts->state == STATE_PAUSED)
		return false;
	if (!reason && !(is_full(facts) && facts->refuses))
		return say_overload(health, facts);
	if (!reason) {
		say(health, "max_connections is reached: new clients are refused (overflow)");
		say_places(health, facts);
		return true;
	}
	say(health, "accepting pauses since %s: %s",
		text_format_duration(age, facts->paused_ms), reason);
	if (facts->paused & SCORE_PAUSED_FULL)
		say_places(health, facts);
	say(health, "new clients wait in the kernel until a place is free");
	return true;
}

/* Four fifths of a limit: time to think of the key, before anybody waits. */
static bool is_near(uint32_t used, uint32_t limit)
{
	return limit >= 5 && used < limit && (uint64_t)used * 5 >= (uint64_t)limit * 4;
}

static void say_near_limits(struct health *health, const struct health_facts *facts)
{
	uint32_t n_admitted = health_n_admitted(facts);
	if (is_near(n_admitted, facts->max_connections))
		say(health, "%u of %u connections are in use: raise max_connections before new clients %s",
			n_admitted, facts->max_connections, facts->refuses ? "are refused" : "must wait");
	if (facts->held)
		say(health, "%u connection%s held back by max_per_source or rate_per_source: raise it if that is "
			    "no abuse",
			facts->held, facts->held == 1 ? " is" : "s are");
	if (is_near(facts->waiting, facts->queue_limit))
		say(health, "%u of %u places in the queue are taken: the workers do not keep up; raise "
			    "workers.max, or queue for longer bursts",
			facts->waiting, facts->queue_limit);
}

static void say_pause(struct health *health, const struct health_facts *facts)
{
	char age[TEXT_DURATION_SIZE];
	say(health, "paused by order for %s: new clients wait in the kernel, %u connection%s served; "
		    "fdsupctl resume ends it",
		text_format_duration(age, facts->in_state_ms), facts->live,
		facts->live == 1 ? " is" : "s are");
}

static void say_draining(struct health *health, const struct health_facts *facts)
{
	char age[TEXT_DURATION_SIZE];
	if (facts->live)
		say(health, "%u connection%s still served, since %s; fdsupctl stop ends them now",
			facts->live, facts->live == 1 ? " is" : "s are",
			text_format_duration(age, facts->in_state_ms));
}

static void say_what_helps_the_stuck(struct health *health, const struct health_facts *facts)
{
	if (facts->worker_socket)
		say(health, "start the worker that listens on %s, or see what it does", facts->worker_socket);
	else if (facts->workers_max && facts->n_working >= facts->workers_max)
		say(health, "%u of %u workers run, and none takes it: raise workers.max, or see what they do",
			facts->n_working, facts->workers_max);
	else
		say(health, "one more worker is started while connections wait");
}

/* So long a client may wait for a worker. */
enum { STUCK_MS = 2000 };

static bool has_been_stuck(const struct health_facts *facts)
{
	return facts->waiting && facts->oldest_waiting_ms > STUCK_MS;
}

/* At least. */
static void note_illness(struct health *health, uint64_t ms)
{
	if (ms > health->ill_ms)
		health->ill_ms = ms;
}

static bool say_reload_failure(struct health *health, const struct health_facts *facts)
{
	if (!facts->reload_failure)
		return false;
	say(health, "a new configuration was tried and given up: %s", facts->reload_failure);
	say(health, "the one before stays in force; correct the service, then fdsupctl reload");
	return true;
}

static void judge_running(const struct health_facts *facts, struct health *health)
{
	bool is_ill = false;
	if (facts->is_acceptor_missing) {
		say(health, "the acceptor is gone and being replaced; new clients wait in the kernel");
		is_ill = true;
	}
	if (facts->is_queue_missing) {
		say(health, "clients wait in the kernel: descriptors for its queue are lacking; it is tried "
			    "again ten times a second");
		say(health, "raise the limit on open files (ulimit -n, LimitNOFILE) and start fdsup again");
		is_ill = true;
	}
	if (facts->missing) {
		say(health, "%s", facts->missing);
		is_ill = true;
	}
	if (say_reload_failure(health, facts))
		is_ill = true;
	if (say_failing_commands(health, facts)) {
		note_illness(health, facts->failure_age_ms);
		is_ill = true;
	} else if (say_exhausted(health, facts)) {
		note_illness(health, pause_reason(facts->paused) ? facts->paused_ms : 0);
		is_ill = true;
	}
	if (!is_ill && has_been_stuck(facts)) {
		char age[TEXT_DURATION_SIZE];
		say(health, "%u connection%s for a worker, the oldest for %s", facts->waiting,
			facts->waiting == 1 ? " waits" : "s wait",
			text_format_duration(age, facts->oldest_waiting_ms));
		/* A worker of ours says what it lacks; what commands last said is about others. */
		if (!facts->runs_commands)
			say_last_words(health, facts);
		say_what_helps_the_stuck(health, facts);
		note_illness(health, facts->oldest_waiting_ms - STUCK_MS);
		is_ill = true;
	}
	if (!is_ill && facts->state == STATE_PAUSED)
		say_pause(health, facts);
	else if (!is_ill)
		say_near_limits(health, facts);
	say_closed(health, facts);
	if (is_ill && facts->state != STATE_PAUSED)
		health->state = STATE_DEGRADED;
	health->is_healthy = !is_ill;
}

void health_judge(const struct health_facts *facts, struct health *ret_health)
{
	struct health *health = ret_health;
	memset(health, 0, sizeof *health);
	health->state = facts->state;
	if (facts->state == STATE_STOPPED && facts->awaited) {
		health->state = STATE_STARTING;
		health->is_healthy = true;
		say(health, "is started when %s is ready (after); clients wait in the kernel",
			facts->awaited);
		return;
	}
	switch (facts->state) {
	case STATE_STOPPED:
		health->is_healthy = true;
		if (facts->is_wanted)
			say_death(health, facts); /* ended by itself, and restart leaves it at that */
		break;
	case STATE_DRAINING:
		health->is_healthy = true;
		say_draining(health, facts);
		break;
	case STATE_ON_DEMAND:
	case STATE_UP:
	case STATE_PAUSED:
		judge_running(facts, health);
		break;
	case STATE_STARTING:
		/* A start that takes its time after a death is still the story of that death. */
		health->is_healthy = facts->death.times == 0 && !say_reload_failure(health, facts);
		if (facts->death.times) {
			say_death(health, facts);
			say_last_words(health, facts);
		}
		break;
	case STATE_HUNG:
		say(health, "connections waited and no worker took one (watchdog); the workers are ended, "
			    "and others started");
		say_waiting(health, facts);
		break;
	case STATE_DEGRADED:
	case STATE_BACKOFF:
	case STATE_FAILED:
		say_death(health, facts);
		say_last_words(health, facts);
		say_waiting(health, facts);
		if (facts->state == STATE_FAILED)
			say(health, "given up after %u early deaths (give_up); fdsupctl start tries at once",
				facts->death.times);
		break;
	default:
		break;
	}
}
