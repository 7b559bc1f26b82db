#include "builtin/protocol.h"

#include <string.h>

/* From 1900 to 1970: RFC 868. */
static const uint32_t epoch_offset_s = 2208988800U;

static const char *const names[] = {
	[PROTOCOL_ECHO] = "echo",
	[PROTOCOL_DISCARD] = "discard",
	[PROTOCOL_CHARGEN] = "chargen",
	[PROTOCOL_DAYTIME] = "daytime",
	[PROTOCOL_TIME] = "time",
};

bool protocol_from_name(const char *name, enum protocol *ret)
{
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		if (!strcmp(names[i], name)) {
			*ret = (enum protocol)i;
			return true;
		}
	}
	return false;
}

const char *protocol_name(enum protocol protocol)
{
	return names[protocol];
}

static char chargen_at(unsigned position)
{
	unsigned line = position / CHARGEN_LINE;
	unsigned column = position % CHARGEN_LINE;
	if (column == CHARGEN_WIDTH)
		return '\r';
	if (column > CHARGEN_WIDTH)
		return '\n';
	return (char)(CHARGEN_FIRST + (line + column) % CHARGEN_KINDS);
}

unsigned chargen_fill(char *bytes, size_t size, unsigned position)
{
	for (size_t i = 0; i < size; i++) {
		bytes[i] = chargen_at(position);
		position = position + 1 < CHARGEN_PERIOD ? position + 1 : 0;
	}
	return position;
}

static size_t answer_time(time_t now, char *bytes)
{
	uint32_t seconds = (uint32_t)now + epoch_offset_s;
	for (int i = 0; i < 4; i++)
		bytes[i] = (char)(seconds >> (24 - 8 * i));
	return 4;
}

size_t protocol_answer(enum protocol protocol, time_t now, char ret[PROTOCOL_ANSWER_MAX])
{
	struct tm local;
	if (protocol == PROTOCOL_TIME)
		return answer_time(now, ret);
	localtime_r(&now, &local);
	return strftime(ret, PROTOCOL_ANSWER_MAX, "%A, %B %d, %Y %H:%M:%S-%Z\r\n", &local);
}
