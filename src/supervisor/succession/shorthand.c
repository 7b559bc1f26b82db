#include "supervisor/succession/shorthand.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Their places are what is written: more of them come at the end, and none is changed. */
static const char *const phrases[] = {
	/* a service at rest */
	"{\"serial\":",
	",\"state\":\"",
	",\"state\":\"ON-DEMAND\",\"state_since_ms\":",
	"\",\"state_since_ms\":",
	",\"is_wanted\":true,\"slot\":",
	",\"acceptor\":0,\"start_ms\":",
	",\"listeners\":[{\"fd\":0,\"id\":",
	"{\"fd\":",
	",\"id\":",
	",\"address\":\"2 ",
	",\"address\":\"10 ",
	"\"}],\"is_open\":true,",
	"\"generation\":",
	"\"generation\":1,\"name\":\"",
	"\"name\":\"",
	"\",\"edition\":",
	",\"name\":{\"text\":\"",
	"\",\"device\":",
	",\"inode\":",
	/* its workers */
	"\"queue\":[1,2,3],\"workers\":[",
	"{\"pid\":",
	",\"child.pidfd\":",
	",\"command\":\"",
	"\",\"share\":",
	",\"started_ms\":",
	",\"ready_ms\":",
	",\"state\":\"READY\",\"renew_why\":\"max_age is reached\"}",
	",\"capture\":{\"read_fd\":",
	",\"last_ms\":",
	",\"has_spawned\":true,",
};

enum { N_PHRASES = sizeof phrases / sizeof *phrases };
_Static_assert(N_PHRASES < ' ', "a phrase is a byte that JSON has not");

/* The longest with which the text begins, as its byte; 0: none. */
static unsigned find_phrase(const char *text, size_t *ret_length)
{
	unsigned found = 0;
	*ret_length = 0;
	if (!strchr("{,\"", *text))
		return 0;
	for (unsigned i = 0; i < N_PHRASES; i++) {
		size_t length = strlen(phrases[i]);
		if (length > *ret_length && !strncmp(text, phrases[i], length)) {
			found = i + 1;
			*ret_length = length;
		}
	}
	return found;
}

size_t shorthand_write(char *text)
{
	char *start = text, *end = text;
	while (*text) {
		size_t length;
		unsigned phrase = find_phrase(text, &length);
		*end++ = phrase ? (char)phrase : *text;
		text += phrase ? length : 1;
	}
	*end = 0;
	return (size_t)(end - start);
}

/* What a byte stands for; NULL: nothing that we know. */
static const char *read_byte(const char *byte, size_t *ret_length)
{
	unsigned phrase = (unsigned char)*byte;
	*ret_length = 1;
	if (phrase >= ' ')
		return byte;
	if (!phrase || phrase > N_PHRASES)
		return NULL;
	*ret_length = strlen(phrases[phrase - 1]);
	return phrases[phrase - 1];
}

int shorthand_read(const char *text, size_t length, char **ret_full, size_t *ret_length)
{
	size_t full_length = 0, n;
	for (size_t i = 0; i < length; i++, full_length += n)
		if (!read_byte(text + i, &n))
			return -EBADMSG;
	char *full = malloc(full_length + 1), *end = full;
	if (!full)
		return -ENOMEM;
	for (size_t i = 0; i < length; i++) {
		const char *bytes = read_byte(text + i, &n);
		memcpy(end, bytes, n);
		end += n;
	}
	*ret_full = full;
	*ret_length = full_length;
	return 0;
}
