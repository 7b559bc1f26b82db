#include "config/check.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/unix_name.h"
#include "config/confinement.h"
#include "base/root.h"

static void check_workers(struct draft *draft)
{
	const struct service_config *service = draft->fields;
	if (service->supervision->workers_min > service->supervision->workers_max)
		draft_problem(draft, "workers.min",
			"%u is above workers.max (%u); lower one or raise the other",
			service->supervision->workers_min, service->supervision->workers_max);
	else if (service->type == SERVICE_DAEMON &&
		 service->supervision->workers_min != service->supervision->workers_max)
		draft_problem(draft, "workers.max",
			"a daemon has no queue to grow by; write the same number as workers.min "
			"(%u)",
			service->supervision->workers_min);
	else if (service->type == SERVICE_DAEMON && service->supervision->workers_min == 0)
		draft_problem(draft, "workers.min",
			"a daemon needs a worker; write 1 or more, or enabled = false");
}

static void check_delays(struct draft *draft)
{
	const struct service_config *service = draft->fields;
	const char *key = draft_has(draft, "restart_delay") ? "restart_delay" : "restart_delay_max";
	if (service->supervision->restart_delay > service->supervision->restart_delay_max)
		draft_problem(draft, key,
			"restart_delay is above restart_delay_max; lower one or raise the other");
}

static void check_directory(struct draft *draft)
{
	const struct service_config *service = draft->fields;
	struct stat status = { 0 };
	char shown[QUOTE_SIZE];
	if (!service->surroundings->directory || !strcmp(service->surroundings->directory, "/") ||
		draft->is_trusting)
		return;
	quote(shown, service->surroundings->directory);
	fd_auto int fd = root_open(service->surroundings->chroot, service->surroundings->directory);
	if (fd < 0 || fstat(fd, &status) < 0)
		draft_problem(draft, "directory", "%s%s: %s; create it or name another folder",
			shown, service->surroundings->chroot ? " in the chroot" : "",
			strerror(fd < 0 ? -fd : errno));
	else if (!S_ISDIR(status.st_mode))
		draft_problem(draft, "directory", "%s is not a folder; name a folder", shown);
}

/* The length of a name of a variable at the start of the text; 0 if there is none. */
static size_t name_length(const char *text)
{
	size_t length = 0;
	if (isdigit((unsigned char)*text))
		return 0;
	while (isalnum((unsigned char)text[length]) || text[length] == '_')
		length++;
	return length;
}

static bool is_repeated(const struct text_list *list, size_t item, size_t length)
{
	for (size_t i = 0; i < item; i++)
		if (!strncmp(list->items[i], list->items[item], length) &&
			name_length(list->items[i]) == length)
			return true;
	return false;
}

static void check_environment(struct draft *draft)
{
	const struct service_config *service = draft->fields;
	const struct text_list *list = &service->surroundings->environment;
	char shown[QUOTE_SIZE];
	for (size_t i = 0; i < list->n; i++) {
		size_t length = name_length(list->items[i]);
		if (length == 0 || list->items[i][length] != '=')
			draft_item_problem(draft, "environment", i,
				"%s has not the form \"NAME=value\"; write it so",
				quote(shown, list->items[i]));
		else if (is_repeated(list, i, length))
			draft_item_problem(draft, "environment", i,
				"%s sets a variable that is set before; remove one of the two",
				quote(shown, list->items[i]));
	}
	list = &service->surroundings->pass_environment;
	for (size_t i = 0; i < list->n; i++) {
		size_t length = name_length(list->items[i]);
		if (length == 0 || list->items[i][length])
			draft_item_problem(draft, "pass_environment", i,
				"%s is not the name of a variable; write the name alone, without a "
				"value",
				quote(shown, list->items[i]));
	}
}

/* "*" is both families already, so v6only would change its meaning behind the reader's back. */
static void check_families(struct draft *draft)
{
	const struct service_config *service = draft->fields;
	if (!service->sockets->is_v6only)
		return;
	for (size_t i = 0; i < service->n_listen; i++)
		if (service->listen[i].is_both_families) {
			draft_problem(draft, "v6only",
				"the address \"*\" is both families; write address = \"::\" for "
				"IPv6 "
				"alone, or remove the key");
			return;
		}
}

/* Whether there is one of this name is seen when it is bound: it may appear later. */
static void check_interface(struct draft *draft)
{
	const struct service_config *service = draft->fields;
	char shown[QUOTE_SIZE];
	const char *name = service->sockets->interface;
	if (!name)
		return;
	bool is_name = *name && strlen(name) < IFNAMSIZ && strcmp(name, ".") && strcmp(name, "..");
	for (const char *p = name; *p && is_name; p++)
		is_name = *p > ' ' && *p <= '~' && *p != '/' && *p != ':';
	if (!is_name)
		draft_problem(draft, "interface",
			"%s cannot be the name of a network interface; write it as ip link shows it",
			quote(shown, name));
}

/* Without root, priority may be raised only as far as RLIMIT_NICE says: 20 minus the limit. */
static void check_nice(struct draft *draft)
{
	const struct service_config *service = draft->fields;
	struct rlimit limit;
	if (service->surroundings->nice == 0 || geteuid() == 0)
		return;
	int now = getpriority(PRIO_PROCESS, 0);
	int lowest = getrlimit(RLIMIT_NICE, &limit) == 0 ? 20 - (int)limit.rlim_cur : now;
	if (service->surroundings->nice < now && service->surroundings->nice < lowest)
		draft_problem(draft, "nice",
			"only root can lower it to %d; start fdsup as root or write at least %d",
			service->surroundings->nice, now < lowest ? now : lowest);
}

/* A command that is started for a connection has one, and so has one that gets the socket as inetd's. */
static void check_stderr(struct draft *draft)
{
	const struct service_config *service = draft->fields;
	bool is_asked_for = draft_has_own(draft, "stderr");
	bool has_one = service->type == SERVICE_EXEC ||
		       (service->type == SERVICE_LISTEN && service->is_inetd);
	if (is_asked_for && service->surroundings->stderr_target == STDERR_CONNECTION && !has_one)
		draft_problem(draft, "stderr",
			"a program of type \"%s\" has no connection of its own; write \"log\" or "
			"\"null\"",
			service_type_name(service->type));
}

/* Whether "host:port" ends in a port, whose host, if it holds colons, is in brackets. */
static bool is_host_and_port(const char *text)
{
	const char *colon = strrchr(text, ':');
	if (!colon || colon == text || !colon[1])
		return false;
	bool is_bracketed = text[0] == '[' && colon[-1] == ']';
	bool is_plain = memchr(text, ':', (size_t)(colon - text)) == NULL;
	char *end;
	unsigned long port = strtoul(colon + 1, &end, 10);
	bool is_port = *end ? !isdigit((unsigned char)colon[1]) : port >= 1 && port <= 65535;
	return (is_bracketed || is_plain) && is_port;
}

static void check_target(struct draft *draft)
{
	const struct service_config *service = draft->fields;
	char shown[QUOTE_SIZE];
	if (service->type == SERVICE_BUILTIN && !draft_has_own(draft, "builtin"))
		draft_problem(draft, "builtin",
			"is missing; write \"echo\", \"discard\", \"chargen\", \"daytime\" or \"time\"");
	if (service->type == SERVICE_EXTERNAL && !service->worker_socket)
		draft_problem(draft, "worker_socket",
			"is missing; write the socket on which the worker listens, \"/path\" or \"@name\"");
	if (service->type != SERVICE_REDIRECT)
		return;
	const char *to = service->to;
	if (!to) {
		draft_problem(draft, "to", "is missing; add to = \"host:port\" or \"unix:/path\"");
		return;
	}
	bool is_unix = !strncmp(to, "unix:", 5);
	bool is_unix_name = is_unix && (to[5] == '/' || to[5] == '@') && to[6];
	if (is_unix_name && strlen(to + 5) > UNIX_NAME_MAX)
		draft_problem(draft, "to", "the path has %zu bytes, a socket's may have %d; shorten it",
			strlen(to + 5), UNIX_NAME_MAX);
	else if (is_unix ? !is_unix_name : !is_host_and_port(to))
		draft_problem(draft, "to",
			"%s is no target; write \"host:port\", \"[IPv6 address]:port\", "
			"\"unix:/path\" or \"unix:@name\"",
			quote(shown, to));
}

static void check_protocol(struct draft *draft)
{
	const struct service_config *service = draft->fields;
	if (service->sockets->protocol == PROTOCOL_UDP && service->type == SERVICE_EXEC)
		draft_problem(draft, "protocol",
			"a datagram is no connection that a command could be started with; write type = "
			"\"listen\" and inetd = true, as inetd's wait");
	else if (service->sockets->protocol == PROTOCOL_UDP && service->type != SERVICE_LISTEN &&
		 service->type != SERVICE_DAEMON && service->type != SERVICE_BUILTIN)
		draft_problem(draft, "protocol",
			"udp is not supported by this version for type \"%s\"; remove the key, or write "
			"type = \"listen\"",
			service_type_name(service->type));
	if (service_gets_listeners(service) && service->n_listen > LISTEN_SOCKETS_MAX)
		draft_problem(draft, "address",
			"%zu addresses are more than the %d sockets that a program is handed; use fewer, or "
			"\"*\"",
			service->n_listen, LISTEN_SOCKETS_MAX);
	if (service->type == SERVICE_LISTEN && service->is_inetd && service->n_listen > 1)
		draft_problem(draft, "inetd",
			"descriptor 0 is one socket, and there are %zu addresses; write one address, or "
			"remove the key",
			service->n_listen);
}

/* What is said of IP alone, where every address is a Unix socket. */
static void check_unix_alone(struct draft *draft)
{
	const struct service_config *service = draft->fields;
	const struct {
		const char *key;
		bool is_set;
	} keys[] = {
		{ "port", service->written->port },
		{ "v6only", service->sockets->is_v6only },
		{ "nodelay", service->sockets->has_nodelay },
		{ "keepalive", service->sockets->has_keepalive },
		{ "freebind", service->sockets->has_freebind },
		{ "defer_accept", service->sockets->defer_accept != 0 },
		{ "interface", service->sockets->interface },
	};
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
		if (keys[i].is_set && draft_has_own(draft, keys[i].key))
			draft_problem(draft, keys[i].key,
				"means nothing for a Unix socket; remove the key, or add an IP address");
}

static bool may_give_group(gid_t gid)
{
	gid_t groups[NGROUPS_MAX];
	int n = getgroups(NGROUPS_MAX, groups);
	bool may = geteuid() == 0 || getegid() == gid;
	for (int i = 0; i < n && !may; i++)
		may = groups[i] == gid;
	return may;
}

static void check_unix(struct draft *draft)
{
	const struct service_config *service = draft->fields;
	size_t n = 0;
	for (size_t i = 0; i < service->n_listen; i++)
		n += service->listen[i].path != NULL;
	if (n == 0)
		return;
	if (n == service->n_listen)
		check_unix_alone(draft);
	if (service->sockets->protocol == PROTOCOL_UDP)
		draft_problem(draft, "protocol",
			"a Unix socket of fdsup takes connections, not datagrams; remove the key, or the "
			"address");
	bool has_file = service->sockets->socket_mode != 0;
	if (service->written->socket_user && has_file && geteuid() != 0 &&
		service->sockets->socket_uid != geteuid())
		draft_problem(draft, "socket_user",
			"only root can give a socket to another user; start fdsup as root or remove the "
			"key");
	if (service->written->socket_group && !may_give_group(service->sockets->socket_gid))
		draft_problem(draft, "socket_group",
			"only root can give a socket to a group that it is not in itself; start fdsup as "
			"root or remove the key");
}

static void check_datagram_pool(struct draft *draft)
{
	const struct service_config *service = draft->fields;
	if (service_answers_datagrams(service) && service->supervision->workers_max > 1)
		draft_problem(draft,
			draft_has_own(draft, "workers.max") ? "workers.max" : "workers.min",
			"one process answers all datagrams; write 1");
}

/* All of a pool are started at once: the program itself knows how much there is to do. */
static void check_listen_pool(struct draft *draft)
{
	const struct service_config *service = draft->fields;
	if (service->type == SERVICE_LISTEN && service->supervision->workers_min > 0 &&
		service->supervision->workers_max != service->supervision->workers_min)
		draft_problem(draft, "workers.max",
			"a program that accepts itself has no queue to grow by; write the same number as "
			"workers.min (%u)",
			service->supervision->workers_min);
}

/* The acceptor sends them once and waits for nobody: a client must not have to read first. */
static void check_texts(struct draft *draft)
{
	const struct service_config *service = draft->fields;
	const struct {
		const char *key, *text;
	} texts[] = {
		{ "refuse_message", service->admission->refuse_message },
		{ "banner", service->admission->banner },
	};
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		size_t length = texts[i].text ? strlen(texts[i].text) : 0;
		if (length > CLIENT_TEXT_MAX)
			draft_problem(draft, texts[i].key,
				"%zu bytes are more than %d, which is what every client takes without being "
				"waited for; shorten it, or let the command send it",
				length, CLIENT_TEXT_MAX);
		else if (length > 0 && texts[i].text[0] == '/' && !draft->is_trusting &&
			 access(texts[i].text, F_OK) == 0)
			draft_problem(draft, texts[i].key,
				"is the path of a file, and would be sent as it is; write the text itself, "
				"or \\n behind it if it is meant");
	}
	if (service->admission->refuse_message && *service->admission->refuse_message &&
		service->admission->overflow == OVERFLOW_RESET &&
		draft_has_own(draft, "refuse_message"))
		draft_problem(draft, "refuse_message",
			"overflow = \"reset\" throws away what is sent; write overflow = \"refuse\", or remove "
			"this key");
}

/*
 * What passes over a Unix socket nobody counts, and one that a program of somebody's has cannot be ended
 * from outside. Of others the kernel ends it, which takes root; a command can be told to end.
 */
static void check_lapses(struct draft *draft)
{
	const struct service_config *service = draft->fields;
	const struct {
		const char *key;
		uint64_t ms;
		bool needs_traffic;
	} keys[] = {
		{ "first_byte_timeout", service->admission->first_byte_timeout, true },
		{ "silence_timeout", service->admission->silence_timeout, true },
		{ "max_duration", service->admission->max_duration, false },
	};
	bool is_exec = service->type == SERVICE_EXEC, has_unix = false;
	for (size_t i = 0; i < service->n_listen; i++)
		has_unix = has_unix || service->listen[i].path;
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
		if (!keys[i].ms)
			continue;
		if (has_unix && keys[i].needs_traffic)
			draft_problem(draft, keys[i].key,
				"the kernel does not tell what passes over a Unix socket; write 0, or "
				"max_duration for a command (type \"exec\"), or use an IP address");
		else if (has_unix && !is_exec)
			draft_problem(draft, keys[i].key,
				"only a command (type \"exec\") can be told to end a connection over a Unix "
				"socket; write 0, or use an IP address");
		else if (!is_exec && geteuid() != 0)
			draft_problem(draft, keys[i].key,
				"only root can end a connection that type \"%s\" serves; start fdsup as root, "
				"or write 0",
				service_type_name(service->type));
	}
}

void check_service(struct draft *draft)
{
	check_lapses(draft);
	check_protocol(draft);
	check_unix(draft);
	check_listen_pool(draft);
	check_datagram_pool(draft);
	check_target(draft);
	check_stderr(draft);
	check_workers(draft);
	check_delays(draft);
	check_directory(draft);
	check_environment(draft);
	check_families(draft);
	check_interface(draft);
	check_texts(draft);
	check_nice(draft);
	confinement_check(draft);
}
