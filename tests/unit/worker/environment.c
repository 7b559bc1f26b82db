/* The environment of a command is ours, and tells the truth about its connection. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <string.h>

#include "worker/environment.h"

static char *const nothing[] = { NULL };

static struct endpoint ipv6(const char *text, uint16_t port)
{
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	cr_assert_eq(inet_pton(AF_INET6, text, &in6.sin6_addr), 1);
	return endpoint_from_sockaddr((const struct sockaddr *)&in6);
}

static void expect(char *const variables[], const char *const expected[])
{
	size_t n = 0;
	for (; variables[n] && expected[n]; n++)
		cr_assert_str_eq(variables[n], expected[n]);
	cr_assert_null(variables[n], "too many: %s", variables[n]);
	cr_assert_null(expected[n], "missing: %s", expected[n]);
}

Test(environment, describes_an_internet_connection)
{
	struct environment environment;
	struct handoff connection = {
		.peer = ipv6("::ffff:192.0.2.7", 4711),
		.local = ipv6("2001:db8::1", 79),
	};
	cr_assert_eq(environment_init(&environment, nothing, "finger"), 0);
	expect(environment_describe(&environment, &connection), (const char *const[]){
									"FDSUP_SERVICE=finger",
									"REMOTE_HOST=192.0.2.7",
									"REMOTE_ADDR=192.0.2.7",
									"REMOTE_PORT=4711",
									"TCPREMOTEIP=192.0.2.7",
									"TCPREMOTEPORT=4711",
									"LOCAL_ADDR=2001:db8::1",
									"LOCAL_PORT=79",
									"TCPLOCALIP=2001:db8::1",
									"TCPLOCALPORT=79",
									"PROTO=TCP",
									NULL,
								});
	environment_fini(&environment);
}

Test(environment, describes_a_unix_peer_and_nothing_of_the_connection_before)
{
	struct environment environment;
	struct handoff internet = { .peer = ipv6("2001:db8::2", 1),
		.local = ipv6("2001:db8::1", 2) };
	struct handoff unix_peer = { .peer = { .family = AF_UNIX } };
	struct handoff unknown = { 0 };
	unix_peer.peer.unix_peer.uid = 1000;
	unix_peer.peer.unix_peer.pid = 77;
	cr_assert_eq(environment_init(&environment, nothing, NULL), 0);
	environment_describe(&environment, &internet);
	expect(environment_describe(&environment, &unix_peer),
		(const char *const[]){
			"PROTO=UNIX", "FDSUP_PEER_UID=1000", "FDSUP_PEER_PID=77", NULL });
	expect(environment_describe(&environment, &unknown), (const char *const[]){ NULL });
	environment_fini(&environment);
}

Test(environment, passes_on_what_it_inherits_but_no_lie_about_the_client)
{
	char *const inherited[] = {
		"PATH=/bin",
		"REMOTE_ADDR=127.0.0.1",
		"TCPREMOTEHOST=localhost",
		"TCPREMOTEINFO=root",
		"FDSUP_SERVICE=other",
		"FDSUP_PEER_UID=0",
		"PROTOCOL=kept",
		"PROTO",
		"ODD",
		NULL,
	};
	struct environment environment;
	struct handoff unknown = { 0 };
	cr_assert_eq(environment_init(&environment, inherited, "mine"), 0);
	expect(environment_describe(&environment, &unknown),
		(const char *const[]){
			"PATH=/bin", "PROTOCOL=kept", "ODD", "FDSUP_SERVICE=mine", NULL });
	environment_fini(&environment);
}

Test(environment, has_room_for_the_longest_address)
{
	struct environment environment;
	struct handoff connection = {
		.peer = ipv6("fe80:1111:2222:3333:4444:5555:6666:7777", 65535),
		.local = ipv6("fe80:1111:2222:3333:4444:5555:6666:7777", 65535),
	};
	connection.peer.scope = UINT32_MAX;
	cr_assert_eq(environment_init(&environment, nothing, NULL), 0);
	char *const *variables = environment_describe(&environment, &connection);
	cr_assert_str_eq(
		variables[0], "REMOTE_HOST=fe80:1111:2222:3333:4444:5555:6666:7777%4294967295");
	environment_fini(&environment);
}
