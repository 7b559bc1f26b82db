#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>
#include <sys/resource.h>

#include "base/shortage.h"

/* High enough for all that the test does itself. */
static void set_limit(__rlimit_resource_t resource)
{
	const struct rlimit limit = { (rlim_t)1 << 50, RLIM_INFINITY };
	cr_assert_eq(setrlimit(resource, &limit), 0);
}

Test(shortage, other_errors_are_what_they_are)
{
	cr_expect_str_eq(shortage_explain(EACCES), strerror(EACCES));
}

Test(shortage, a_limit_that_is_known_to_be_too_little_is_named_alone)
{
	cr_expect_str_eq(shortage_explain_limit(ENOMEM, "limits.as", 1 << 20),
		"Cannot allocate memory (limits.as is 1.0M: raise it)");
	cr_expect_str_eq(shortage_explain_limit(ENOMEM, "limits.as", 0), shortage_explain(ENOMEM));
	cr_expect_str_eq(shortage_explain_limit(EACCES, "limits.as", 1), strerror(EACCES));
}

Test(shortage, limits_that_are_set_are_named_with_what_raises_them)
{
	cr_expect_eq(strstr(shortage_explain(ENOMEM), "Cannot allocate memory ("), shortage_explain(ENOMEM));
	cr_expect_null(strstr(shortage_explain(ENOMEM), "RLIMIT_DATA"));
	set_limit(RLIMIT_DATA);
	cr_expect(strstr(shortage_explain(ENOMEM), "RLIMIT_DATA is "), "%s", shortage_explain(ENOMEM));
	cr_expect(strstr(shortage_explain(ENOMEM), "ulimit -d, LimitDATA"));
	cr_expect_null(strstr(shortage_explain(ENOMEM), "no limit is set"));
	set_limit(RLIMIT_AS);
	cr_expect(strstr(shortage_explain(ENOMEM), "RLIMIT_AS is "), "%s", shortage_explain(ENOMEM));
	cr_expect(strstr(shortage_explain(ENOMEM), "RLIMIT_DATA is "));
}
