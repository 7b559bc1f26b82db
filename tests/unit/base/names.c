#include "base/names.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <string.h>

Test(names, signals_have_the_names_of_the_c_library)
{
	for (int number = 1; number < 32; number++)
		cr_expect_str_eq(signal_name(number), sigabbrev_np(number));
}

Test(names, errors_have_the_names_of_the_c_library_or_none)
{
	unsigned n = 0;
	for (int number = 1; number < 200; number++) {
		if (!error_name(number))
			continue;
		n++;
		cr_expect_str_eq(error_name(number), strerrorname_np(number));
	}
	cr_expect_gt(n, 70);
	cr_expect_str_eq(error_name(ENOENT), "ENOENT");
	cr_expect_str_eq(error_name(EADDRINUSE), "EADDRINUSE");
}

Test(names, what_is_none_has_no_name)
{
	for (int number = -1; number <= 0; number++) {
		cr_expect_null(signal_name(number));
		cr_expect_null(error_name(number));
	}
	cr_expect_null(signal_name(SIGRTMIN));
	cr_expect_null(error_name(100000));
}
