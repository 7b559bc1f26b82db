/* How a sandbox is told. */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "wire/confinement.h"

static char text[CONFINEMENT_TEXT_SIZE];

Test(confinement, names_what_is_in_force)
{
	struct confinement all = { CONFINEMENT_ACTIVE, 7, CONFINEMENT_ACTIVE, CONFINEMENT_ACTIVE };
	cr_expect_str_eq(confinement_format(text, &all),
		"seccomp, landlock 7, no capabilities, no new privileges");
	cr_expect_str_empty(confinement_format_missing(text, &all));
}

Test(confinement, names_what_is_missing_and_why)
{
	struct confinement some = { CONFINEMENT_LEFT_OUT, -ENOSYS, CONFINEMENT_ACTIVE, -EINVAL };
	cr_expect_str_eq(confinement_format(text, &some), "no capabilities");
	cr_expect_str_eq(confinement_format_missing(text, &some),
		"seccomp (left out for a debugging tool), landlock (Function not implemented), no new "
		"privileges (Invalid argument)");
}

/* It came over a socket. */
Test(confinement, has_room_for_every_number)
{
	struct confinement odd = { INT32_MIN + 1, INT32_MIN + 1, INT32_MIN + 1, INT32_MIN + 1 };
	cr_expect_str_empty(confinement_format(text, &odd));
	cr_expect_gt(strlen(confinement_format_missing(text, &odd)), 0);
	odd.landlock = INT32_MAX;
	cr_expect_str_eq(confinement_format(text, &odd), "landlock 2147483647");
}
