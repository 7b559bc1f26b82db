#include "ctl/table.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/reply.h"

static const struct table_column columns[] = {
	{ "NAME", 0, .field = "name", .format = reply_print_text },
	{ "STATE", 0, .field = "state", .format = reply_print_text },
	{ "MINOR", 3, .field = "minor", .format = reply_print_text },
	{ "Local Address", 2, .field = "address", .format = reply_print_text },
	{ "N", 1, .is_right = true, .field = "n", .format = reply_print_exact },
	{ "COMMAND", 4, .is_elastic = true, .field = "command", .format = reply_print_text },
};
static const struct table table = { columns, sizeof columns / sizeof *columns };

static struct table_choice choose(const char *names)
{
	struct table_choice choice;
	char *unknown = NULL;
	cr_assert(table_choose(&table, names, &choice, &unknown), "%s", unknown);
	return choice;
}

/* The names of what is shown, with the widths: "NAME:4 STATE:5". */
static char *fit(const char *names, const unsigned natural[], unsigned width)
{
	static char text[512];
	unsigned widths[TABLE_COLUMNS_MAX];
	struct table_choice choice = choose(names);
	memcpy(widths, natural, choice.n * sizeof *widths);
	table_fit(&choice, widths, width);
	text[0] = 0;
	for (size_t i = 0; i < choice.n; i++)
		sprintf(text + strlen(text), "%s%s:%u", i ? " " : "", choice.columns[i]->name,
			widths[i]);
	return text;
}

Test(table, columns_go_by_what_they_matter_and_the_elastic_one_gives_way_first)
{
	static const unsigned natural[] = { 6, 8, 10, 14, 3, 40 };
	static const struct {
		unsigned width;
		const char *shown;
	} cases[] = {
		{ 0, "NAME:6 STATE:8 MINOR:10 Local Address:14 N:3 COMMAND:40" },
		{ 91, "NAME:6 STATE:8 MINOR:10 Local Address:14 N:3 COMMAND:40" },
		{ 90, "NAME:6 STATE:8 MINOR:10 Local Address:14 N:3 COMMAND:39" },
		{ 67, "NAME:6 STATE:8 MINOR:10 Local Address:14 N:3 COMMAND:16" },
		{ 66, "NAME:6 STATE:8 MINOR:10 Local Address:14 N:3" },
		{ 49, "NAME:6 STATE:8 MINOR:10 Local Address:14 N:3" },
		{ 48, "NAME:6 STATE:8 Local Address:14 N:3" },
		/* Where the address is too wide, what matters less and is smaller takes its place.
		 */
		{ 36, "NAME:6 STATE:8 MINOR:10 N:3" },
		{ 21, "NAME:6 STATE:8 N:3" },
		{ 20, "NAME:6 STATE:8" },
		{ 15, "NAME:6 STATE:7" },
		{ 10, "NAME:4 STATE:4" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		cr_expect_str_eq(fit(NULL, natural, cases[i].width), cases[i].shown, "%u: %s",
			cases[i].width, fit(NULL, natural, cases[i].width));
}

Test(table, chosen_columns_are_narrowed_and_then_go_from_the_right)
{
	static const unsigned natural[] = { 14, 20, 6 };
	cr_expect_str_eq(fit("local-address,command,name", natural, 44),
		"Local Address:14 COMMAND:20 NAME:6");
	cr_expect_str_eq(fit("local-address,command,name", natural, 40),
		"Local Address:14 COMMAND:16 NAME:6");
	cr_expect_str_eq(
		fit("local-address,command,name", natural, 26), "Local Address:8 COMMAND:8 NAME:6");
	cr_expect_str_eq(fit("local-address,command,name", natural, 25),
		"Local Address:11 COMMAND:12", "%s",
		fit("local-address,command,name", natural, 25));
}

Test(table, names_match_in_any_case_and_with_a_hyphen_for_the_blank)
{
	struct table_choice choice = choose("n,local_address,Local Address,LOCAL-ADDRESS,n");
	cr_assert_eq(choice.n, 5);
	cr_expect_str_eq(choice.columns[0]->name, "N");
	for (size_t i = 1; i < 4; i++)
		cr_expect_str_eq(choice.columns[i]->name, "Local Address");
}

Test(table, unknown_names_are_told)
{
	static const char *const cases[][2] = { { "name,nonsense,n", "nonsense" }, { "", "" },
		{ "name,", "" }, { "nam", "nam" }, { "names", "names" } };
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct table_choice choice;
		char *unknown = NULL;
		cr_expect_not(table_choose(&table, cases[i][0], &choice, &unknown));
		cr_expect_str_eq(unknown, cases[i][1]);
		free(unknown);
	}
	char names[500] = "n";
	for (size_t i = 0; i < TABLE_COLUMNS_MAX; i++)
		strcat(names, ",n");
	struct table_choice choice;
	char *unknown = NULL;
	cr_expect_not(table_choose(&table, names, &choice, &unknown));
	free(unknown);
}

static void expect_table(const char *names, const char *rows, struct look look, const char *wanted)
{
	char *printed = NULL;
	size_t size;
	struct table_choice choice = choose(names);
	json_t *array = json_loads(rows, 0, NULL);
	FILE *out = open_memstream(&printed, &size);
	table_print(out, &table, &choice, array, &look);
	fclose(out);
	cr_expect_str_eq(printed, wanted, "%s", printed);
	free(printed);
	json_decref(array);
}

Test(table, cells_line_up_under_their_headings_and_nothing_trails)
{
	expect_table("name,n,state",
		"[{\"name\":\"a-long-name\",\"n\":7,\"state\":\"UP\"},{\"name\":\"b\",\"n\":1234}]",
		(struct look){ .is_utf8 = true },
		"NAME            N  STATE\n"
		"a-long-name     7  UP\n"
		"b            1234  -\n");
	expect_table("name,n", "[]", (struct look){ .is_utf8 = true }, "NAME  N\n");
}

Test(table, colours_surround_words_and_take_no_room)
{
	expect_table("name,state", "[{\"name\":\"a\",\"state\":\"UP\"}]",
		(struct look){ .is_utf8 = true, .has_colour = true },
		"\033[1mNAME\033[0m  \033[1mSTATE\033[0m\na     UP\n");
}
