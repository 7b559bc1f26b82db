#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/put.h"

static const uint64_t numbers[] = { 0, 1, 9, 10, 99, 100, 65535, 4294967295u, 4294967296u,
	999999999999u, INT64_MAX, (uint64_t)INT64_MAX + 1, UINT64_MAX };

Test(put, numbers_are_what_printf_makes_of_them)
{
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
		char text[64], expected[64];
		*put_decimal(text, numbers[i]) = 0;
		snprintf(expected, sizeof expected, "%" PRIu64, numbers[i]);
		cr_expect_str_eq(text, expected);
		*put_signed(text, (int64_t)numbers[i]) = 0;
		snprintf(expected, sizeof expected, "%" PRId64, (int64_t)numbers[i]);
		cr_expect_str_eq(text, expected);
		*put_signed(text, -(int64_t)(numbers[i] & INT64_MAX)) = 0;
		snprintf(expected, sizeof expected, "%" PRId64, -(int64_t)(numbers[i] & INT64_MAX));
		cr_expect_str_eq(text, expected);
		*put_hex(text, numbers[i]) = 0;
		snprintf(expected, sizeof expected, "%016" PRIx64, numbers[i]);
		cr_expect_str_eq(text, expected);
	}
}

Test(put, nothing_is_written_behind_the_end)
{
	char text[8] = "1234567";
	cr_expect_eq(put_text(text, "ab"), text + 2);
	cr_expect_str_eq(text, "ab34567");
	cr_expect_eq(put_decimal(text, 78), text + 2);
	cr_expect_str_eq(text, "7834567");
}
