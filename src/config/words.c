#include "config/words.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config/list.h"

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Takes one word from *at; its end is stored in *at. -EINVAL: what was opened is not closed. */
static int take_word(const char **at, char *word, size_t *ret_length)
{
	const char *p = *at;
	size_t n = 0;
	char quote = 0;
	for (; *p && (quote || !is_blank(*p)); p++) {
		if (*p == quote) {
			quote = 0;
		} else if (!quote && (*p == '\'' || *p == '"')) {
			quote = *p;
		} else if (*p == '\\' && !quote) {
			if (!*++p)
				return -EINVAL;
			word[n++] = *p;
		} else if (*p == '\\' && quote == '"' && (p[1] == '"' || p[1] == '\\')) {
			word[n++] = *++p;
		} else {
			word[n++] = *p;
		}
	}
	*at = p;
	*ret_length = n;
	return quote ? -EINVAL : 0;
}

static int split(const char *text, char *word, struct text_list *words)
{
	while (true) {
		while (is_blank(*text))
			text++;
		if (!*text)
			return 0;
		size_t length;
		int r = take_word(&text, word, &length);
		if (r == 0)
			r = text_list_take(words, strndup(word, length));
		if (r < 0)
			return r;
	}
}

int words_split(const char *text, struct text_list *ret_words, const char **ret_reason)
{
	struct text_list words = { 0 };
	char *word = malloc(strlen(text) + 1); /* no word is longer than the text */
	int r = word ? split(text, word, &words) : -ENOMEM;
	free(word);
	if (r == -EINVAL)
		*ret_reason = "a quote is not closed, or the text ends in a backslash; "
			      "close it, or write the command as a list of words";
	if (r < 0)
		text_list_fini(&words);
	else
		*ret_words = words;
	return r;
}
