#include "supervisor/published.h"

#include <stdio.h>

#include "net/listener.h"
#include "supervisor/runtime_dir.h"
#include "supervisor/service/service.h"
#include "supervisor/supervisor.h"

static void write_listener(
	FILE *stream, const struct service_config *config, const struct listen_address *where)
{
	char host[ENDPOINT_TEXT_SIZE] = "*";
	if (!where->is_both_families)
		endpoint_format_host(host, &where->address);
	fprintf(stream, "%s %s %u %s\n", listen_protocol_name(config, where),
		where->path ? where->path : host, where->address.port, config->name);
}

static void write_all(void *context, FILE *stream)
{
	const struct supervisor *supervisor = context;
	for (size_t i = 0; i < supervisor->n_services; i++) {
		const struct service *service = supervisor->services[i];
		for (uint32_t j = 0; j < service->n_listeners; j++)
			write_listener(stream, service->config, &service->listeners[j].where);
	}
}

void published_write(const struct supervisor *supervisor)
{
	runtime_dir_write_listeners(supervisor->config, write_all, (void *)supervisor);
}
