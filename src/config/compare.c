/*
 * What a reload asks of a running service: the strongest change among its keys.
 */
#include <string.h>

#include "config/account.h"
#include "config/value.h"

static enum config_change stronger(enum config_change a, enum config_change b)
{
	return a > b ? a : b;
}

static bool text_equal(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

/* The same addresses in another order are the same. */
static bool has_listen(const struct service_config *service, const struct listen_address *listen)
{
	for (size_t i = 0; i < service->n_listen; i++) {
		const struct listen_address *own = &service->listen[i];
		if (own->is_both_families == listen->is_both_families &&
			own->is_entrance == listen->is_entrance &&
			!memcmp(&own->address, &listen->address, sizeof own->address) &&
			text_equal(own->path, listen->path))
			return true;
	}
	return false;
}

static bool listens_equal(const struct service_config *a, const struct service_config *b)
{
	if (a->n_listen != b->n_listen)
		return false;
	for (size_t i = 0; i < a->n_listen; i++)
		if (!has_listen(b, &a->listen[i]))
			return false;
	return true;
}

/* All addresses of a service have one port (but for Unix sockets, which have none). */
static bool has_other_port(const struct service_config *a, const struct service_config *b)
{
	return a->n_listen && b->n_listen &&
	       a->listen[0].address.port != b->listen[0].address.port;
}

/* Gathers the strongest change, and tells the names of the keys. */
struct comparison {
	enum config_change change;
	void (*visit)(void *context, const char *key);
	void *context;
};

static void differs(struct comparison *comparison, const char *key, enum config_change change)
{
	comparison->change = stronger(comparison->change, change);
	if (comparison->visit)
		comparison->visit(comparison->context, key);
}

/* A service that runs no program of the administrator's has none. */
static bool accounts_equal(const struct account *a, const struct account *b)
{
	return a && b ? account_equal(a, b) : a == b;
}

static bool networks_equal(
	const struct network *a, size_t n_a, const struct network *b, size_t n_b)
{
	return n_a == n_b && (n_a == 0 || !memcmp(a, b, n_a * sizeof *a));
}

static bool windows_equal(const struct service_admission *a, const struct service_admission *b)
{
	return a->n_windows == b->n_windows &&
	       (a->n_windows == 0 ||
		       !memcmp(a->windows, b->windows, a->n_windows * sizeof *a->windows));
}

static void compare_access(struct comparison *comparison, const struct service_admission *before,
	const struct service_admission *after)
{
	if (!networks_equal(before->networks, before->n_allow, after->networks, after->n_allow) ||
		before->has_allow != after->has_allow)
		differs(comparison, "allow", CHANGE_APPLY);
	if (!networks_equal(before->networks + before->n_allow, before->n_deny,
		    after->networks + after->n_allow, after->n_deny))
		differs(comparison, "deny", CHANGE_APPLY);
	if (!windows_equal(before, after))
		differs(comparison, "hours", CHANGE_APPLY);
}

/* What names were resolved to: a port that was renamed in /etc/services, a user who changed. */
static void compare_resolved(struct comparison *comparison, const struct service_config *before,
	const struct service_config *after)
{
	if (!accounts_equal(before->account, after->account))
		differs(comparison, "user", CHANGE_ROLL);
	if (!text_equal(before->command_path, after->command_path))
		differs(comparison, "command", CHANGE_ROLL);
	if (before->sockets->socket_uid != after->sockets->socket_uid)
		differs(comparison, "socket_user",
			after->type == SERVICE_EXTERNAL ? CHANGE_ROLL : CHANGE_APPLY);
	if (before->sockets->socket_gid != after->sockets->socket_gid)
		differs(comparison, "socket_group", CHANGE_APPLY);
	compare_access(comparison, before->admission, after->admission);
	if (!listens_equal(before, after))
		differs(comparison, has_other_port(before, after) ? "port" : "address", CHANGE_REBIND);
}

/* Who answers datagrams keeps the limit and writes the lines itself, and is told at its start. */
static enum config_change change_of(const struct config_key *key, const struct service_config *service)
{
	bool is_told = service_answers_datagrams(service) &&
		       (!strcmp(key->name, "rate") || !strcmp(key->name, "log_address"));
	return is_told ? CHANGE_ROLL : key->change;
}

enum config_change service_config_changes(const struct service_config *before,
	const struct service_config *after, void (*visit)(void *context, const char *key),
	void *context)
{
	struct comparison comparison = { CHANGE_NONE, visit, context };
	if (before->type != after->type) {
		differs(&comparison, "type", CHANGE_REPLACE);
		return comparison.change;
	}
	compare_resolved(&comparison, before, after);
	for (size_t i = 0; i < config_keys_n; i++) {
		const struct config_key *key = &config_keys[i];
		if (!key_is_of_service(key) || key->part == KEY_IN_WRITTEN || !key_fits(key, after))
			continue;
		if (!value_equal(key, key_field(key, before), key_field(key, after)))
			differs(&comparison, key->name, change_of(key, after));
	}
	return comparison.change;
}

enum config_change service_config_compare(
	const struct service_config *before, const struct service_config *after)
{
	return service_config_changes(before, after, NULL, NULL);
}
