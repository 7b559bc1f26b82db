#include "worker/environment.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* REMOTE_* and LOCAL_* as xinetd has them, then the names of UCSPI, then our own. */
static const char *const our_names[] = {
	"REMOTE_HOST",
	"REMOTE_ADDR",
	"REMOTE_PORT",
	"LOCAL_ADDR",
	"LOCAL_PORT",
	"PROTO",
	"TCPREMOTEIP",
	"TCPREMOTEPORT",
	"TCPREMOTEHOST",
	"TCPREMOTEINFO",
	"TCPLOCALIP",
	"TCPLOCALPORT",
	"TCPLOCALHOST",
	"FDSUP_PEER_UID",
	"FDSUP_PEER_PID",
	"FDSUP_SERVICE",
};

static bool is_ours(const char *variable)
{
	size_t length = strcspn(variable, "=");
	for (size_t i = 0; i < sizeof our_names / sizeof *our_names; i++)
		if (strlen(our_names[i]) == length && !memcmp(variable, our_names[i], length))
			return true;
	return false;
}

int environment_init(struct environment *environment, char *const inherited[], const char *service)
{
	size_t n = 0;
	while (inherited[n])
		n++;
	*environment = (struct environment){ 0 };
	environment->variables = calloc(n + 1 + ENVIRONMENT_VARIABLES + 1, sizeof(char *));
	if (!environment->variables)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		if (!is_ours(inherited[i]))
			environment->variables[environment->n_fixed++] = inherited[i];
	if (service && asprintf(&environment->service, "FDSUP_SERVICE=%s", service) < 0) {
		environment->service = NULL;
		environment_fini(environment);
		return -ENOMEM;
	}
	if (service)
		environment->variables[environment->n_fixed++] = environment->service;
	return 0;
}

void environment_fini(struct environment *environment)
{
	free(environment->variables);
	free(environment->service);
	*environment = (struct environment){ 0 };
}

static void add(struct environment *environment, size_t *n, const char *name, const char *value)
{
	char *text = environment->texts[*n];
	char *end = stpcpy(text, name);
	*end++ = '=';
	strcpy(end, value);
	environment->variables[environment->n_fixed + (*n)++] = text;
}

/* One end under the names that inetd's and UCSPI's programs look for. */
static void add_end(struct environment *environment, size_t *n, const struct endpoint *end,
	const char *const names[4])
{
	char host[ENDPOINT_TEXT_SIZE];
	char port[ENDPOINT_PORT_SIZE];
	endpoint_format_host(host, end);
	endpoint_format_port(port, end);
	add(environment, n, names[0], host);
	add(environment, n, names[1], port);
	add(environment, n, names[2], host);
	add(environment, n, names[3], port);
}

static bool is_internet(const struct endpoint *end)
{
	return end->family == AF_INET || end->family == AF_INET6;
}

static void add_internet(
	struct environment *environment, size_t *n, const struct handoff *connection)
{
	static const char *const remote[] = {
		"REMOTE_ADDR",
		"REMOTE_PORT",
		"TCPREMOTEIP",
		"TCPREMOTEPORT",
	};
	static const char *const local[] = {
		"LOCAL_ADDR",
		"LOCAL_PORT",
		"TCPLOCALIP",
		"TCPLOCALPORT",
	};
	char host[ENDPOINT_TEXT_SIZE];
	/* Never a name: a name would have to be asked for, and could not be trusted. */
	add(environment, n, "REMOTE_HOST", endpoint_format_host(host, &connection->peer));
	add_end(environment, n, &connection->peer, remote);
	if (is_internet(&connection->local))
		add_end(environment, n, &connection->local, local);
	add(environment, n, "PROTO", "TCP");
}

static void add_unix(struct environment *environment, size_t *n, const struct endpoint *peer)
{
	char number[16];
	add(environment, n, "PROTO", "UNIX");
	snprintf(number, sizeof number, "%u", peer->unix_peer.uid);
	add(environment, n, "FDSUP_PEER_UID", number);
	snprintf(number, sizeof number, "%d", peer->unix_peer.pid);
	add(environment, n, "FDSUP_PEER_PID", number);
}

char *const *environment_describe(struct environment *environment, const struct handoff *connection)
{
	size_t n = 0;
	if (is_internet(&connection->peer))
		add_internet(environment, &n, connection);
	else if (connection->peer.family == AF_UNIX)
		add_unix(environment, &n, &connection->peer);
	environment->variables[environment->n_fixed + n] = NULL;
	return environment->variables;
}
