#include "process/environment.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char environment_default_path[] =
	"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

enum { FIXED_VARIABLES = 9, WATCHDOG_TEXT_SIZE = 24 };

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

/* sd_notify(3), sd_watchdog_enabled(3). */
static void gather_channels(struct variables *all, const struct service_config *service,
	const char *notify_socket, const char *watchdog_usec)
{
	if (service->type == SERVICE_WORKER)
		put_fixed(all, "FDSUP_QUEUE", "3");
	if (service->ready == READY_NOTIFY || service->watchdog)
		put_fixed(all, "NOTIFY_SOCKET", notify_socket);
	if (service->watchdog)
		put_fixed(all, "WATCHDOG_USEC", watchdog_usec);
}

static void gather(struct variables *all, const struct service_config *service)
{
	const struct account *account = &service->account;
	put_fixed(all, "PATH", environment_default_path);
	put_fixed(all, "HOME", account->home);
	put_fixed(all, "USER", account->user);
	put_fixed(all, "LOGNAME", account->user);
	put_fixed(all, "SHELL", account->shell);
	for (size_t i = 0; i < service->pass_environment.n; i++)
		put_fixed(all, service->pass_environment.items[i],
			getenv(service->pass_environment.items[i]));
	for (size_t i = 0; i < service->environment.n; i++) {
		const char *text = service->environment.items[i];
		const char *equals = strchr(text, '=');
		if (equals)
			put(all, text, (size_t)(equals - text), equals + 1);
	}
	/* Last: by it the programs of a service are known again (process/orphans.h). */
	put_fixed(all, "FDSUP_SERVICE", service->name);
}

char **environment_create(const struct service_config *service, const char *notify_socket)
{
	char watchdog_usec[WATCHDOG_TEXT_SIZE];
	snprintf(watchdog_usec, sizeof watchdog_usec, "%" PRIu64, service->watchdog * 1000);
	size_t n_max = FIXED_VARIABLES + service->pass_environment.n + service->environment.n;
	struct variables all = { .items = calloc(n_max, sizeof *all.items) };
	if (!all.items)
		return NULL;
	gather(&all, service);
	gather_channels(&all, service, notify_socket, watchdog_usec);
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
	return environment;
}
