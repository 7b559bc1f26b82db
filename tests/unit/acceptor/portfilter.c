/* The filter in the kernel itself, on messages that look like notices. */
#include "acceptor/portfilter.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct portset set;
static int ends[2];

static void attach(void)
{
	static struct sock_filter instructions[PORTFILTER_MAX];
	struct sock_fprog program = { .filter = instructions };
	program.len = (unsigned short)portfilter_make(&set, instructions);
	cr_assert_leq(program.len, PORTFILTER_MAX);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_DGRAM, 0, ends), 0);
	cr_assert_eq(setsockopt(ends[1], SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program), 0);
}

/* Whether a notice of a connection of this local port gets through. */
static bool passes(uint16_t port)
{
	struct {
		struct nlmsghdr header;
		struct inet_diag_msg message;
	} notice;
	memset(&notice, 0x55, sizeof notice);
	notice.message.id.idiag_sport = htons(port);
	send(ends[0], &notice, sizeof notice, MSG_DONTWAIT);
	return recv(ends[1], &notice, sizeof notice, MSG_DONTWAIT) > 0;
}

Test(portfilter, nothing_passes_an_empty_set)
{
	attach();
	cr_expect(!passes(0));
	cr_expect(!passes(80));
	cr_expect(!passes(65535));
}

Test(portfilter, exactly_the_ports_of_a_small_set_pass)
{
	static const uint16_t ports[] = { 0, 22, 80, 81, 82, 443, 8080, 65534, 65535 };
	for (size_t i = 0; i < sizeof ports / sizeof *ports; i++)
		portset_add(&set, ports[i]);
	attach();
	for (unsigned port = 0; port < 65536; port++)
		cr_assert_eq(passes((uint16_t)port), portset_has(&set, (uint16_t)port), "port %u", port);
}

Test(portfilter, as_many_ranges_as_there_can_be_are_exact)
{
	for (unsigned i = 0; i < PORTFILTER_RANGES; i++)
		portset_add(&set, (uint16_t)(500 * i + 7));
	attach();
	for (unsigned port = 0; port < 65536; port++)
		cr_assert_eq(passes((uint16_t)port), portset_has(&set, (uint16_t)port), "port %u", port);
}

Test(portfilter, of_too_many_ranges_the_nearest_are_joined)
{
	/* Pairs with one port between them, far from each other: the pairs become ranges. */
	for (unsigned i = 0; i < PORTFILTER_RANGES; i++) {
		portset_add(&set, (uint16_t)(400 * i + 1000));
		portset_add(&set, (uint16_t)(400 * i + 1002));
	}
	attach();
	for (unsigned port = 0; port < 65536; port++)
		cr_assert(passes((uint16_t)port) || !portset_has(&set, (uint16_t)port), "port %u", port);
	cr_expect(passes(1001), "joined");
	cr_expect(!passes(1003));
	cr_expect(!passes(1200));
	cr_expect(!passes(999));
}
