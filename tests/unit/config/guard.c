#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/guard.h"

/* 0 or the error; the first problem's text in `told`, the text as the guard leaves it in `left`. */
static int check(const char *text, size_t length, char told[512], char *left)
{
	struct problems problems = { .main_file = "f" };
	struct guard_services services;
	struct config_errors errors;
	char *copy = malloc(length + 1);
	memcpy(copy, text, length);
	copy[length] = 0;
	int r = guard_check(copy, length, "f", &problems, &services);
	if (r == 0)
		guard_services_fini(&services);
	cr_assert_eq(problems_tell(&problems, &errors), 0);
	snprintf(told, 512, "%s", errors.n ? errors.items[0] : "");
	if (left)
		memcpy(left, copy, length + 1);
	config_errors_free(&errors);
	free(copy);
	return r;
}

Test(guard, passes_what_libconfig_reads)
{
	static const char *const good[] = { "", "# only a comment", "a = 1", "a = 1;\r\nb = 2\r\n",
		"a : \"x\" \"y\";", "a = { b = [ ]; c = ( 1, \"x\", { d = 1; } ); }",
		"a = TRUE, b = False",
		"a = -0x7fffffff; b = 1e3; c = .5; d = 1.; e = +7; f = -1.5E-3",
		"a = \"/* no comment // # \\\" \" /* a \" */ // \"\n", "*a-b_1 = 1",
		"a = 2147483647; b = -2147483648" };
	char told[512];
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		cr_expect_eq(check(good[i], strlen(good[i]), told, NULL), 0, "%s", good[i]);
		cr_expect_str_eq(told, "", "%s: %s", good[i], told);
	}
}

Test(guard, names_line_and_remedy_of_a_syntax_error)
{
	static const struct {
		const char *text, *told;
	} cases[] = {
		{ "a = 1;\nb = { c = 1;\n\n", "f:2: the group that begins here is not closed" },
		{ "a = [ 1, 2", "f:1: the list that begins here is not closed" },
		{ "a = [", "f:1: the list that begins here is not closed" },
		{ "a = [ 1, 2, ]", "f:1: there is nothing behind this comma; remove it" },
		{ "a = ( 1 }", "\"}\" cannot close the list of line 1" },
		{ "a = { b = 1; ]", "\"]\" cannot close the group of line 1" },
		{ "a = 1; }", "\"}\" closes nothing" },
		{ "a = 1;;", "there is nothing before this \";\"" },
		{ "a 80", "\"=\" is missing behind \"a\"" },
		{ "\n\na = ;", "f:3: a value is missing before \";\"" },
		{ "a =", "a value is missing before the end of the file" },
		{ "80 = a", "the name of a key is expected before \"80\"" },
		{ "user = nobody;", "a text needs quotes; write \"nobody\"" },
		{ "a = yes", "write true" },
		{ "a = off", "write false" },
		{ "a = 10.0.0.1", "put it in quotes" },
		{ "a = 5min", "put it in quotes" },
		{ "a = [ \"x\" \"y\" ]", "a comma or \"]\" is missing before \"y\"" },
		{ "a = [ { b = 1; } ]", "[ ] holds single values only" },
		{ "a = 1;\n/* b\n", "f:2: the comment that begins here is not closed" },
		{ "a = \"x\n\n", "f:1: the text that begins here is not closed" },
		{ "@include \"/etc/passwd\"\n", "write include = " },
		{ "a = 1; \xc3\xa4 = 2;", "the byte \\xc3 has no meaning here" },
		{ "a = \"x\\x00y\"", "cannot hold \\x00" },
		{ "# old\ra = 1\r", "Unix line ends" },
		{ "a = 1; b = 2;\n a = 3;", "f:2: a: is given in line 1 as well" },
	};
	char told[512];
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		cr_expect_eq(check(cases[i].text, strlen(cases[i].text), told, NULL), -EINVAL, "%s",
			cases[i].text);
		cr_expect(strstr(told, cases[i].told), "%s: %s", cases[i].text, told);
	}
}

Test(guard, finds_zero_bytes_wherever_they_are)
{
	static const char *const texts[] = { "a = 1;%b = 2;", "a = \"x%y\";", "# x%\na = 1;",
		"/* % */ a = 1;", "%", "a = 1%" };
	char told[512];
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		char text[64];
		size_t length = strlen(texts[i]);
		memcpy(text, texts[i], length + 1);
		*strchr(text, '%') = 0;
		cr_expect_eq(check(text, length, told, NULL), -EINVAL, "%s", texts[i]);
	}
}

Test(guard, tells_numbers_that_would_wrap_and_lets_the_rest_be_checked)
{
	static const char *const numbers[] = { "5000000000", "4294967376", "2147483648",
		"-2147483649", "0x80000000", "10L", "1LL", "99999999999999999999999999" };
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
		char text[128], told[512], left[128];
		snprintf(text, sizeof text, "a = {\n b = [ %s ];\n};", numbers[i]);
		cr_expect_eq(check(text, strlen(text), told, left), 0, "%s", numbers[i]);
		cr_expect(strstr(told, "f:2: a.b: "), "%s", told);
		cr_expect(strstr(told, "wider than 32 bits"), "%s", told);
		cr_expect_null(strstr(left, numbers[i]));
	}
}

/* `n` times `piece` between head and tail. */
static char *repeat(const char *head, const char *piece, size_t n, const char *tail)
{
	size_t length = strlen(piece);
	char *text = malloc(strlen(head) + n * length + strlen(tail) + 1);
	char *at = stpcpy(text, head);
	for (size_t i = 0; i < n; i++)
		at = stpcpy(at, piece);
	strcpy(at, tail);
	return text;
}

Test(guard, bounds_what_takes_libconfig_minutes)
{
	static const struct {
		const char *head, *piece;
		size_t n;
		const char *tail;
	} cases[] = {
		{ "a = \"", "x", 70000, "\";" },
		{ "a = ", "\"xxxx\" ", 20000, ";" },
		{ "", "x", 70000, " = 1;" },
		{ "", "x", 256, " = 1;" },
		{ "a = ", "1", 70000, ";" },
		{ "a = [ ", "1, ", 5000, "1 ];" },
		{ "", "a = { b = ", 20, "" },
		{ "a = ", "( ", 100000, "" },
		{ "", "{", 100000, "" },
	};
	char told[512];
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char *text = repeat(cases[i].head, cases[i].piece, cases[i].n, cases[i].tail);
		cr_expect_eq(check(text, strlen(text), told, NULL), -EINVAL, "case %zu", i);
		free(text);
	}
}

Test(guard, bounds_the_settings_of_a_group_and_of_a_file)
{
	char *text = malloc(600000), *at = text, told[512];
	for (int i = 0; i <= GUARD_GROUP_MAX; i++)
		at += sprintf(at, "k%d = 1;\n", i);
	cr_expect_eq(check(text, strlen(text), told, NULL), -EINVAL);
	cr_expect(strstr(told, "f:129: there are more than 128 values"), "%s", told);
	at = text + sprintf(text, "services = {\n");
	for (int i = 0; i < 5000; i++)
		at += sprintf(at, "k%d = 1;\n", i);
	sprintf(at, "};");
	cr_expect_eq(check(text, strlen(text), told, NULL), 0);
	at = text + sprintf(text, "services = {\n");
	for (int i = 0; i < 250; i++) {
		at += sprintf(at, "g%d = {\n", i);
		for (int j = 0; j < 100; j++)
			at += sprintf(at, "k%d = 1;\n", j);
		at += sprintf(at, "};\n");
	}
	cr_expect_eq(check(text, strlen(text), told, NULL), -EINVAL);
	cr_expect(strstr(told, "more than 20000 values"), "%s", told);
	free(text);
}

Test(guard, notes_where_the_services_stand)
{
	char text[4096], *at = text;
	struct problems problems = { .main_file = "f" };
	struct guard_services services;
	at += sprintf(at, "x = { services = { no = 1; }; };\nservices = {\n");
	for (int i = 0; i < GUARD_PIECE_SIZE * 2 + 1; i++)
		at += sprintf(at, "s%d = 1;\n", i);
	sprintf(at, "}; y = 1;");
	cr_assert_eq(guard_check(text, strlen(text), "f", &problems, &services), 0);
	cr_assert_eq(services.n, 3);
	cr_expect_eq(strncmp(services.items[0].start, "s0 ", 3), 0);
	cr_expect_eq(services.items[0].line, 3);
	cr_expect_eq(services.items[1].line, 3 + GUARD_PIECE_SIZE);
	cr_expect_eq(strcmp(services.end, "}; y = 1;"), 0);
	guard_services_fini(&services);
}
