/* Real connections on loopback: what a worker may have done with them before it died. */
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/untouched.h"

static int client, served;

static void setup(void)
{
	struct sockaddr_in name = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t size = sizeof name;
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	cr_assert_eq(bind(listener, (struct sockaddr *)&name, size), 0);
	cr_assert_eq(listen(listener, 1), 0);
	cr_assert_eq(getsockname(listener, (struct sockaddr *)&name, &size), 0);
	client = socket(AF_INET, SOCK_STREAM, 0);
	cr_assert_eq(connect(client, (struct sockaddr *)&name, size), 0);
	served = accept(listener, NULL, NULL);
	cr_assert_geq(served, 0);
	close(listener);
}

static void teardown(void)
{
	close(client);
	close(served);
}

TestSuite(untouched, .init = setup, .fini = teardown, .timeout = 30);

static void await(short events)
{
	struct pollfd polled = { .fd = served, .events = events };
	cr_assert_eq(poll(&polled, 1, 10000), 1);
}

static void send_request(void)
{
	cr_assert_eq(send(client, "request", 7, 0), 7);
	await(POLLIN);
}

Test(untouched, a_new_connection_and_one_with_an_unread_request)
{
	cr_expect(connection_is_untouched(served));
	send_request();
	cr_expect(connection_is_untouched(served));
}

Test(untouched, the_end_of_the_client_is_no_touch)
{
	shutdown(client, SHUT_WR);
	await(POLLRDHUP);
	cr_expect(connection_is_untouched(served));
}

Test(untouched, an_unread_request_and_the_end_of_the_client)
{
	send_request();
	shutdown(client, SHUT_WR);
	await(POLLRDHUP);
	cr_expect(connection_is_untouched(served));
	char byte;
	cr_assert_eq(recv(served, &byte, 1, 0), 1);
	cr_expect_not(connection_is_untouched(served));
}

Test(untouched, what_was_read_was_touched_and_what_was_peeked_at_was_not)
{
	char bytes[7];
	send_request();
	cr_assert_eq(recv(served, bytes, sizeof bytes, MSG_PEEK), 7);
	cr_expect(connection_is_untouched(served));
	cr_assert_eq(recv(served, bytes, sizeof bytes, 0), 7);
	cr_expect_not(connection_is_untouched(served));
}

Test(untouched, what_was_written_was_touched)
{
	cr_assert_eq(send(served, "x", 1, 0), 1);
	cr_expect_not(connection_is_untouched(served));
	char byte;
	cr_assert_eq(recv(client, &byte, 1, 0), 1);
	cr_expect_not(connection_is_untouched(served));
}

Test(untouched, a_connection_without_counters_is_not_certain)
{
	int ends[2];
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	cr_expect_not(connection_is_untouched(ends[0]));
	close(ends[0]);
	close(ends[1]);
}
