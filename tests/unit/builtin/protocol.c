/* What the small services say, byte for byte as their RFCs have it. */
#include "builtin/protocol.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static char answer[PROTOCOL_ANSWER_MAX];

Test(protocol, names_are_those_of_the_services)
{
	static const char *const names[] = { "echo", "discard", "chargen", "daytime", "time" };
	enum protocol protocol;
	for (size_t i = 0; i < 5; i++) {
		cr_assert(protocol_from_name(names[i], &protocol));
		cr_assert_str_eq(protocol_name(protocol), names[i]);
	}
	cr_assert_not(protocol_from_name("Echo", &protocol));
	cr_assert_not(protocol_from_name("", &protocol));
}

/* The examples of RFC 868. */
Test(protocol, time_counts_from_1900)
{
	static const struct {
		time_t since_1970;
		uint32_t since_1900;
	} examples[] = {
		{ 0, 2208988800U }, { 2398291200 - 2208988800, 2398291200U }, /* 1 Jan 1976 */
		{ 2524521600 - 2208988800, 2524521600U },                     /* 1 Jan 1980 */
		{ 2629584000 - 2208988800, 2629584000U },                     /* 1 May 1983 */
		{ (time_t)4294967296 - 2208988800, 0 }, /* February 2036: it begins anew */
	};
	for (size_t i = 0; i < sizeof examples / sizeof *examples; i++) {
		cr_assert_eq(protocol_answer(PROTOCOL_TIME, examples[i].since_1970, answer), 4);
		uint32_t seconds = 0;
		for (int k = 0; k < 4; k++)
			seconds = seconds << 8 | (unsigned char)answer[k];
		cr_assert_eq(seconds, examples[i].since_1900);
	}
}

/* The first example of RFC 867, with the day that it was. */
Test(protocol, daytime_is_one_line)
{
	setenv("TZ", "PST8", 1);
	tzset();
	size_t n = protocol_answer(PROTOCOL_DAYTIME, 383276263, answer);
	cr_assert_eq(n, strlen("Monday, February 22, 1982 17:37:43-PST\r\n"));
	cr_assert_eq(memcmp(answer, "Monday, February 22, 1982 17:37:43-PST\r\n", n), 0);
}

Test(protocol, chargen_has_72_characters_a_line_and_moves_on_by_one)
{
	static char bytes[2 * CHARGEN_PERIOD];
	cr_assert_eq(chargen_fill(bytes, sizeof bytes, 0), 0);
	for (int line = 0; line < 2 * CHARGEN_KINDS; line++) {
		const char *text = bytes + line * CHARGEN_LINE;
		cr_assert_eq(text[0], ' ' + line % 95);
		for (int i = 1; i < 72; i++)
			cr_assert_eq(text[i], text[i - 1] == '~' ? ' ' : text[i - 1] + 1);
		cr_assert_eq(memcmp(text + 72, "\r\n", 2), 0);
	}
}

Test(protocol, chargen_goes_on_where_it_stopped)
{
	char whole[1000], parts[1000];
	chargen_fill(whole, sizeof whole, 6900);
	unsigned position = 6900;
	for (size_t i = 0; i < sizeof parts; i += 100)
		position = chargen_fill(parts + i, 100, position);
	cr_assert_eq(memcmp(whole, parts, sizeof whole), 0);
	cr_assert_eq(position, 7900 - CHARGEN_PERIOD);
}
