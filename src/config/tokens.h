/*
 * The tokens of libconfig's language, one after the other.
 *
 * libconfig would read some broken texts without a word (an unterminated comment swallows the rest)
 * and take minutes over others, so the text is looked at before it is handed over.
 */
#ifndef FDSUP_CONFIG_TOKENS_H
#define FDSUP_CONFIG_TOKENS_H

#include <stddef.h>

enum token_kind {
	TOKEN_END,
	TOKEN_NAME,
	TOKEN_EQUALS, /* = or : */
	TOKEN_NUMBER,
	TOKEN_STRING,
	TOKEN_OPEN,  /* { [ ( */
	TOKEN_CLOSE, /* } ] ) */
	TOKEN_COMMA,
	TOKEN_SEMICOLON,
	TOKEN_BROKEN, /* no token: scanner->reason tells why */
};

struct token {
	enum token_kind kind;
	char *start; /* in the text */
	size_t length;
	unsigned line;
};

/* No single token may be longer: libconfig's time grows with the square of it. */
enum { TOKEN_LENGTH_MAX = 65536, TOKEN_NAME_MAX = 255 };

struct scanner {
	char *at;
	char *end;
	unsigned line;
	char reason[160]; /* of TOKEN_BROKEN: what is wrong and the remedy */
};

/* After TOKEN_END and TOKEN_BROKEN there is nothing more to be had. */
struct token scanner_next(struct scanner *scanner);

#endif
