#include "ctl/metrics.h"

#include <string.h>

#include "ctl/render.h"
#include "ctl/reply.h"

/* A family whose sample is a number of each service: of `field`, or of a member of it. */
struct family {
	const char *name, *type, *unit, *help;
	const char *field, *member;
	double scale; /* 0: 1 */
};

static const struct family families[] = {
	{ "fdsup_service_healthy", "gauge", NULL, "0 if somebody should look", "healthy" },
	{ "fdsup_service_wanted", "gauge", NULL, "0 if it was stopped or is not enabled", "wanted" },
	{ "fdsup_service_state_age_seconds", "gauge", "seconds", "time in its state", "since_ms",
		.scale = 0.001 },
	{ "fdsup_service_workers", "gauge", NULL, "workers that take connections", "workers", "used" },
	{ "fdsup_service_workers_limit", "gauge", NULL, "workers.max", "workers", "limit" },
	{ "fdsup_service_connections", "gauge", NULL, "accepted and not yet ended", "connections", "used" },
	{ "fdsup_service_connections_limit", "gauge", NULL, "max_connections", "connections", "limit" },
	{ "fdsup_service_queue", "gauge", NULL, "connections that wait for a worker or a limit", "queue",
		"used" },
	{ "fdsup_service_queue_limit", "gauge", NULL, "the key queue", "queue", "limit" },
	{ "fdsup_service_accepted", "counter", NULL, "connections accepted", "accepted" },
	{ "fdsup_service_served", "counter", NULL, "connections ended after a worker had them", "served" },
	{ "fdsup_service_failed", "counter", NULL, "of those, ended badly", "failed" },
	{ "fdsup_service_refused", "counter", NULL, "connections refused by a limit or a rule", "refused" },
	{ "fdsup_service_lost", "counter", NULL, "connections accepted and never served", "lost" },
	{ "fdsup_service_deaths", "counter", NULL, "workers that died, starts that failed", "deaths" },
	{ "fdsup_service_restarts", "counter", NULL, "workers started again", "restarts" },
};

static void print_head(
	FILE *out, const char *name, const char *type, const char *unit, const char *help)
{
	fprintf(out, "# TYPE %s %s\n", name, type);
	if (unit)
		fprintf(out, "# UNIT %s %s\n", name, unit);
	fprintf(out, "# HELP %s %s\n", name, help);
}

/* The value of a label. */
static void print_escaped(FILE *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '\\' || *text == '"')
			fputc('\\', out);
		if (*text == '\n')
			fputs("\\n", out);
		else
			fputc(*text, out);
	}
}

static void print_label(FILE *out, const char *sample, const char *name, const char *value)
{
	fprintf(out, "%s{%s=\"", sample, name);
	print_escaped(out, value);
	fputc('"', out);
}

/* False: it is not known; of a limit 0 means that there is none. */
static bool find_value(const struct family *family, const json_t *service, double *ret)
{
	const json_t *value = json_object_get(service, family->field);
	bool is_limit = family->member && !strcmp(family->member, "limit");
	if (family->member)
		value = json_object_get(value, family->member);
	if (!json_is_number(value) && !json_is_boolean(value))
		return false;
	*ret = json_is_number(value) ? json_number_value(value) : json_is_true(value);
	if (family->scale > 0)
		*ret *= family->scale;
	return !is_limit || *ret > 0;
}

static void print_family(FILE *out, const struct family *family, const json_t *services)
{
	char sample[96];
	snprintf(sample, sizeof sample, "%s%s", family->name,
		strcmp(family->type, "counter") ? "" : "_total");
	print_head(out, family->name, family->type, family->unit, family->help);
	for (size_t i = 0; i < json_array_size(services); i++) {
		const json_t *service = json_array_get(services, i);
		const char *name = reply_text(service, "name");
		double value;
		if (!name || !find_value(family, service, &value))
			continue;
		print_label(out, sample, "service", name);
		fprintf(out, "} %.15g\n", value);
	}
}

static void print_states(FILE *out, const json_t *services)
{
	const char *const *states = table_status.states;
	print_head(out, "fdsup_service_state", "stateset", NULL, "the state of the service");
	for (size_t i = 0; i < json_array_size(services); i++) {
		const json_t *service = json_array_get(services, i);
		const char *name = reply_text(service, "name"), *state = reply_text(service, "state");
		for (size_t k = 0; name && state && states[k]; k++) {
			print_label(out, "fdsup_service_state", "service", name);
			fprintf(out, ",fdsup_service_state=\"%s\"} %d\n", states[k],
				!strcmp(state, states[k]));
		}
	}
}

static void print_acceptors(FILE *out, const json_t *acceptors)
{
	print_head(out, "fdsup_acceptor_up", "gauge", NULL, "0 while the acceptor is being replaced");
	for (size_t i = 0; i < json_array_size(acceptors); i++)
		fprintf(out, "fdsup_acceptor_up{acceptor=\"%zu\"} %d\n", i + 1,
			json_is_integer(json_object_get(json_array_get(acceptors, i), "pid")));
	print_head(out, "fdsup_acceptor_restarts", "counter", NULL, "acceptors started again");
	for (size_t i = 0; i < json_array_size(acceptors); i++) {
		json_int_t restarts = 0;
		reply_integer(json_array_get(acceptors, i), "restarts", &restarts);
		fprintf(out, "fdsup_acceptor_restarts_total{acceptor=\"%zu\"} %" JSON_INTEGER_FORMAT "\n",
			i + 1, restarts);
	}
}

static void print_daemon(FILE *out, const json_t *daemon)
{
	const char *version = reply_text(daemon, "version");
	json_int_t uptime_ms;
	print_head(out, "fdsup_build", "info", NULL, "the version of fdsup");
	print_label(out, "fdsup_build_info", "version", version ? version : "");
	fputs("} 1\n", out);
	print_head(out, "fdsup_uptime_seconds", "gauge", "seconds", "since fdsup was started");
	if (reply_integer(daemon, "uptime_ms", &uptime_ms))
		fprintf(out, "fdsup_uptime_seconds %.3f\n", (double)uptime_ms / 1000);
	print_head(out, "fdsup_reload_failed", "gauge", NULL, "1 if the last reload was refused");
	fprintf(out, "fdsup_reload_failed %d\n", reply_text(daemon, "reload_error") != NULL);
	print_head(out, "fdsup_log_failed", "gauge", NULL, "1 if the log cannot be written");
	fprintf(out, "fdsup_log_failed %d\n", reply_text(daemon, "log_trouble") != NULL);
	print_acceptors(out, json_object_get(daemon, "acceptors"));
}

void metrics_print(FILE *out, const json_t *status)
{
	const json_t *services = json_object_get(status, "services");
	print_daemon(out, json_object_get(status, "daemon"));
	print_states(out, services);
	for (size_t i = 0; i < sizeof families / sizeof *families; i++)
		print_family(out, &families[i], services);
	fputs("# EOF\n", out);
}
