#include "net/filter.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

/* Where the kernel shows the IP header to a filter of any socket. */
#define IP_HEADER ((uint32_t)SKF_NET_OFF)

enum { IPV4_SOURCE = 12, IPV6_SOURCE = 8, WORD_BITS = 32 };

#define PASS UINT32_MAX
#define DROP 0u

struct program {
	struct sock_filter *steps;
	size_t n;
};

static void put(struct program *program, uint16_t code, uint32_t k, uint8_t if_true, uint8_t if_false)
{
	program->steps[program->n++] = (struct sock_filter){ code, if_true, if_false, k };
}

static uint32_t word_of(const struct network *network, unsigned word)
{
	uint32_t value;
	memcpy(&value, network->ip + word * 4, sizeof value);
	return ntohl(value);
}

static unsigned steps_of_word(unsigned n_bits)
{
	return n_bits < WORD_BITS ? 3 : 2;
}

/* The steps of a network: each word of its prefix must match, then comes the verdict. */
static void put_network(struct program *program, const struct network *network, uint32_t verdict)
{
	unsigned n_words = (network->prefix + WORD_BITS - 1u) / WORD_BITS, left = 1;
	uint32_t source = IP_HEADER + (network->family == AF_INET ? IPV4_SOURCE : IPV6_SOURCE);
	for (unsigned word = 0; word < n_words; word++)
		left += steps_of_word(network->prefix - word * WORD_BITS);
	for (unsigned word = 0; word < n_words; word++) {
		unsigned n_bits = network->prefix - word * WORD_BITS;
		left -= steps_of_word(n_bits);
		put(program, BPF_LD | BPF_W | BPF_ABS, source + word * 4, 0, 0);
		if (n_bits < WORD_BITS)
			put(program, BPF_ALU | BPF_AND | BPF_K, ~(UINT32_MAX >> n_bits), 0, 0);
		put(program, BPF_JMP | BPF_JEQ | BPF_K, word_of(network, word), 0, (uint8_t)left);
	}
	put(program, BPF_RET | BPF_K, verdict, 0, 0);
}

static void put_family(struct program *program, const struct filter_rules *rules, uint16_t family)
{
	for (size_t i = 0; i < rules->n_deny; i++)
		if (rules->deny[i].family == family)
			put_network(program, &rules->deny[i], DROP);
	for (size_t i = 0; rules->has_allow && i < rules->n_allow; i++)
		if (rules->allow[i].family == family)
			put_network(program, &rules->allow[i], PASS);
	put(program, BPF_RET | BPF_K, rules->has_allow ? DROP : PASS, 0, 0);
}

int filter_compile(const struct filter_rules *rules, struct sock_filter steps[FILTER_PROGRAM_MAX])
{
	struct program program = { steps, 0 };
	if (filter_is_empty(rules))
		return 0;
	if (rules->n_allow + rules->n_deny > FILTER_NETWORKS_MAX)
		return -E2BIG;
	put(&program, BPF_LD | BPF_B | BPF_ABS, IP_HEADER, 0, 0);
	put(&program, BPF_ALU | BPF_RSH | BPF_K, 4, 0, 0);
	put(&program, BPF_JMP | BPF_JEQ | BPF_K, 4, 1, 0);
	size_t jump = program.n; /* over IPv4; only an unconditional one reaches far */
	put(&program, BPF_JMP | BPF_JA, 0, 0, 0);
	put_family(&program, rules, AF_INET);
	steps[jump].k = (uint32_t)(program.n - jump - 1);
	put_family(&program, rules, AF_INET6);
	return (int)program.n;
}

static int attach(int fd, struct sock_filter *steps, size_t n)
{
	struct sock_fprog program = { (unsigned short)n, steps };
	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) < 0 ? -errno : 0;
}

int filter_attach(int fd, const struct filter_rules *rules)
{
	struct sock_filter steps[FILTER_PROGRAM_MAX];
	int unused = 0, n = filter_compile(rules, steps);
	if (n > 0)
		return attach(fd, steps, (size_t)n);
	if (n < 0)
		return n;
	if (setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &unused, sizeof unused) < 0 && errno != ENOENT)
		return -errno;
	return 0;
}
