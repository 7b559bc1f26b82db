#include "base/text.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct unit {
	const char *name;
	double factor;
};

/* A decimal number followed by one of the units, or by nothing. */
static int parse_number(
	const char *text, const struct unit *units, double bare_factor, double max, double *ret)
{
	char *end;
	bool is_decimal = isdigit((unsigned char)*text) || *text == '.' || *text == '-';
	if (!is_decimal || text[strspn(text, "-0")] == 'x')
		return -EINVAL; /* strtod takes hexadecimal and words as well */
	errno = 0;
	double number = strtod(text, &end);
	if (end == text || !isfinite(number))
		return -EINVAL;
	while (*end == ' ')
		end++;
	double factor = bare_factor;
	if (*end) {
		const struct unit *unit = units;
		while (unit->name && strcasecmp(unit->name, end))
			unit++;
		if (!unit->name)
			return -EINVAL;
		factor = unit->factor;
	}
	number *= factor;
	if (number < 0 || number > max)
		return -ERANGE;
	*ret = number;
	return 0;
}

int text_parse_duration(const char *text, uint64_t *ret_ms)
{
	static const struct unit units[] = {
		{ "ms", 1 },
		{ "s", 1000 },
		{ "sec", 1000 },
		{ "m", 60e3 },
		{ "min", 60e3 },
		{ "h", 3600e3 },
		{ "d", 86400e3 },
		{ NULL, 0 },
	};
	double ms;
	int r = parse_number(text, units, 1000, 10 * 365 * 86400e3, &ms);
	if (r == 0)
		*ret_ms = (uint64_t)(ms + 0.5);
	return r;
}

int text_parse_size(const char *text, uint64_t *ret_bytes)
{
	static const struct unit units[] = {
		{ "B", 1 },
		{ "K", 1024 },
		{ "KiB", 1024 },
		{ "M", 1048576 },
		{ "MiB", 1048576 },
		{ "G", 1073741824 },
		{ "GiB", 1073741824 },
		{ "T", 1099511627776 },
		{ "TiB", 1099511627776 },
		{ NULL, 0 },
	};
	double bytes;
	int r = parse_number(text, units, 1, 1e15, &bytes);
	if (r == 0)
		*ret_bytes = (uint64_t)bytes;
	return r;
}

int text_parse_mode(const char *text, unsigned *ret_mode)
{
	unsigned mode = 0;
	size_t length = strspn(text, "01234567");
	if (length == 0 || length > 5 || text[length])
		return -EINVAL;
	for (const char *p = text; *p; p++)
		mode = mode * 8 + (unsigned)(*p - '0');
	if (mode > 07777)
		return -EINVAL;
	*ret_mode = mode;
	return 0;
}

char *text_format_duration(char text[TEXT_DURATION_SIZE], uint64_t ms)
{
	double seconds = (double)ms / 1000;
	if (ms < 1000)
		snprintf(text, TEXT_DURATION_SIZE, "%dms", (int)ms);
	else if (seconds < 9.95)
		snprintf(text, TEXT_DURATION_SIZE, "%.1fs", seconds);
	else if (seconds < 120)
		snprintf(text, TEXT_DURATION_SIZE, "%.0fs", seconds);
	else if (seconds < 120 * 60)
		snprintf(text, TEXT_DURATION_SIZE, "%.0fmin", seconds / 60);
	else if (seconds < 48 * 3600)
		snprintf(text, TEXT_DURATION_SIZE, "%.0fh", seconds / 3600);
	else
		snprintf(text, TEXT_DURATION_SIZE, "%.0fd", seconds / 86400);
	return text;
}

char *text_format_size(char text[TEXT_SIZE_SIZE], uint64_t bytes)
{
	static const char units[] = "KMGTPE";
	double number = (double)bytes;
	size_t unit = 0;
	if (bytes < 1024) {
		snprintf(text, TEXT_SIZE_SIZE, "%d", (int)bytes);
		return text;
	}
	/* What would be rounded up to 1024.0 is one of the next unit. */
	for (number /= 1024; number >= 1023.95 && units[unit + 1]; unit++)
		number /= 1024;
	snprintf(text, TEXT_SIZE_SIZE, "%.1f%c", number, units[unit]);
	return text;
}

/* Length of the valid UTF-8 sequence of a printable, non-ASCII character at p; 0 if there is none. */
static size_t utf8_sequence(const unsigned char *p, size_t left)
{
	size_t n = *p >= 0xc2 && *p <= 0xdf ? 2 : (*p & 0xf0) == 0xe0 ? 3 : *p >= 0xf0 && *p <= 0xf4 ? 4 : 0;
	if (n == 0 || n > left)
		return 0;
	unsigned code = *p & (0xff >> (n + 1));
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (p[i] & 0x3f);
	}
	static const unsigned least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	bool is_surrogate = code >= 0xd800 && code <= 0xdfff;
	bool is_c1_control = code < 0xa0;
	/* Marks that reorder the text around them would let a name lie about its neighbours. */
	bool is_direction = (code >= 0x200b && code <= 0x200f) || (code >= 0x2028 && code <= 0x202e) ||
			    (code >= 0x2066 && code <= 0x2069) || code == 0xfeff;
	if (code < least[n] || code > 0x10ffff || is_surrogate || is_c1_control || is_direction)
		return 0;
	return n;
}

static bool is_plain(const unsigned char *p, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if (p[i] < 0x20 || p[i] >= 0x7f || p[i] == '\\')
			return false;
	return true;
}

size_t text_escape(char *result, size_t size, const char *bytes, size_t length)
{
	const unsigned char *p = (const unsigned char *)bytes;
	/* Nearly always, and each line of the log comes through here. */
	if (length < size && is_plain(p, length)) {
		memcpy(result, bytes, length);
		result[length] = 0;
		return length;
	}
	size_t used = 0;
	size_t fits = 0; /* the last length after which "..." still fits */
	for (size_t i = 0; i < length;) {
		char piece[8];
		size_t taken = 1;
		size_t n;
		if (p[i] == '\\') {
			memcpy(piece, "\\\\", n = 2);
		} else if (p[i] >= 0x20 && p[i] < 0x7f) {
			piece[0] = (char)p[i];
			n = 1;
		} else if ((n = utf8_sequence(p + i, length - i))) {
			memcpy(piece, p + i, taken = n);
		} else {
			n = (size_t)snprintf(piece, sizeof piece, "\\x%02x", p[i]);
		}
		if (used + n >= size) {
			if (fits + 3 < size)
				memcpy(result + fits, "...", 3), used = fits + 3;
			break;
		}
		memcpy(result + used, piece, n);
		used += n;
		if (used + 3 < size)
			fits = used;
		i += taken;
	}
	result[used] = 0;
	return used;
}

/* Damerau's distance with adjacent swaps, over three rolling rows. */
/* Single-character edits (with swaps) between two words. Bounded: long words are 99. */
static unsigned distance_between(const char *a, const char *b)
{
	enum { LONGEST = 40 };
	size_t m = strlen(a), n = strlen(b);
	unsigned rows[3][LONGEST + 1];
	if (m > LONGEST || n > LONGEST)
		return 99;
	for (size_t j = 0; j <= n; j++)
		rows[0][j] = (unsigned)j;
	for (size_t i = 1; i <= m; i++) {
		unsigned *row = rows[i % 3], *above = rows[(i + 2) % 3], *above2 = rows[(i + 1) % 3];
		row[0] = (unsigned)i;
		for (size_t j = 1; j <= n; j++) {
			unsigned best = above[j - 1] + (a[i - 1] != b[j - 1]);
			if (above[j] + 1 < best)
				best = above[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
				above2[j - 2] + 1 < best)
				best = above2[j - 2] + 1;
			row[j] = best;
		}
	}
	return rows[m % 3][n];
}

const char *text_closest(const char *word, const char *const names[], size_t n)
{
	const char *closest = NULL;
	unsigned limit = strlen(word) <= 4 ? 1 : strlen(word) <= 8 ? 2 : 3;
	for (size_t i = 0; i < n; i++) {
		unsigned distance = distance_between(word, names[i]);
		if (distance <= limit) {
			closest = names[i];
			limit = distance ? distance - 1 : 0;
			if (distance == 0)
				break;
		}
	}
	return closest;
}

size_t text_whole_length(const char *text, size_t most)
{
	size_t length = strnlen(text, most), start = length;
	/* The last character may have lost its end. */
	while (start && ((unsigned char)text[start - 1] & 0xc0) == 0x80)
		start--;
	if (!start)
		return length;
	unsigned char first = (unsigned char)text[start - 1];
	size_t needed = first < 0x80 ? 1 : first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
	return length - (start - 1) < needed ? start - 1 : length;
}
