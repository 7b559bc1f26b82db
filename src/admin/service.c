/*
 * org.varlink.service: what the server tells about itself. An interface like any other, with verbs
 * of its own.
 */
#include "admin/client.h"

#include <string.h>

#include "admin/description.h"

static void answer_info(void *context, struct admin_call *call, const json_t *parameters)
{
	(void)parameters;
	const struct admin_server *server = context;
	const struct admin_interface *interface = server->interface;
	json_t *info = json_pack("{s:s, s:s, s:s, s:s}", "vendor", interface->vendor, "product",
		interface->product, "version", interface->version, "url", interface->url);
	json_object_set_new(info, "interfaces",
		json_pack("[s, s]", server->service.name, interface->name));
	admin_reply(call, info);
}

static void answer_description(void *context, struct admin_call *call, const json_t *parameters)
{
	const struct admin_server *server = context;
	const char *name = json_string_value(json_object_get(parameters, "interface"));
	if (!name)
		admin_error(call, "InvalidParameter", json_pack("{s:s}", "parameter", "interface"));
	else if (!strcmp(name, server->interface->name))
		admin_reply(
			call, json_pack("{s:s}", "description", server->interface->description));
	else if (!strcmp(name, server->service.name))
		admin_reply(call, json_pack("{s:s}", "description", server->service.description));
	else
		admin_error(call, "InterfaceNotFound", json_pack("{s:s}", "interface", name));
}

static const struct admin_verb verbs[] = {
	{ "GetInfo", ADMIN_ROLE_STATUS, answer_info },
	{ "GetInterfaceDescription", ADMIN_ROLE_STATUS, answer_description },
};

void service_init(struct admin_server *server)
{
	server->service = (struct admin_interface){
		.name = "org.varlink.service",
		.description = description_varlink_service,
		.verbs = verbs,
		.n_verbs = sizeof verbs / sizeof *verbs,
		.context = server,
	};
}
