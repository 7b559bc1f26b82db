#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "base/text.h"

Test(duration, understands_every_unit_and_the_bare_number_of_seconds)
{
	static const struct {
		const char *text;
		uint64_t ms;
	} cases[] = {
		{ "500ms", 500 }, { "10s", 10000 }, { "5min", 300000 }, { "2h", 7200000 },
		{ "1d", 86400000 }, { "3", 3000 }, { "0.5", 500 }, { "1.5 s", 1500 }, { "0", 0 },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		uint64_t ms = 1;
		cr_expect_eq(text_parse_duration(cases[i].text, &ms), 0, "%s", cases[i].text);
		cr_expect_eq(ms, cases[i].ms, "%s is %lu", cases[i].text, (unsigned long)ms);
	}
}

Test(duration, refuses_what_is_none)
{
	static const char *const cases[] = { "", "s", "10 parsecs", "1e", "0x10s", "nan", "inf", "10s5" };
	uint64_t ms;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		cr_expect_eq(text_parse_duration(cases[i], &ms), -EINVAL, "%s", cases[i]);
	cr_expect_eq(text_parse_duration("-1s", &ms), -ERANGE);
	cr_expect_eq(text_parse_duration("4000d", &ms), -ERANGE);
}

Test(size, counts_in_powers_of_1024)
{
	uint64_t bytes;
	cr_expect_eq(text_parse_size("64K", &bytes), 0);
	cr_expect_eq(bytes, 65536);
	cr_expect_eq(text_parse_size("1M", &bytes), 0);
	cr_expect_eq(bytes, 1048576);
	cr_expect_eq(text_parse_size("17", &bytes), 0);
	cr_expect_eq(bytes, 17);
	cr_expect_eq(text_parse_size("2T", &bytes), 0);
	cr_expect_eq(bytes, 2ULL << 40);
	cr_expect_eq(text_parse_size("1TiB", &bytes), 0);
	cr_expect_eq(bytes, 1ULL << 40);
	cr_expect_eq(text_parse_size("1X", &bytes), -EINVAL);
}

Test(mode, is_octal_and_nothing_else)
{
	unsigned mode;
	cr_expect_eq(text_parse_mode("0660", &mode), 0);
	cr_expect_eq(mode, 0660);
	cr_expect_eq(text_parse_mode("1777", &mode), 0);
	cr_expect_eq(mode, 01777);
	cr_expect_eq(text_parse_mode("0980", &mode), -EINVAL);
	cr_expect_eq(text_parse_mode("rw", &mode), -EINVAL);
	cr_expect_eq(text_parse_mode("", &mode), -EINVAL);
	cr_expect_eq(text_parse_mode("77777", &mode), -EINVAL);
}

Test(escape, leaves_no_control_character_and_no_broken_utf8)
{
	static const struct {
		const char *bytes, *expected;
	} cases[] = {
		{ "plain text", "plain text" },
		{ "a\nb\tc", "a\\x0ab\\x09c" },
		{ "\x1b[31mred", "\\x1b[31mred" },
		{ "back\\slash", "back\\\\slash" },
		{ "gr\xc3\xbc\xc3\x9f" "e", "gr\xc3\xbc\xc3\x9f" "e" },
		{ "\xc3", "\\xc3" },
		{ "\xc0\xaf", "\\xc0\\xaf" },
		{ "\xed\xa0\x80", "\\xed\\xa0\\x80" },
		{ "\xc2\x9b" "31m", "\\xc2\\x9b31m" },
		{ "\xe2\x80\xae" "evil", "\\xe2\\x80\\xaeevil" },
	};
	char result[128];
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		size_t n = text_escape(result, sizeof result, cases[i].bytes, strlen(cases[i].bytes));
		cr_expect_str_eq(result, cases[i].expected);
		cr_expect_eq(n, strlen(result));
	}
}

Test(escape, ends_a_cut_text_in_dots_and_never_overruns)
{
	char bytes[600];
	memset(bytes, 1, sizeof bytes);
	for (size_t size = 1; size < 64; size++) {
		char result[65];
		memset(result, '!', sizeof result);
		text_escape(result, size, bytes, sizeof bytes);
		cr_expect_lt(strlen(result), size);
		cr_expect_eq(result[size], '!');
		if (size > 8)
			cr_expect_str_eq(result + strlen(result) - 3, "...");
	}
}

Test(closest, finds_the_misspelt_word_and_no_other)
{
	static const char *const names[] = { "address", "port", "command", "user", "user_agent" };
	cr_expect_str_eq(text_closest("adress", names, 5), "address");
	cr_expect_str_eq(text_closest("prot", names, 5), "port");
	cr_expect_str_eq(text_closest("comand", names, 5), "command");
	cr_expect_str_eq(text_closest("user", names, 5), "user");
	cr_expect_null(text_closest("zebra", names, 5));
}

Test(format, writes_durations_as_people_say_them)
{
	static const struct {
		uint64_t ms;
		const char *expected;
	} cases[] = {
		{ 40, "40ms" }, { 3200, "3.2s" }, { 14000, "14s" }, { 840000, "14min" },
		{ 3 * 3600000ull, "3h" }, { 12 * 86400000ull, "12d" }, { 0, "0ms" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char text[TEXT_DURATION_SIZE];
		cr_expect_str_eq(text_format_duration(text, cases[i].ms), cases[i].expected);
	}
}

Test(format, writes_sizes_as_people_say_them)
{
	static const struct {
		uint64_t bytes;
		const char *expected;
	} cases[] = {
		{ 0, "0" }, { 1023, "1023" }, { 1024, "1.0K" }, { 65536, "64.0K" },
		{ (1 << 20) - 1, "1.0M" }, { 213 << 20, "213.0M" }, { 3ull << 29, "1.5G" },
		{ UINT64_MAX, "16.0E" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char text[TEXT_SIZE_SIZE];
		cr_expect_str_eq(text_format_size(text, cases[i].bytes), cases[i].expected);
	}
}

Test(text, a_cut_leaves_whole_characters)
{
	cr_expect_eq(text_whole_length("abc", 10), 3);
	cr_expect_eq(text_whole_length("abc", 2), 2);
	cr_expect_eq(text_whole_length("", 5), 0);
	cr_expect_eq(text_whole_length("a\xc3\xa4", 3), 3);
	cr_expect_eq(text_whole_length("a\xc3\xa4", 2), 1);
	for (size_t most = 0; most < 5; most++)
		cr_expect_eq(text_whole_length("a\xf0\x9f\x98\x80", most), most ? 1 : 0);
	cr_expect_eq(text_whole_length("a\xf0\x9f\x98\x80", 5), 5);
}
