#include "config/tokens.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static struct token broken(struct scanner *scanner, unsigned line, const char *reason)
{
	snprintf(scanner->reason, sizeof scanner->reason, "%s", reason);
	return (struct token){ TOKEN_BROKEN, scanner->at, 0, line };
}

/* All that is not a blank is asked this. */
static bool has(const struct scanner *scanner, const char pair[2])
{
	return scanner->end - scanner->at >= 2 && scanner->at[0] == pair[0] && scanner->at[1] == pair[1];
}

static void step(struct scanner *scanner)
{
	if (*scanner->at++ == '\n')
		scanner->line++;
}

/* A carriage return alone ends no line for libconfig: a comment would go on to the end of the text.
 */
static bool is_lone_return(const struct scanner *scanner)
{
	return *scanner->at == '\r' && (scanner->at + 1 == scanner->end || scanner->at[1] != '\n');
}

static void skip_line_comment(struct scanner *scanner)
{
	while (scanner->at < scanner->end && *scanner->at != '\n' && *scanner->at &&
		!is_lone_return(scanner))
		scanner->at++;
}

static bool skip_block_comment(struct scanner *scanner)
{
	unsigned first_line = scanner->line;
	scanner->at += 2;
	while (scanner->at < scanner->end && *scanner->at && !has(scanner, "*/"))
		step(scanner);
	if (!has(scanner, "*/")) {
		scanner->line = first_line;
		return false;
	}
	scanner->at += 2;
	return true;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\f';
}

/* Blanks and comments. false: a comment is not closed. */
static bool skip_blanks(struct scanner *scanner)
{
	while (scanner->at < scanner->end) {
		if (is_blank(*scanner->at))
			step(scanner);
		else if (*scanner->at == '\r' && !is_lone_return(scanner))
			step(scanner);
		else if (*scanner->at == '#' || has(scanner, "//"))
			skip_line_comment(scanner);
		else if (!has(scanner, "/*"))
			return true;
		else if (!skip_block_comment(scanner))
			return false;
	}
	return true;
}

/* A "\x00" would end the string where the reader of the file sees more of it. */
static bool is_escaped_nul(const char *p, const char *end)
{
	return end - p >= 4 && p[1] == 'x' && p[2] == '0' && p[3] == '0';
}

static struct token scan_string(struct scanner *scanner)
{
	struct token token = { TOKEN_STRING, scanner->at, 0, scanner->line };
	scanner->at++;
	while (scanner->at < scanner->end && *scanner->at && *scanner->at != '"') {
		if (*scanner->at == '\\' && is_escaped_nul(scanner->at, scanner->end))
			return broken(
				scanner, scanner->line, "a text cannot hold \\x00; remove it");
		if (*scanner->at == '\\' && scanner->at + 1 < scanner->end && scanner->at[1])
			scanner->at++;
		step(scanner);
	}
	if (scanner->at < scanner->end && *scanner->at == '"') {
		scanner->at++;
		token.length = (size_t)(scanner->at - token.start);
		return token;
	}
	if (scanner->at < scanner->end)
		return broken(scanner, scanner->line, "a zero byte; save the file as plain text");
	return broken(
		scanner, token.line, "the text that begins here is not closed; add the missing \"");
}

static bool is_name_character(char c)
{
	return isalnum((unsigned char)c) || c == '-' || c == '_' || c == '*';
}

static struct token scan_run(struct scanner *scanner, enum token_kind kind, bool (*belongs)(char c))
{
	struct token token = { kind, scanner->at, 1, scanner->line };
	while (++scanner->at < scanner->end && belongs(*scanner->at))
		token.length++;
	return token;
}

/* More than a number can hold: 10.0.0.1 and 5min are one wrong token, not several right ones. */
static bool is_number_character(char c)
{
	return isalnum((unsigned char)c) || (c && strchr("+-._", c));
}

static struct token scan_stray(struct scanner *scanner)
{
	unsigned char c = (unsigned char)*scanner->at;
	if (c == 0)
		return broken(scanner, scanner->line, "a zero byte; save the file as plain text");
	if (c == '\r')
		return broken(scanner, scanner->line,
			"lines end in a carriage return alone; save the file with Unix line ends");
	if (c == '@')
		return broken(scanner, scanner->line,
			"@include is not allowed; write include = \"/path/of/folder\"; "
			"at the top of the main file");
	char reason[96];
	snprintf(reason, sizeof reason,
		isgraph(c) ? "%c has no meaning here; remove it, or put the text in quotes"
			   : "the byte \\x%02x has no meaning here; remove it",
		c);
	return broken(scanner, scanner->line, reason);
}

static struct token scan_token(struct scanner *scanner)
{
	static const char punctuation[] = "{[(}]),;=:";
	static const enum token_kind kinds[] = { TOKEN_OPEN, TOKEN_OPEN, TOKEN_OPEN, TOKEN_CLOSE,
		TOKEN_CLOSE, TOKEN_CLOSE, TOKEN_COMMA, TOKEN_SEMICOLON, TOKEN_EQUALS,
		TOKEN_EQUALS };
	char c = *scanner->at;
	if (c == '"')
		return scan_string(scanner);
	if (isalpha((unsigned char)c) || c == '*')
		return scan_run(scanner, TOKEN_NAME, is_name_character);
	if (isdigit((unsigned char)c) || (c && strchr("+-.", c)))
		return scan_run(scanner, TOKEN_NUMBER, is_number_character);
	const char *found = c ? strchr(punctuation, c) : NULL;
	if (!found)
		return scan_stray(scanner);
	return (struct token){ kinds[found - punctuation], scanner->at++, 1, scanner->line };
}

struct token scanner_next(struct scanner *scanner)
{
	if (!skip_blanks(scanner))
		return broken(scanner, scanner->line,
			"the comment that begins here is not closed; add the missing */");
	if (scanner->at == scanner->end)
		return (struct token){ TOKEN_END, scanner->at, 0, scanner->line };
	struct token token = scan_token(scanner);
	if (token.kind == TOKEN_NAME && token.length > TOKEN_NAME_MAX)
		return broken(scanner, token.line,
			"this word has more than 255 letters; shorten it, or put the text in "
			"quotes");
	if (token.kind != TOKEN_BROKEN && token.length > TOKEN_LENGTH_MAX)
		return broken(scanner, token.line, "this is longer than 64 KiB; shorten it");
	return token;
}
