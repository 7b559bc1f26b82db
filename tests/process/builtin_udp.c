/* The small services by UDP, and whom they never answer (CERT CA-1996-01). */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "support/worker_rig.h"

static struct worker_rig rig;
static int service = -1; /* our copy of its socket */
static uint16_t port;    /* of it */

static void stop(void)
{
	rig_stop(&rig);
	fd_close(&service);
}

TestSuite(builtin_udp, .fini = stop, .timeout = 60);

static int bind_udp(const char *address, uint16_t number)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(number) };
	cr_assert_eq(inet_pton(AF_INET, address, &in.sin_addr), 1);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	cr_assert_eq(bind(fd, (struct sockaddr *)&in, sizeof in), 0, "port %u: %s", number,
		strerror(errno));
	return fd;
}

static uint16_t port_of(int fd)
{
	struct sockaddr_in in;
	socklen_t size = sizeof in;
	cr_assert_eq(getsockname(fd, (struct sockaddr *)&in, &size), 0);
	return ntohs(in.sin_port);
}

static void start_on(int fd, const char *protocol, const char *option, const char *value)
{
	const char *words[] = { "--udp", "3", "--service", "test", protocol, NULL, NULL, NULL };
	if (option) {
		words[4] = option;
		words[5] = value;
		words[6] = protocol;
	}
	service = fd;
	rig_start_program(&rig, "fdsup-builtin", fd, false, words, 0);
}

static void start(const char *protocol)
{
	service = bind_udp("0.0.0.0", 0);
	port = port_of(service);
	start_on(service, protocol, NULL, NULL);
}

static void send_to(int fd, const char *address, const void *bytes, size_t size)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(port) };
	inet_pton(AF_INET, address, &in.sin_addr);
	cr_assert_eq(sendto(fd, bytes, size, 0, (struct sockaddr *)&in, sizeof in), (ssize_t)size,
		"%s", strerror(errno));
}

/* The next datagram and who sent it. */
static size_t receive(int fd, void *bytes, size_t size, char *ret_from)
{
	struct sockaddr_in from;
	socklen_t from_size = sizeof from;
	cr_assert(rig_is_readable(fd, RIG_TIMEOUT_MS), "no answer");
	ssize_t n = recvfrom(fd, bytes, size, 0, (struct sockaddr *)&from, &from_size);
	cr_assert_geq(n, 0);
	cr_assert_eq(ntohs(from.sin_port), port);
	if (ret_from)
		inet_ntop(AF_INET, &from.sin_addr, ret_from, INET_ADDRSTRLEN);
	return (size_t)n;
}

/* All that came before this was answered or left out: its answer comes last. */
static void expect_silence_then_answer(int silent, const char *address)
{
	int client = bind_udp("127.0.0.1", 0);
	char answer[1024];
	send_to(client, address, "ping", 4);
	receive(client, answer, sizeof answer, NULL);
	cr_assert_not(rig_is_readable(silent, 0), "it was answered");
	fd_close(&client);
}

Test(builtin_udp, echo_answers_with_the_same)
{
	static char sent[60000], got[65536];
	start("echo");
	int client = bind_udp("127.0.0.1", 0);
	memset(sent, 'e', sizeof sent);
	send_to(client, "127.0.0.1", sent, sizeof sent);
	cr_assert_eq(receive(client, got, sizeof got, NULL), sizeof sent);
	cr_assert_eq(memcmp(sent, got, sizeof sent), 0);
	send_to(client, "127.0.0.1", "", 0);
	cr_assert_eq(receive(client, got, sizeof got, NULL), 0, "an empty one, too");
	fd_close(&client);
}

Test(builtin_udp, answers_from_the_address_that_was_asked)
{
	static const char *const asked[] = { "127.0.0.1", "127.0.0.9", "127.1.2.3" };
	char from[INET_ADDRSTRLEN], got[16];
	start("echo");
	int client = bind_udp("127.0.0.1", 0);
	for (int i = 0; i < 3; i++) {
		send_to(client, asked[i], "x", 1);
		receive(client, got, sizeof got, from);
		cr_assert_str_eq(from, asked[i]);
	}
	fd_close(&client);
}

Test(builtin_udp, a_socket_of_both_families_answers_ipv4_from_the_right_address)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6 };
	char from[INET_ADDRSTRLEN], got[16];
	int off = 0;
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		cr_skip_test("no IPv6 here");
	setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
	cr_assert_eq(bind(fd, (struct sockaddr *)&any, sizeof any), 0);
	socklen_t size = sizeof any;
	getsockname(fd, (struct sockaddr *)&any, &size);
	port = ntohs(any.sin6_port);
	start_on(fd, "echo", NULL, NULL);
	int client = bind_udp("127.0.0.1", 0);
	send_to(client, "127.0.0.7", "x", 1);
	receive(client, got, sizeof got, from);
	cr_assert_str_eq(from, "127.0.0.7");
	fd_close(&client);
}

Test(builtin_udp, discard_is_silent)
{
	start("discard");
	int client = bind_udp("127.0.0.1", 0);
	for (int i = 0; i < 10; i++)
		send_to(client, "127.0.0.1", "x", 1);
	/* All were read, and nothing came back. */
	int bytes = 1;
	for (int ms = 0; ms < RIG_TIMEOUT_MS && bytes > 0; ms++) {
		usleep(1000);
		cr_assert_eq(ioctl(service, FIONREAD, &bytes), 0);
	}
	cr_assert_eq(bytes, 0);
	cr_assert_not(rig_is_readable(client, 50));
	fd_close(&client);
}

Test(builtin_udp, chargen_answers_with_at_most_512_characters_of_varying_number)
{
	char got[2048];
	size_t least = sizeof got, most = 0;
	start("chargen");
	int client = bind_udp("127.0.0.1", 0);
	for (int i = 0; i < 60; i++) {
		send_to(client, "127.0.0.1", "x", 1);
		size_t n = receive(client, got, sizeof got, NULL);
		cr_assert_leq(n, 512);
		least = n < least ? n : least;
		most = n > most ? n : most;
		for (size_t k = 0; k < n; k++)
			cr_assert((got[k] >= ' ' && got[k] < 127) || got[k] == '\r' ||
				  got[k] == '\n');
	}
	cr_assert_lt(least, most, "random, says RFC 864");
	fd_close(&client);
}

Test(builtin_udp, daytime_and_time_answer_whatever_is_asked)
{
	unsigned char got[128];
	start("time");
	int client = bind_udp("127.0.0.1", 0);
	send_to(client, "127.0.0.1", "", 0);
	cr_assert_eq(receive(client, got, sizeof got, NULL), 4);
	uint32_t seconds =
		(uint32_t)got[0] << 24 | (uint32_t)got[1] << 16 | (uint32_t)got[2] << 8 | got[3];
	cr_assert_leq((uint32_t)time(NULL) + 2208988800U - seconds, 5);
	stop();
	start("daytime");
	send_to(client, "127.0.0.1", "?", 1);
	size_t n = receive(client, got, sizeof got, NULL);
	cr_assert_gt(n, 20);
	cr_assert_eq(got[n - 1], '\n');
	fd_close(&client);
}

/* A network of our own, where every low port is free. */
static void enter_own_network(void)
{
	struct ifreq request = { .ifr_name = "lo" };
	if (unshare(CLONE_NEWNET) < 0)
		cr_skip_test("only root can have a network of its own");
	fd_auto int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	cr_assert_eq(ioctl(fd, SIOCGIFFLAGS, &request), 0);
	request.ifr_flags |= IFF_UP | IFF_RUNNING;
	cr_assert_eq(ioctl(fd, SIOCSIFFLAGS, &request), 0);
}

Test(builtin_udp, low_source_ports_are_never_answered)
{
	static const uint16_t low[] = { 1, 7, 9, 13, 19, 37, 53, 123, 1023 };
	enum { MANY = sizeof low / sizeof *low };
	int forged[MANY];
	enter_own_network();
	start("echo");
	for (int i = 0; i < MANY; i++) {
		forged[i] = bind_udp("127.0.0.1", low[i]);
		send_to(forged[i], "127.0.0.1", "x", 1);
	}
	for (int i = 0; i < MANY; i++) {
		expect_silence_then_answer(forged[i], "127.0.0.1");
		fd_close(&forged[i]);
	}
	rig_expect_log(&rig, "a datagram from 127.0.0.1:1 is not answered: its source port is "
			     "below 1024");
	cr_assert_eq(rig_count_log(&rig, "is not answered"), 1, "said once a minute");
}

Test(builtin_udp, ports_of_other_small_services_are_never_answered)
{
	char avoided[8];
	int other = bind_udp("127.0.0.1", 0);
	snprintf(avoided, sizeof avoided, "%u", port_of(other));
	service = bind_udp("127.0.0.1", 0);
	port = port_of(service);
	start_on(service, "echo", "--avoid-port", avoided);
	send_to(other, "127.0.0.1", "x", 1);
	expect_silence_then_answer(other, "127.0.0.1");
	fd_close(&other);
}

Test(builtin_udp, two_that_were_set_on_each_other_stop_by_the_rate)
{
	start_on(bind_udp("127.0.0.1", 0), "chargen", "--udp-rate", "20");
	port = port_of(service);
	int client = bind_udp("127.0.0.1", 0);
	char got[1024];
	for (int i = 0; i < 60; i++)
		send_to(client, "127.0.0.1", "x", 1);
	rig_expect_log(&rig, "<4>more than 20 datagrams in 1.0s");
	int n = 0;
	while (rig_is_readable(client, 100) && n < 60 && recv(client, got, sizeof got, 0) >= 0)
		n++;
	cr_assert_geq(n, 20);
	cr_assert_lt(n, 40);
	fd_close(&client);
}

/* With its own address and port as the source it would answer itself for ever. */
Test(builtin_udp, a_datagram_from_ourselves_is_not_answered)
{
	char got[16];
	struct sockaddr_in in = { .sin_family = AF_INET };
	start("echo");
	in.sin_port = htons(port);
	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	/* Sent by the very socket that it answers on. */
	cr_assert_eq(sendto(service, "x", 1, 0, (struct sockaddr *)&in, sizeof in), 1);
	rig_expect_log(&rig, "it claims to come from ourselves");
	int client = bind_udp("127.0.0.1", 0);
	send_to(client, "127.0.0.1", "x", 1);
	receive(client, got, sizeof got, NULL);
	fd_close(&client);
}

Test(builtin_udp, a_broadcast_is_not_answered)
{
	int on = 1;
	enter_own_network();
	start("echo");
	int client = bind_udp("127.0.0.1", 0);
	setsockopt(client, SOL_SOCKET, SO_BROADCAST, &on, sizeof on);
	expect_silence_then_answer(client, "127.0.0.1"); /* it is ready */
	send_to(client, "127.255.255.255", "x", 1);
	rig_expect_log(&rig, "more than one host");
	expect_silence_then_answer(client, "127.0.0.1");
	fd_close(&client);
}

Test(builtin_udp, a_client_that_is_gone_stops_nobody)
{
	start("echo");
	for (int i = 0; i < 20; i++) {
		int gone = bind_udp("127.0.0.1", 0);
		send_to(gone, "127.0.0.1", "x", 1);
		fd_close(&gone);
	}
	int client = bind_udp("127.0.0.1", 0);
	char got[16];
	send_to(client, "127.0.0.1", "y", 1);
	cr_assert_eq(receive(client, got, sizeof got, NULL), 1);
	fd_close(&client);
}

Test(builtin_udp, the_socket_stays_blocking_for_others)
{
	start("echo");
	int client = bind_udp("127.0.0.1", 0);
	char got[16];
	send_to(client, "127.0.0.1", "y", 1);
	receive(client, got, sizeof got, NULL);
	cr_assert_eq(fcntl(service, F_GETFL) & O_NONBLOCK, 0);
	fd_close(&client);
}

Test(builtin_udp, ends_when_stopped_drained_or_idle)
{
	start("echo");
	kill(rig.pid, SIGTERM);
	rig_wait(&rig); /* by the signal itself if it came before the program was set up */
	stop();
	service = bind_udp("127.0.0.1", 0);
	start_on(service, "echo", "--idle-exit", "200");
	cr_assert_eq(rig_wait(&rig), 0);
}
