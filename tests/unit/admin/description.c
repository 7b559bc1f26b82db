#include "admin/description.h"

#include <criterion/criterion.h>

Test(description, is_the_text_of_the_tree)
{
	cr_expect(strstr(description_fdsup, "\ninterface org.fdsup\n"));
	cr_expect(strstr(description_fdsup, "# \"tcp *:110\", \"tcp [::1]:80\"\n"));
	cr_expect(strstr(description_varlink_service, "\ninterface org.varlink.service\n"));
}

Test(description, has_the_methods_that_it_declares_and_no_others)
{
	static const char text[] = "# method Comment()\ninterface a.b\nmethod One() -> ()\n"
				   "  method\tTwo (a: int) -> ()\ntype Three (a: int)\n"
				   "methodFour() -> ()\nerror Five ()";
	cr_expect(description_has_method(text, "One"));
	cr_expect(description_has_method(text, "Two"));
	static const char *const others[] = { "Comment", "Three", "Four", "Five", "On", "Ones",
		"" };
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		cr_expect_not(description_has_method(text, others[i]), "%s", others[i]);
}

Test(description, declares_every_method_of_the_design)
{
	static const char *const methods[] = { "Status", "Listeners", "Workers", "Start", "Stop",
		"Restart", "Reload" };
	for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
		cr_expect(description_has_method(description_fdsup, methods[i]), "%s", methods[i]);
	cr_expect(description_has_method(description_varlink_service, "GetInfo"));
	cr_expect(description_has_method(description_varlink_service, "GetInterfaceDescription"));
}
