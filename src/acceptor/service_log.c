#include "acceptor/service_log.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "acceptor/acceptor.h"
#include "acceptor/access.h"
#include "base/log.h"
#include "base/names.h"
#include "base/put.h"
#include "base/text.h"

enum { REFUSED_LINES_A_SECOND = 10 };

static const uint64_t second_ns = 1000000000;
static const uint64_t near_full_quiet_ns = UINT64_C(600000000000);

/* Room for any line below, whose pieces are all bounded. */
enum { LINE_SIZE = CONTROL_NAME_SIZE + 2 * ENDPOINT_TEXT_SIZE + 384 };
_Static_assert((int)LINE_SIZE <= (int)LOG_LINE_MAX, "no line is cut");

enum { ENDS_SIZE = 2 * ENDPOINT_TEXT_SIZE + 48 };

/* "id=... peer=... local=..." */
static char *put_ends(char *p, const struct service *service, const struct ledger_entry *entry)
{
	char end[ENDPOINT_TEXT_SIZE];
	p = put_hex(put_text(p, "id="), entry->id);
	p = put_text(p, " peer=");
	p = put_text(p, endpoint_format_client(end, &entry->peer, service_log_address(service)));
	p = put_text(p, " local=");
	return put_text(p, endpoint_format_local(end, &entry->local));
}

static const char *format_ends(
	char text[ENDS_SIZE], const struct service *service, const struct ledger_entry *entry)
{
	*put_ends(text, service, entry) = 0;
	return text;
}

void service_log_start(struct service *service, const struct ledger_entry *entry)
{
	char line[LINE_SIZE];
	if (!(service->settings->told.log_events & LOG_EVENT_START))
		return;
	char *p = put_text(put_text(line, service_name(service)), ": START ");
	p = put_ends(p, service, entry);
	*put_signed(put_text(p, " pid="), entry->pid) = 0;
	log_text(LOG_INFO, line);
}

/* "pid=4712", and who had it where that is all that is known. */
static char *put_pid(char *p, const struct ledger_entry *entry)
{
	p = put_text(p, " pid=");
	if (entry->pid || entry->worker)
		return put_signed(p, entry->pid ? entry->pid : entry->worker);
	return put_text(p, "-");
}

static char *put_status(char *p, const struct ledger_entry *entry, const struct ending *ending)
{
	int status = ending->status;
	if (ending->is_by_kernel)
		return put_text(p, " status=-");
	if (!entry->pid) /* the client had gone before a command was started */
		return put_text(p, " status=reset");
	if (!WIFSIGNALED(status))
		return put_signed(put_text(p, " status="), WEXITSTATUS(status));
	const char *name = signal_name(WTERMSIG(status));
	p = put_text(p, " signal=");
	return name ? put_text(p, name) : put_signed(p, WTERMSIG(status));
}

static char *put_seconds(char *p, uint64_t us)
{
	unsigned ms = (unsigned)(us / 1000 % 1000);
	p = put_decimal(p, us / 1000000);
	*p++ = '.';
	*p++ = (char)('0' + ms / 100);
	*p++ = (char)('0' + ms / 10 % 10);
	*p++ = (char)('0' + ms % 10);
	*p++ = 's';
	return p;
}

static char *put_bytes(char *p, const struct ledger_entry *entry, const struct ending *ending)
{
	if (!entry->has_bytes && !ending->has_bytes)
		return put_text(p, " in=- out=-");
	p = put_decimal(put_text(p, " in="), entry->has_bytes ? entry->bytes_in : ending->bytes_in);
	return put_decimal(
		put_text(p, " out="), entry->has_bytes ? entry->bytes_out : ending->bytes_out);
}

void service_log_end(
	struct service *service, const struct ledger_entry *entry, const struct ending *ending)
{
	char line[LINE_SIZE];
	if (!(service->settings->told.log_events & LOG_EVENT_END))
		return;
	char *p = put_text(put_text(line, service_name(service)), ": END ");
	p = put_pid(put_ends(p, service, entry), entry);
	p = put_seconds(put_text(p, " duration="), ending->duration_us);
	p = put_text(p, " cpu=");
	p = ending->is_by_kernel ? put_text(p, "-") : put_seconds(p, ending->cpu_us);
	p = put_bytes(put_status(p, entry, ending), entry, ending);
	const char *reason = severance_name(entry->severance);
	if (reason)
		p = put_text(put_text(p, " reason="), reason);
	*p = 0;
	log_text(LOG_INFO, line);
}

void service_log_refused_rest(struct service *service, uint64_t now_ns)
{
	if (!service->traffic->n_refused_lines || now_ns - service->traffic->refused_ns < second_ns)
		return;
	if (service->traffic->n_refused_silent)
		log_info("%s: REFUSED %u more within that second", service_name(service),
			service->traffic->n_refused_silent);
	service->traffic->n_refused_lines = service->traffic->n_refused_silent = 0;
}

uint64_t service_log_refused_ns(const struct service *service)
{
	return service->traffic->n_refused_silent ? service->traffic->refused_ns + second_ns : NEVER_NS;
}

void service_log_refused(struct service *service, const struct ledger_entry *entry,
	const char *reason, uint64_t now_ns)
{
	char ends[ENDS_SIZE];
	if (!(service->settings->told.log_events & LOG_EVENT_REFUSE))
		return;
	service_log_refused_rest(service, now_ns);
	if (!service->traffic->n_refused_lines)
		service->traffic->refused_ns = now_ns;
	if (service->traffic->n_refused_lines >= REFUSED_LINES_A_SECOND) {
		service->traffic->n_refused_silent++;
		return;
	}
	service->traffic->n_refused_lines++;
	log_info("%s: REFUSED %s reason=%s", service_name(service), format_ends(ends, service, entry),
		reason);
}

void service_log_lost(struct service *service, const struct ledger_entry *entry, int32_t worker)
{
	char ends[ENDS_SIZE];
	if (worker)
		log_warning("%s: LOST %s: worker %d died holding it", service_name(service),
			format_ends(ends, service, entry), worker);
	else
		log_warning("%s: LOST %s: a worker died and no other has reported it",
			service_name(service), format_ends(ends, service, entry));
}

/* As one would write it: "2/10s", "30/min". */
static const char *format_rate(char *text, size_t size, uint32_t count, uint32_t per_ms)
{
	static const struct {
		uint32_t ms;
		const char *name;
	} units[] = { { 86400000, "d" }, { 3600000, "h" }, { 60000, "min" }, { 1000, "s" }, { 1, "ms" } };
	size_t i = 0;
	while (per_ms % units[i].ms)
		i++;
	if (per_ms == units[i].ms)
		snprintf(text, size, "%u/%s", count, units[i].name);
	else
		snprintf(text, size, "%u/%u%s", count, per_ms / units[i].ms, units[i].name);
	return text;
}

/* What becomes of the connections, in the words of the configuration. */
static const char *overflow_text(const struct service *service, const char *when_waiting)
{
	return service->admission.limits->overflow == OVERFLOW_WAIT ? when_waiting
							   : "further connections are refused";
}

static void log_source_episode(
	struct service *service, const char *limit, const struct ledger_entry *entry)
{
	char host[ENDPOINT_TEXT_SIZE], wait[TEXT_DURATION_SIZE];
	const char *name = service_name(service);
	endpoint_format_source(host, &entry->peer, service_log_address(service));
	if (service->admission.limits->overflow != OVERFLOW_WAIT)
		log_notice(
			"%s: %s reached by %s: more of it is refused; raise it if that is no abuse",
			name, limit, host);
	else
		log_notice("%s: %s reached by %s: more of it waits for at most %s "
			   "(overflow_wait), then is refused; raise it if that is no abuse",
			name, limit, host,
			text_format_duration(wait, service->settings->told.overflow_wait_ms));
}

static void log_beginning(struct service *service, enum episode_kind kind,
	const struct ledger_entry *entry, int error)
{
	const struct admission_limits *limits = service->admission.limits;
	const char *name = service_name(service);
	char rate[48], limit[80];
	switch (kind) {
	case EPISODE_MAX_CONNECTIONS:
		log_warning(
			"%s: max_connections=%u reached: %s; raise max_connections if the host "
			"can carry more",
			name, limits->max_connections,
			overflow_text(service, "accepting pauses until a connection ends"));
		break;
	case EPISODE_RATE:
		log_warning("%s: rate=%s exceeded: %s; raise rate if that is no abuse", name,
			format_rate(rate, sizeof rate, service->settings->told.rate_count,
				service->settings->told.rate_per_ms),
			overflow_text(service, "accepting pauses until the next one is due"));
		break;
	case EPISODE_QUEUE:
		log_warning(
			"%s: queue=%u is full: accepting pauses until a worker takes a "
			"connection; raise workers.max, or queue for short rushes",
			name, service->settings->told.queue_depth);
		break;
	case EPISODE_HELD:
		log_warning(
			"%s: %u connection%s for max_per_source or rate_per_source: accepting "
			"pauses; raise those, lower overflow_wait, or set overflow = \"refuse\"",
			name, service->traffic->account.n_held, service->traffic->account.n_held == 1 ? " waits" : "s wait");
		break;
	case EPISODE_MAX_PER_SOURCE:
		snprintf(limit, sizeof limit, "max_per_source=%u", limits->max_per_source);
		log_source_episode(service, limit, entry);
		break;
	case EPISODE_RATE_PER_SOURCE:
		format_rate(rate, sizeof rate, service->settings->told.source_rate_count,
			service->settings->told.source_rate_per_ms);
		snprintf(limit, sizeof limit, "rate_per_source=%s", rate);
		log_source_episode(service, limit, entry);
		break;
	case EPISODE_MAX_LOAD:
		log_warning(
			"%s: max_load=%.9g exceeded, the load average is %.2f: connections are refused "
			"until it is lower; raise max_load if the host can carry more",
			name, service->access ? service->access->max_load_centi / 100.0 : 0,
			service->acceptor->load.centi / 100.0);
		break;
	case EPISODE_EXEC_FAILED:
		log_error("%s: the command could not be started: %s; the client was dropped; "
			  "check command, user, directory, chroot and sandbox",
			name, strerror(error));
		break;
	case EPISODE_KINDS:
		break;
	}
}

void service_log_episode(struct service *service, enum episode_kind kind,
	const struct ledger_entry *entry, int error, uint64_t now_ns)
{
	if (episode_happened(&service->traffic->episodes, kind, now_ns))
		log_beginning(service, kind, entry, error);
}

/*
 * Of what is seen only when a client comes nobody knows whether it is over; what is known is that no
 * client met it.
 */
static const char *ended_text(const struct service *service, enum episode_kind kind)
{
	static const char *const refusing[EPISODE_KINDS] = {
		[EPISODE_MAX_CONNECTIONS] = "nobody was refused for max_connections",
		[EPISODE_RATE] = "nobody was refused for rate",
		[EPISODE_MAX_PER_SOURCE] = "nobody was refused for max_per_source",
		[EPISODE_RATE_PER_SOURCE] = "nobody was refused for rate_per_source",
		[EPISODE_MAX_LOAD] = "nobody was refused for max_load",
	};
	static const char *const waiting[EPISODE_KINDS] = {
		[EPISODE_MAX_CONNECTIONS] = "max_connections was not reached",
		[EPISODE_RATE] = "nobody more had to wait for rate",
		[EPISODE_QUEUE] = "the queue had room",
		[EPISODE_HELD] = "there was room for connections that wait for their source's limits",
		[EPISODE_MAX_PER_SOURCE] = "nobody more had to wait for max_per_source",
		[EPISODE_RATE_PER_SOURCE] = "nobody more had to wait for rate_per_source",
		[EPISODE_EXEC_FAILED] = "no command failed to start",
	};
	bool is_refusing = service->admission.limits->overflow != OVERFLOW_WAIT || !waiting[kind];
	return is_refusing && refusing[kind] ? refusing[kind] : waiting[kind];
}

static void log_ended(
	struct service *service, enum episode_kind kind, const struct episode *episode)
{
	char lasted[TEXT_DURATION_SIZE], times[TEXT_DURATION_SIZE + 32], refused[64] = "";
	text_format_duration(lasted, (episode->last_ns - episode->begin_ns) / 1000000);
	if (episode->n_times == 1)
		strcpy(times, "once");
	else
		snprintf(times, sizeof times, "%u times in %s", episode->n_times, lasted);
	if (kind != EPISODE_EXEC_FAILED)
		snprintf(refused, sizeof refused, ", and %u connection%s refused for it",
			episode->n_refused, episode->n_refused == 1 ? " was" : "s were");
	log_notice("%s: %s for %us; %s %s%s", service_name(service), ended_text(service, kind),
		(unsigned)(EPISODE_QUIET_NS / second_ns), kind == EPISODE_EXEC_FAILED ? "it failed" : "it happened", times, refused);
}

void service_log_ended_episodes(struct service *service, uint64_t now_ns)
{
	enum episode_kind kind;
	struct episode episode;
	while (episodes_end_one(&service->traffic->episodes, now_ns, &kind, &episode))
		log_ended(service, kind, &episode);
}

void service_log_fullness(struct service *service, uint64_t now_ns)
{
	uint64_t max = service->admission.limits->max_connections;
	uint64_t live = service->admission.live;
	if (live * 10 < max * 6)
		service->is_near_full = false;
	if (service->is_near_full || !max || live * 10 < max * 8 || live >= max)
		return;
	service->is_near_full = true;
	if (now_ns < service->traffic->warn_full_ns)
		return;
	service->traffic->warn_full_ns = now_ns + near_full_quiet_ns;
	log_warning("%s: %u of max_connections=%u are in use; beyond that %s",
		service_name(service), service->admission.live, service->admission.limits->max_connections,
		overflow_text(service, "accepting pauses"));
}
