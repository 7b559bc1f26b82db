#include <criterion/criterion.h>
#include <errno.h>

#include "config/builtin_ports.h"

static int add(struct builtin_ports *ports, enum service_type type, enum service_protocol protocol,
	uint16_t number)
{
	struct listen_address listen = { .address = { .family = AF_INET, .port = number } };
	struct service_sockets sockets = { .protocol = protocol };
	const struct service_config service = {
		.type = type,
		.sockets = &sockets,
		.listen = &listen,
		.n_listen = 1,
	};
	return builtin_ports_add(ports, &service);
}

Test(builtin_ports, are_those_of_builtin_services_by_udp_from_1024_on)
{
	struct builtin_ports ports = { 0 };
	add(&ports, SERVICE_BUILTIN, PROTOCOL_TCP, 3000);
	add(&ports, SERVICE_LISTEN, PROTOCOL_UDP, 3001);
	add(&ports, SERVICE_BUILTIN, PROTOCOL_UDP, 1023);
	cr_expect_eq(ports.n, 0);
	add(&ports, SERVICE_BUILTIN, PROTOCOL_UDP, 1024);
	cr_expect_eq(ports.n, 1);
	cr_expect_eq(ports.numbers[0], 1024);
}

Test(builtin_ports, are_the_same_in_whatever_order_they_come)
{
	struct builtin_ports a = { 0 }, b = { 0 };
	const uint16_t numbers[] = { 5000, 2000, 9000, 2000, 7000 };
	for (size_t i = 0; i < 5; i++) {
		add(&a, SERVICE_BUILTIN, PROTOCOL_UDP, numbers[i]);
		add(&b, SERVICE_BUILTIN, PROTOCOL_UDP, numbers[4 - i]);
	}
	cr_expect_eq(a.n, 4);
	cr_expect(builtin_ports_equal(&a, &b));
	add(&b, SERVICE_BUILTIN, PROTOCOL_UDP, 9001);
	cr_expect_not(builtin_ports_equal(&a, &b));
}

Test(builtin_ports, are_so_many_at_most)
{
	struct builtin_ports ports = { 0 };
	for (uint16_t i = 0; i < BUILTIN_PORTS_MAX; i++)
		cr_expect_eq(add(&ports, SERVICE_BUILTIN, PROTOCOL_UDP, (uint16_t)(9000 - i)), 0);
	cr_expect_eq(add(&ports, SERVICE_BUILTIN, PROTOCOL_UDP, 9000), 0);
	cr_expect_eq(add(&ports, SERVICE_BUILTIN, PROTOCOL_UDP, 9001), -ENOSPC);
	cr_expect_eq(ports.n, BUILTIN_PORTS_MAX);
	cr_expect_eq(ports.numbers[BUILTIN_PORTS_MAX - 1], 9000);
}
