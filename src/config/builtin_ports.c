#include "config/builtin_ports.h"

#include <errno.h>
#include <string.h>

enum { LOW_PORTS = 1024 };

int builtin_ports_add(struct builtin_ports *ports, const struct service_config *service)
{
	if (!service_answers_datagrams(service) || service->n_listen == 0)
		return 0;
	/* All addresses of a service have one port. */
	uint16_t number = service->listen[0].address.port;
	size_t i = 0;
	while (i < ports->n && ports->numbers[i] < number)
		i++;
	if (number < LOW_PORTS || (i < ports->n && ports->numbers[i] == number))
		return 0;
	if (ports->n == BUILTIN_PORTS_MAX)
		return -ENOSPC;
	memmove(&ports->numbers[i + 1], &ports->numbers[i], (ports->n - i) * sizeof *ports->numbers);
	ports->numbers[i] = number;
	ports->n++;
	return 0;
}

bool builtin_ports_equal(const struct builtin_ports *a, const struct builtin_ports *b)
{
	return a->n == b->n && !memcmp(a->numbers, b->numbers, a->n * sizeof *a->numbers);
}
