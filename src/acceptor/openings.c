#include "acceptor/openings.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"

enum { TEXT_SIZE = 4096 };

static const uint64_t second_ns = 1000000000;

void openings_open(struct openings *openings)
{
	*openings = (struct openings){ .fd = open("/proc/net/snmp", O_RDONLY | O_CLOEXEC) };
}

void openings_close(struct openings *openings)
{
	fd_close(&openings->fd);
}

/* RFC 1213: RtoAlgorithm RtoMin RtoMax MaxConn ActiveOpens PassiveOpens. The first line names them. */
uint64_t openings_parse(const char *text)
{
	unsigned long long active, passive;
	const char *names = strstr(text, "\nTcp: RtoAlgorithm RtoMin RtoMax MaxConn ActiveOpens PassiveOpens ");
	const char *values = names ? strstr(names + 1, "\nTcp: ") : NULL;
	if (!values || sscanf(values, "\nTcp: %*u %*u %*u %*d %llu %llu", &active, &passive) != 2)
		return 0;
	return active + passive;
}

static uint64_t count(const struct openings *openings)
{
	char text[TEXT_SIZE];
	ssize_t length = openings->fd < 0 ? 0 : pread(openings->fd, text, sizeof text - 1, 0);
	if (length <= 0)
		return 0;
	text[length] = 0;
	return openings_parse(text);
}

uint32_t openings_rate(struct openings *openings, uint64_t now_ns)
{
	uint64_t elapsed_ns = now_ns - openings->count_ns;
	if (elapsed_ns < second_ns)
		return openings->rate;
	uint64_t before = openings->count, now = count(openings);
	uint64_t n = before && now > before ? now - before : 0;
	/* What was long ago says nothing of now. */
	openings->rate = elapsed_ns < 4 * second_ns ? (uint32_t)(n * second_ns / elapsed_ns) : 0;
	openings->count = now;
	openings->count_ns = now_ns;
	return openings->rate;
}
