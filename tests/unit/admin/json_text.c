/* JSON as text: what comes out has to be what jansson reads. */
#include "admin/json_text.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include <string.h>

static void expect_text(struct json_text *text, const char *expected)
{
	json_error_t error;
	cr_assert(!text->has_failed);
	cr_expect_eq(text->length, strlen(expected));
	cr_expect_eq(memcmp(text->bytes, expected, text->length), 0, "%.*s", (int)text->length, text->bytes);
	json_t *read = json_loadb(text->bytes, text->length, JSON_DECODE_ANY, &error);
	cr_expect(read, "%s", error.text);
	json_decref(read);
	json_text_fini(text);
}

Test(json_text, commas_come_by_themselves)
{
	struct json_text text = { 0 };
	json_text_bracket(&text, '{');
	json_text_name(&text, "rows");
	json_text_bracket(&text, '[');
	for (unsigned i = 0; i < 2; i++) {
		json_text_bracket(&text, '{');
		json_text_name(&text, "n");
		json_text_number(&text, i);
		json_text_name(&text, "is");
		json_text_boolean(&text, i);
		json_text_bracket(&text, '}');
	}
	json_text_null(&text);
	json_text_string(&text, NULL);
	json_text_number(&text, UINT64_MAX / 2);
	json_text_bracket(&text, ']');
	json_text_name(&text, "none");
	json_text_bracket(&text, '[');
	json_text_bracket(&text, ']');
	json_text_bracket(&text, '}');
	expect_text(&text, "{\"rows\":[{\"n\":0,\"is\":false},{\"n\":1,\"is\":true},null,null,"
			   "9223372036854775807],\"none\":[]}");
}

Test(json_text, strings_are_escaped)
{
	struct json_text text = { 0 };
	json_text_string(&text, "a\"b\\c\n\x01\xc3\xa9");
	expect_text(&text, "\"a\\u0022b\\u005cc\\u000a\\u0001\xc3\xa9\"");
	json_text_string(&text, "\\");
	expect_text(&text, "\"\\u005c\"");
	json_text_string(&text, "");
	expect_text(&text, "\"\"");
}

Test(json_text, grows_and_is_used_again)
{
	struct json_text text = { 0 };
	for (int times = 0; times < 2; times++) {
		json_text_clear(&text);
		json_text_bracket(&text, '[');
		for (unsigned i = 0; i < 10000; i++)
			json_text_string(&text, "0123456789");
		json_text_bracket(&text, ']');
		cr_expect_eq(text.length, 2 + 10000 * 13 - 1);
	}
	json_t *read = json_loadb(text.bytes, text.length, 0, NULL);
	cr_expect_eq(json_array_size(read), 10000);
	json_decref(read);
	json_text_fini(&text);
}
