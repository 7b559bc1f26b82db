#include "base/put.h"

#include <stddef.h>
#include <string.h>

char *put_text(char *p, const char *text)
{
	size_t length = strlen(text);
	memcpy(p, text, length);
	return p + length;
}

char *put_decimal(char *p, uint64_t number)
{
	char digits[PUT_DECIMAL_SIZE];
	size_t n = 0;
	do
		digits[n++] = (char)('0' + number % 10);
	while (number /= 10);
	while (n > 0)
		*p++ = digits[--n];
	return p;
}

char *put_signed(char *p, int64_t number)
{
	if (number < 0)
		*p++ = '-';
	return put_decimal(p, number < 0 ? -(uint64_t)number : (uint64_t)number);
}

char *put_hex(char *p, uint64_t number)
{
	for (int i = PUT_HEX_SIZE - 1; i >= 0; i--, number >>= 4)
		p[i] = "0123456789abcdef"[number & 15];
	return p + PUT_HEX_SIZE;
}
