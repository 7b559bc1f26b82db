/* Rows as text give what jansson gives, whatever they are. */
#include "ctl/records.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* With quotes for apostrophes. */
static char *quoted(const char *text)
{
	char *copy = strdup(text);
	for (char *p = copy; (p = strchr(p, '\''));)
		*p = '"';
	return copy;
}

static int take(struct records *records, const char *message, struct records_piece *ret)
{
	char *text = quoted(message);
	int r = records_take(records, text, "rows", ret);
	free(text);
	return r;
}

static void expect_rows(struct records *records, const char *expected)
{
	char *text = quoted(expected), *printed = NULL;
	size_t size;
	json_t *array = json_loads(text, 0, NULL);
	cr_assert(array, "%s", text);
	cr_expect_eq(records->n, json_array_size(array));
	for (int times = 0; times < 2; times++)
		for (size_t i = 0; i < records->n; i++)
			cr_expect(json_equal(records_at(records, i), json_array_get(array, i)), "row %zu", i);
	json_t *all = records_to_json(records);
	cr_expect(json_equal(all, array));
	FILE *out = open_memstream(&printed, &size);
	records_print(out, records);
	fclose(out);
	json_t *read = json_loads(printed, 0, NULL);
	cr_expect(json_equal(read, array), "%s", printed);
	json_decref(read);
	json_decref(all);
	json_decref(array);
	free(printed);
	free(text);
}

Test(records, rows_of_several_messages)
{
	struct records records = { 0 };
	struct records_piece piece;
	cr_expect_eq(take(&records, "{'parameters':{'rows':[{'a':1,'b':'x'},{'a':2,'b':'y'}],'complete':true},"
				    "'continues':true}", &piece), 0);
	cr_expect(piece.continues && !piece.is_incomplete);
	cr_expect_eq(take(&records, " { 'parameters' : { 'complete' : false , 'rows' : [ { 'a' : -3 , 'b' : null } ] } } ",
			     &piece), 0);
	cr_expect(!piece.continues && piece.is_incomplete);
	expect_rows(&records, "[{'a':1,'b':'x'},{'a':2,'b':'y'},{'a':-3,'b':null}]");
	records_fini(&records);
}

Test(records, rows_of_every_kind)
{
	static const char rows[] =
		"[{'a':1,'b':'x','c':null,'d':true},{},{'a':'now a text','b':7,'c':[1,{'z':'}]'}],'d':{'e':-1.5e3}},"
		"{'b':'other order','a':999999999999999999},{'a':9223372036854775807,'b':'\\u00e4\\n\\\\','c':0.5,'d':false},"
		"{'a':'\xc3\xa4','b':'','c':-1,'d':[]},{'new':'member','a':1},{'a':1,'b':'x','c':null,'d':true}]";
	struct records records = { 0 };
	struct records_piece piece;
	char message[2048];
	snprintf(message, sizeof message, "{'parameters':{'rows':%s}}", rows);
	cr_assert_eq(take(&records, message, &piece), 0);
	expect_rows(&records, rows);
	records_fini(&records);
}

Test(records, none)
{
	struct records records = { 0 };
	struct records_piece piece;
	cr_assert_eq(take(&records, "{'parameters':{'rows':[]}}", &piece), 0);
	expect_rows(&records, "[]");
	records_fini(&records);
}

Test(records, what_is_no_such_reply_adds_nothing)
{
	static const char *const messages[] = { "", "{", "[]", "{}", "{'parameters':{}}", "{'parameters':[]}",
		"{'parameters':{'rows':{}}}", "{'parameters':{'rows':[1]}}", "{'parameters':{'rows':[{}}}",
		"{'parameters':{'rows':[{'a':1}]}", "{'parameters':{'rows':[{'a':1}]}}x",
		"{'parameters':{'rows':[{'a'}]}}", "{'parameters':{'rows':[{'a':}]}}",
		"{'parameters':{'rows':[{'a':'open}]}}", "{'parameters':{'rows':[{'a':1},{'b':\\'}]}}",
		"{'parameters':{'rows':[{'a':1} {'b':2}]}}", "{'parameters':{'rows':[{'a':1}]},'rows'}",
		"{'error':'org.fdsup.Failed','parameters':{'rows':[{'a':1}]}}",
		"{'parameters':{'rows':[{'a':1}],'rows':[{'a':1}]}}", "{'parameters':{'rows':[{a:1}]}}",
		"{'parameters':{'rows':[{'a':[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]}]}}" };
	for (size_t i = 0; i < sizeof messages / sizeof *messages; i++) {
		struct records records = { 0 };
		struct records_piece piece;
		cr_expect_eq(take(&records, messages[i], &piece), -EBADMSG, "%s", messages[i]);
		cr_expect_eq(records.n, 0);
		records_fini(&records);
	}
}

/* Whatever the words are that skip_word took for values, a row is an object that can be shown. */
Test(records, values_that_are_none_are_unknown)
{
	struct records records = { 0 };
	struct records_piece piece;
	cr_assert_eq(take(&records, "{'parameters':{'rows':[{'a':nonsense,'b':1x,'c':-,'d':'\xff','e':'\\q','a':2}]}}",
			     &piece), 0);
	const json_t *row = records_at(&records, 0);
	const char *const names[] = { "a", "b", "c", "d", "e" };
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		cr_expect(json_is_null(json_object_get(row, names[i])), "%s", names[i]);
	records_fini(&records);
}
