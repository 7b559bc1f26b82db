/*
 * The program for the kernel decides as policy/access.c does. It is interpreted here as bpf(4) has it,
 * and given to the kernel itself for datagrams on the loopback interface.
 */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/filter.h"
#include "policy/access.h"

static struct network network(const char *text, uint16_t prefix)
{
	struct network result = { strchr(text, ':') ? AF_INET6 : AF_INET, prefix, { 0 } };
	cr_assert_eq(inet_pton(result.family, text, result.ip), 1);
	return result;
}

/* What the program says of a packet whose IP header is `header`. */
static uint32_t run(const struct sock_filter *program, size_t n, const uint8_t *header)
{
	uint32_t a = 0, word;
	for (size_t at = 0; at < n; at++) {
		const struct sock_filter *step = &program[at];
		uint32_t offset = step->k - (uint32_t)SKF_NET_OFF;
		switch (step->code) {
		case BPF_LD | BPF_B | BPF_ABS:
			a = header[offset];
			break;
		case BPF_LD | BPF_W | BPF_ABS:
			memcpy(&word, header + offset, 4);
			a = ntohl(word);
			break;
		case BPF_ALU | BPF_RSH | BPF_K:
			a >>= step->k;
			break;
		case BPF_ALU | BPF_AND | BPF_K:
			a &= step->k;
			break;
		case BPF_JMP | BPF_JEQ | BPF_K:
			at += a == step->k ? step->jt : step->jf;
			break;
		case BPF_JMP | BPF_JA:
			at += step->k;
			break;
		case BPF_RET | BPF_K:
			return step->k;
		default:
			cr_assert_fail("unknown step %x", step->code);
		}
	}
	cr_assert_fail("the program has no end");
	return 0;
}

static bool passes(const struct sock_filter *program, size_t n, const char *source)
{
	uint8_t header[40] = { 0 };
	bool is_ipv6 = strchr(source, ':');
	header[0] = is_ipv6 ? 0x60 : 0x45;
	cr_assert_eq(inet_pton(is_ipv6 ? AF_INET6 : AF_INET, source, header + (is_ipv6 ? 8 : 12)), 1);
	return run(program, n, header) != 0;
}

static const char *const sources[] = { "127.0.0.1", "127.0.1.7", "127.0.1.255", "127.0.2.0", "10.1.2.3",
	"255.255.255.255", "0.0.0.0", "192.0.2.129", "192.0.2.127", "::1", "::", "2001:db8::1",
	"2001:db8:8000::1", "2001:db8:7fff::1", "2001:db8:1:2:3:4:5:6", "2001:db8:1:2:3:4:5:7",
	"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" };

Test(filter, decides_as_the_acceptor_does)
{
	const struct network all[] = { network("127.0.1.0", 24), network("0.0.0.0", 0),
		network("192.0.2.128", 25), network("10.1.2.3", 32), network("::1", 128), network("::", 0),
		network("2001:db8:8000::", 33), network("2001:db8::", 32),
		network("2001:db8:1:2:3:4:5:6", 127), network("2001:db8:1:2::", 64), network("128.0.0.0", 1) };
	enum { N = sizeof all / sizeof *all };
	struct sock_filter program[FILTER_PROGRAM_MAX];
	uint32_t seed = 1;
	for (int i = 0; i < 3000; i++) {
		struct network allow[4], deny[4];
		size_t counts[2];
		for (int k = 0; k < 8; k++) {
			seed = seed * 1103515245 + 12345;
			(k < 4 ? allow : deny)[k % 4] = all[(seed >> 16) % N];
		}
		counts[0] = seed >> 8 & 3;
		counts[1] = seed >> 10 & 3;
		struct access_rules access = { seed >> 12 & 1, allow, counts[0], deny, counts[1] };
		struct filter_rules rules = { access.has_allow, allow, counts[0], deny, counts[1] };
		int n = filter_compile(&rules, program);
		cr_assert_geq(n, 0);
		if (!rules.has_allow && !rules.n_deny)
			cr_assert_eq(n, 0);
		if (!rules.has_allow)
			access.n_allow = 0;
		for (size_t k = 0; n > 0 && k < sizeof sources / sizeof *sources; k++) {
			struct endpoint client = { .family = strchr(sources[k], ':') ? AF_INET6 : AF_INET };
			inet_pton(client.family, sources[k], client.ip);
			cr_assert_eq(passes(program, (size_t)n, sources[k]),
				access_judge(&access, &client) == ACCESS_GRANTED, "%s", sources[k]);
		}
	}
}

Test(filter, of_the_greatest_size_fits_and_is_taken_by_the_kernel)
{
	struct network many[FILTER_NETWORKS_MAX + 1];
	struct sock_filter program[FILTER_PROGRAM_MAX];
	for (int i = 0; i <= FILTER_NETWORKS_MAX; i++) {
		many[i] = network("2001:db8:1:2:3:4:5:6", 127);
		many[i].ip[7] = (uint8_t)i;
	}
	struct filter_rules rules = { true, many, FILTER_NETWORKS_MAX, NULL, 0 };
	int n = filter_compile(&rules, program);
	cr_expect_gt(n, 0);
	cr_expect_leq(n, FILTER_PROGRAM_MAX);
	cr_expect(passes(program, (size_t)n, "2001:db8:1:9f:3:4:5:7"));
	cr_expect_not(passes(program, (size_t)n, "2001:db8:1:a0:3:4:5:7"));
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd >= 0)
		cr_expect_eq(filter_attach(fd, &rules), 0);
	close(fd);
	rules.n_allow++;
	cr_expect_eq(filter_compile(&rules, program), -E2BIG);
}

static int bound(const char *address, struct sockaddr_in *ret_name)
{
	socklen_t length = sizeof *ret_name;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	*ret_name = (struct sockaddr_in){ .sin_family = AF_INET };
	cr_assert_eq(inet_pton(AF_INET, address, &ret_name->sin_addr), 1);
	cr_assert_eq(bind(fd, (struct sockaddr *)ret_name, length), 0);
	cr_assert_eq(getsockname(fd, (struct sockaddr *)ret_name, &length), 0);
	return fd;
}

static bool arrives(int to, const struct sockaddr_in *name, const char *from)
{
	struct sockaddr_in own;
	char text[2];
	int fd = bound(from, &own);
	/* On the loopback interface it has arrived, or not, when sendto returns. */
	cr_assert_eq(sendto(fd, "x", 1, 0, (const struct sockaddr *)name, sizeof *name), 1);
	close(fd);
	return recv(to, text, sizeof text, MSG_DONTWAIT) == 1;
}

Test(filter, works_in_the_kernel_and_can_be_taken_away)
{
	const struct network allow = network("127.0.1.0", 24), deny = network("127.0.1.7", 32);
	struct filter_rules rules = { true, &allow, 1, &deny, 1 }, none = { 0 };
	struct sockaddr_in name;
	int fd = bound("127.0.0.1", &name);
	cr_assert_eq(filter_attach(fd, &none), 0);
	cr_expect(arrives(fd, &name, "127.0.2.1"));
	cr_assert_eq(filter_attach(fd, &rules), 0);
	cr_expect(arrives(fd, &name, "127.0.1.1"));
	cr_expect_not(arrives(fd, &name, "127.0.1.7"));
	cr_expect_not(arrives(fd, &name, "127.0.2.1"));
	cr_assert_eq(filter_attach(fd, &none), 0);
	cr_expect(arrives(fd, &name, "127.0.2.1"));
	close(fd);
}
