#include "config/access.h"

#include <stdlib.h>

#include "config/hours.h"
#include "config/list.h"
#include "config/networks.h"

static void parse_networks(struct draft *draft, const char *key, const struct text_list *list,
	struct network *networks, uint32_t *n)
{
	char reason[NETWORK_REASON_SIZE];
	for (size_t i = 0; i < list->n; i++) {
		if (network_parse(list->items[i], &networks[*n], reason) < 0)
			draft_item_problem(draft, key, i, "%s", reason);
		else
			(*n)++;
	}
}

/* Where the program accepts itself, the kernel must know them all. */
static void check_kernel_networks(struct draft *draft)
{
	const struct service_config *service = draft->fields;
	size_t n = service->written->allow.n + service->written->deny.n;
	if (service_gets_listeners(service) && n > KERNEL_NETWORKS_MAX)
		draft_problem(draft, draft_has(draft, "allow") ? "allow" : "deny",
			"%zu networks are more than the %d that the kernel keeps for a program which accepts "
			"or receives by itself; join some of them, or use a packet filter",
			n, KERNEL_NETWORKS_MAX);
}

/* What is handed over at a worker_socket may have come from anywhere. */
static bool has_clients_with_addresses(const struct service_config *service)
{
	for (size_t i = 0; i < service->n_listen; i++)
		if (!service->listen[i].path || service->listen[i].is_entrance)
			return true;
	return service->n_listen == 0;
}

/* Whom they were to shut out would be let in. What defaults = { } say holds for others. */
static void drop_networks(struct draft *draft)
{
	struct service_written *written = ((struct service_config *)draft->fields)->written;
	static const char told[] =
		"means nothing for a Unix socket, whose clients have no address: its permissions decide; "
		"write socket_mode, socket_user and socket_group instead, or add an IP address";
	if (draft_has_own(draft, "allow"))
		draft_problem(draft, "allow", "%s", told);
	if (draft_has_own(draft, "deny") && written->deny.n > 0)
		draft_problem(draft, "deny", "%s", told);
	text_list_fini(&written->allow);
	text_list_fini(&written->deny);
}

static void find_networks(struct draft *draft)
{
	struct service_config *service = draft->fields;
	const struct service_written *written = service->written;
	struct service_admission *admission = service->admission;
	if (!has_clients_with_addresses(service)) {
		drop_networks(draft);
		return;
	}
	admission->has_allow =
		draft_has(draft, "allow") && key_fits(key_find("allow", PLACE_SERVICE), service);
	if (written->allow.n + written->deny.n == 0)
		return;
	check_kernel_networks(draft);
	admission->networks =
		calloc(written->allow.n + written->deny.n, sizeof *admission->networks);
	if (!admission->networks) {
		draft->problems->is_out_of_memory = true;
		return;
	}
	parse_networks(draft, "allow", &written->allow, admission->networks, &admission->n_allow);
	parse_networks(draft, "deny", &written->deny, admission->networks + admission->n_allow,
		&admission->n_deny);
}

static void find_windows(struct draft *draft)
{
	struct service_config *service = draft->fields;
	const struct text_list *hours = &service->written->hours;
	struct service_admission *admission = service->admission;
	char reason[HOURS_REASON_SIZE];
	if (draft_has(draft, "hours") && hours->n == 0 &&
		key_fits(key_find("hours", PLACE_SERVICE), service))
		draft_problem(draft, "hours",
			"the list is empty; write \"00:00-24:00\" for a service that is always open, or "
			"enabled = false for one that is closed");
	else if (hours->n > HOURS_WINDOWS_MAX)
		draft_problem(draft, "hours", "%zu times are more than %d; join some of them",
			hours->n, HOURS_WINDOWS_MAX);
	if (hours->n == 0 || hours->n > HOURS_WINDOWS_MAX)
		return;
	admission->windows = calloc(hours->n, sizeof *admission->windows);
	if (!admission->windows) {
		draft->problems->is_out_of_memory = true;
		return;
	}
	for (size_t i = 0; i < hours->n; i++)
		if (hours_parse(
			    hours->items[i], &admission->windows[admission->n_windows], reason) < 0)
			draft_item_problem(draft, "hours", i, "%s", reason);
		else
			admission->n_windows++;
}

void access_complete(struct draft *draft)
{
	find_networks(draft);
	find_windows(draft);
}
