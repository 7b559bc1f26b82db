/*
 * Text that is written many thousand times a second, piece by piece. With printf a line about a
 * connection takes longer than all else that its acceptor does for it.
 *
 * Each writes at `p`, where the caller has room, without a zero behind it, and returns the end.
 */
#ifndef FDSUP_BASE_PUT_H
#define FDSUP_BASE_PUT_H

#include <stdint.h>

enum { PUT_DECIMAL_SIZE = 20, PUT_HEX_SIZE = 16 };

char *put_text(char *p, const char *text);
char *put_decimal(char *p, uint64_t number);
char *put_signed(char *p, int64_t number);
char *put_hex(char *p, uint64_t number); /* always 16 digits */

#endif
