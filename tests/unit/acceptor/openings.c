/* What the kernel has counted is read from its text, and nothing is made of any other. */
#include <criterion/criterion.h>

#include "acceptor/openings.h"

static const char text[] =
	"Ip: Forwarding DefaultTTL\nIp: 1 64\n"
	"Tcp: RtoAlgorithm RtoMin RtoMax MaxConn ActiveOpens PassiveOpens AttemptFails EstabResets\n"
	"Tcp: 1 200 120000 -1 5000000000 17 3 4\n"
	"Udp: InDatagrams\nUdp: 5\n";

Test(openings, both_ends_are_counted)
{
	cr_expect_eq(openings_parse(text), 5000000017);
}

Test(openings, what_is_not_there_is_not_known)
{
	cr_expect_eq(openings_parse(""), 0);
	cr_expect_eq(openings_parse("\nTcp: 1 200 120000 -1 5 17 3 4\n"), 0);
	cr_expect_eq(openings_parse("\nTcp: RtoAlgorithm RtoMin RtoMax MaxConn ActiveOpens PassiveOpens x\n"), 0);
	cr_expect_eq(
		openings_parse("\nTcp: RtoAlgorithm RtoMin RtoMax MaxConn ActiveOpens PassiveOpens x\nTcp: 1 2\n"),
		0);
}

Test(openings, without_the_file_nobody_opens_anything)
{
	struct openings openings = { .fd = -1 };
	cr_expect_eq(openings_rate(&openings, 5000000000), 0);
	cr_expect_eq(openings_rate(&openings, 6000000000), 0);
}

Test(openings, the_kernel_has_the_file)
{
	struct openings openings;
	openings_open(&openings);
	cr_assert_geq(openings.fd, 0);
	openings_rate(&openings, 5000000000);
	cr_expect_eq(openings.count_ns, 5000000000);
	openings_rate(&openings, 5500000000);
	cr_expect_eq(openings.count_ns, 5000000000, "not more than once a second");
	openings_close(&openings);
}
