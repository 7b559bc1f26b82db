#include <criterion/criterion.h>
#include <string.h>

#include "admin/description.h"
#include "admin/server.h"
#include "supervisor/verbs/verbs.h"

Test(verbs, each_stands_in_the_description_that_clients_are_given)
{
	cr_assert_gt(verbs_table_n, 0);
	for (size_t i = 0; i < verbs_table_n; i++)
		cr_expect(description_has_method(description_fdsup, verbs_table[i].method), "%s",
			verbs_table[i].method);
}

Test(verbs, the_description_promises_no_other)
{
	size_t n = 0;
	for (const char *p = description_fdsup; (p = strstr(p, "\nmethod ")); p++)
		n++;
	cr_expect_eq(n, verbs_table_n);
}

Test(verbs, whatever_changes_something_needs_the_control_role)
{
	static const char *const reading[] = { "Status", "Listeners", "Workers", "Connections", "Logs", "Events",
		"Wait", "Deaths", "Explain" };
	for (size_t i = 0; i < verbs_table_n; i++) {
		const char *method = verbs_table[i].method;
		bool does_read = false;
		for (size_t k = 0; k < sizeof reading / sizeof *reading; k++)
			does_read = does_read || !strcmp(method, reading[k]);
		cr_expect_eq(verbs_table[i].needs, does_read ? ADMIN_ROLE_STATUS : ADMIN_ROLE_CONTROL, "%s",
			method);
	}
}
