/*
 * The five small services as data: what each one says. No sockets here.
 */
#ifndef FDSUP_BUILTIN_PROTOCOL_H
#define FDSUP_BUILTIN_PROTOCOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

enum protocol {
	PROTOCOL_ECHO,    /* RFC 862 */
	PROTOCOL_DISCARD, /* RFC 863 */
	PROTOCOL_CHARGEN, /* RFC 864 */
	PROTOCOL_DAYTIME, /* RFC 867 */
	PROTOCOL_TIME,    /* RFC 868 */
};

/* False if it is the name of none. */
bool protocol_from_name(const char *name, enum protocol *ret);
const char *protocol_name(enum protocol protocol);

/*
 * RFC 864 leaves the characters open; "one popular pattern is 72 character lines of the ASCII
 * printing characters", each line beginning one character later than the one before. It repeats
 * after as many lines as there are such characters.
 */
enum {
	CHARGEN_FIRST = ' ',
	CHARGEN_KINDS = 95,
	CHARGEN_WIDTH = 72,
	CHARGEN_LINE = CHARGEN_WIDTH + 2,
	CHARGEN_PERIOD = CHARGEN_LINE * CHARGEN_KINDS,
	CHARGEN_DATAGRAM_MAX = 512, /* RFC 864 */
};

/* Writes `size` characters of the endless pattern from `position` on; returns the next position. */
unsigned chargen_fill(char *bytes, size_t size, unsigned position);

enum { PROTOCOL_ANSWER_MAX = 80 };

/*
 * The answer of daytime or time to whatever was asked: its length. Daytime is one line such as
 * "Monday, February 22, 1982 17:37:43-PST", in the local time zone; time is four bytes in network
 * order, the seconds since 1900 modulo 2^32.
 */
size_t protocol_answer(enum protocol protocol, time_t now, char ret[PROTOCOL_ANSWER_MAX]);

#endif
