#include "process/environment.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "process/orphans.h"

const char environment_default_path[] =
	"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

enum { FIXED_VARIABLES = 15, NUMBER_TEXT_SIZE = 24 };

static char own_instance[64];

void environment_set_instance(const char *instance)
{
	snprintf(own_instance, sizeof own_instance, "%s", instance);
}

/* Room for any pid. */
static const char pid_room[] = "          ";

/* Gathers name and value pairs first, so that all of it can be one piece of memory. */
struct variable {
	const char *name;
	size_t name_length;
	const char *value;
};

struct variables {
	struct variable *items;
	size_t n;
};

static void put(struct variables *all, const char *name, size_t name_length, const char *value)
{
	size_t i = 0;
	while (i < all->n && (all->items[i].name_length != name_length ||
				     memcmp(all->items[i].name, name, name_length)))
		i++;
	if (i == all->n)
		all->n++;
	all->items[i] = (struct variable){ name, name_length, value };
}

static void put_fixed(struct variables *all, const char *name, const char *value)
{
	if (value)
		put(all, name, strlen(name), value);
}

/* Values that are made for one environment. */
struct texts {
	const char *notify_socket;
	char watchdog_usec[NUMBER_TEXT_SIZE];
	char n_sockets[NUMBER_TEXT_SIZE];
	char ready_fd[NUMBER_TEXT_SIZE];
	char slots_fd[NUMBER_TEXT_SIZE];
	char *socket_names; /* owned; NULL: no memory */
};

/* sd_listen_fds(3): as many names as sockets, with colons between them. */
static char *repeat_name(const char *name, size_t n)
{
	char *names = calloc(n ? n : 1, strlen(name) + 1);
	char *end = names;
	for (size_t i = 0; names && i < n; i++) {
		end = stpcpy(end, name);
		*end++ = i + 1 < n ? ':' : 0;
	}
	return names;
}

static bool hands_sockets_over(const struct service_config *service)
{
	return service->type == SERVICE_LISTEN && !service->is_inetd;
}

int environment_ready_fd(const struct service_config *service, size_t n_sockets)
{
	int n_before = hands_sockets_over(service) ? (int)n_sockets : 0;
	return 3 + n_before + (service->type == SERVICE_WORKER);
}

/* A worker has no sockets besides its queue. */
int environment_slots_fd(const struct service_config *service)
{
	return service->supervision->ready == READY_FD ? environment_ready_fd(service, 0) + 1 : 4;
}

static void make_texts(
	const struct service_config *service, size_t n_sockets, struct texts *texts)
{
	snprintf(texts->watchdog_usec, sizeof texts->watchdog_usec, "%" PRIu64,
		service->supervision->watchdog * 1000);
	snprintf(texts->n_sockets, sizeof texts->n_sockets, "%zu", n_sockets);
	snprintf(texts->ready_fd, sizeof texts->ready_fd, "%d", environment_ready_fd(service, n_sockets));
	snprintf(texts->slots_fd, sizeof texts->slots_fd, "%d", environment_slots_fd(service));
	if (hands_sockets_over(service))
		texts->socket_names = repeat_name(service->name, n_sockets);
}

/* sd_listen_fds(3), sd_notify(3), sd_watchdog_enabled(3). */
static void gather_channels(
	struct variables *all, const struct service_config *service, const struct texts *texts)
{
	if (hands_sockets_over(service)) {
		put_fixed(all, "LISTEN_FDS", texts->n_sockets);
		put_fixed(all, "LISTEN_FDNAMES", texts->socket_names);
		put_fixed(all, "LISTEN_PID", pid_room);
	}
	if (service->type == SERVICE_WORKER) {
		put_fixed(all, "FDSUP_QUEUE", "3");
		put_fixed(all, "FDSUP_SLOTS", texts->slots_fd);
	}
	if (service->supervision->ready == READY_NOTIFY || service->supervision->watchdog)
		put_fixed(all, "NOTIFY_SOCKET", texts->notify_socket);
	if (service->supervision->ready == READY_FD)
		put_fixed(all, "FDSUP_READY_FD", texts->ready_fd);
	if (service->supervision->watchdog)
		put_fixed(all, "WATCHDOG_USEC", texts->watchdog_usec);
}

static void gather(struct variables *all, const struct service_config *service)
{
	const struct account *account = service->account;
	put_fixed(all, "PATH", environment_default_path);
	if (account) { /* else it is a program of ours, which is nobody's */
		put_fixed(all, "HOME", account->home);
		put_fixed(all, "USER", account->user);
		put_fixed(all, "LOGNAME", account->user);
		put_fixed(all, "SHELL", account->shell);
	}
	for (size_t i = 0; i < service->surroundings->pass_environment.n; i++)
		put_fixed(all, service->surroundings->pass_environment.items[i],
			getenv(service->surroundings->pass_environment.items[i]));
	for (size_t i = 0; i < service->surroundings->environment.n; i++) {
		const char *text = service->surroundings->environment.items[i];
		const char *equals = strchr(text, '=');
		if (equals)
			put(all, text, (size_t)(equals - text), equals + 1);
	}
	/* Last: by it the programs of a service are known again (process/orphans.h). */
	put_fixed(all, "FDSUP_SERVICE", service->name);
	if (*own_instance)
		put_fixed(all, orphans_instance, own_instance);
}

char **environment_create(
	const struct service_config *service, size_t n_sockets, const char *notify_socket)
{
	struct texts texts = { .notify_socket = notify_socket };
	make_texts(service, n_sockets, &texts);
	size_t n_max = FIXED_VARIABLES + service->surroundings->pass_environment.n +
		       service->surroundings->environment.n;
	struct variables all = { .items = calloc(n_max, sizeof *all.items) };
	if (!all.items) {
		free(texts.socket_names);
		return NULL;
	}
	gather(&all, service);
	gather_channels(&all, service, &texts);
	size_t size = (all.n + 1) * sizeof(char *);
	for (size_t i = 0; i < all.n; i++)
		size += all.items[i].name_length + 1 + strlen(all.items[i].value) + 1;
	char **environment = malloc(size);
	char *text = environment ? (char *)(environment + all.n + 1) : NULL;
	for (size_t i = 0; environment && i < all.n; i++) {
		const struct variable *variable = &all.items[i];
		environment[i] = text;
		memcpy(text, variable->name, variable->name_length);
		text += variable->name_length;
		*text++ = '=';
		text = stpcpy(text, variable->value) + 1;
	}
	if (environment)
		environment[all.n] = NULL;
	free(all.items);
	free(texts.socket_names);
	return environment;
}

char *environment_listen_pid(char **environment)
{
	static const char name[] = "LISTEN_PID=";
	for (; *environment; environment++)
		if (!strncmp(*environment, name, sizeof name - 1))
			return *environment + sizeof name - 1;
	return NULL;
}
