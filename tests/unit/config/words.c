#include <criterion/criterion.h>
#include <errno.h>

#include "config/list.h"
#include "config/words.h"

static void assert_words(const char *text, size_t n, const char *const expected[])
{
	struct text_list words;
	const char *reason;
	cr_assert_eq(words_split(text, &words, &reason), 0, "%s", text);
	cr_assert_eq(words.n, n, "%s: %zu words", text, words.n);
	for (size_t i = 0; i < n; i++)
		cr_expect_str_eq(words.items[i], expected[i]);
	text_list_fini(&words);
}

Test(words, are_what_lies_between_blanks)
{
	assert_words("  rsync --daemon\t-v \n", 3, (const char *[]){ "rsync", "--daemon", "-v" });
	assert_words("", 0, NULL);
	assert_words(" \t ", 0, NULL);
}

Test(words, may_hold_blanks_in_quotes)
{
	assert_words("a 'b c' \"d e\"", 3, (const char *[]){ "a", "b c", "d e" });
	assert_words("--x='1 2'3", 1, (const char *[]){ "--x=1 23" });
	assert_words("a '' \"\"", 3, (const char *[]){ "a", "", "" });
}

Test(words, keep_what_a_shell_would_change)
{
	assert_words("$HOME *.c `id` a|b ~ #x", 6,
		(const char *[]){ "$HOME", "*.c", "`id`", "a|b", "~", "#x" });
}

Test(words, know_the_backslash_as_a_shell_does)
{
	assert_words("a\\ b \\'c\\' \\\\", 3, (const char *[]){ "a b", "'c'", "\\" });
	assert_words("\"a\\\"b\\\\c\\n\"", 1, (const char *[]){ "a\"b\\c\\n" });
	assert_words("'a\\b'", 1, (const char *[]){ "a\\b" });
}

Test(words, refuse_what_is_not_closed)
{
	static const char *const texts[] = { "'a", "\"a", "a 'b\" c", "\"a\\\"", "a\\" };
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		struct text_list words = { 0 };
		const char *reason = NULL;
		cr_expect_eq(words_split(texts[i], &words, &reason), -EINVAL, "%s", texts[i]);
		cr_expect(reason && strstr(reason, "close it"));
		cr_expect_eq(words.n, 0);
	}
}
