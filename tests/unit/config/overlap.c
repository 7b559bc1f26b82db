#include "fixture.h"


TestSuite(overlap, .init = enter_folder, .fini = leave_folder, .timeout = 60);

/* Two services on one port with these keys; whether the second one is refused. */
static bool overlaps(const char *one, const char *two)
{
	char text[512];
	struct config *config = NULL;
	struct config_errors errors;
	snprintf(text, sizeof text,
		"services = {\n"
		"a = { port = 99; command = \"/bin/cat\"; %s };\n"
		"b = { port = 99; command = \"/bin/cat\"; %s };\n};",
		one, two);
	write_file("main.conf", text);
	int r = config_load("main.conf", &config, &errors);
	if (r == 0) {
		config_free(config);
	} else {
		cr_expect_eq(errors.n, 1);
		assert_error_of(&errors, "services.a", "services.b", "main.conf:2", "main.conf:3",
			"another port or address", NULL);
	}
	config_errors_free(&errors);
	return r != 0;
}

Test(overlap, of_two_services_names_both)
{
	static const struct {
		const char *one, *two;
		bool is_overlap;
	} cases[] = {
		{ "", "", true },
		{ "", "address = \"127.0.0.1\";", true },
		{ "interface = \"lo\";", "interface = \"eth0\";", false },
		{ "interface = \"lo\";", "interface = \"lo\";", true },
		{ "", "address = \"::1\";", true },
		{ "", "address = \"0.0.0.0\";", true },
		{ "", "address = \"::\";", true },
		{ "address = \"0.0.0.0\";", "address = \"192.0.2.1\";", true },
		{ "address = \"0.0.0.0\";", "address = \"::1\";", false },
		{ "address = \"0.0.0.0\";", "address = \"::\";", true },
		{ "address = \"0.0.0.0\";", "address = \"::\"; v6only = true;", false },
		{ "address = \"::\"; v6only = true;", "address = \"::1\";", true },
		{ "address = \"::\"; v6only = true;", "address = \"127.0.0.1\";", false },
		{ "address = \"::\";", "address = \"127.0.0.1\";", true },
		{ "address = \"127.0.0.1\";", "address = \"127.0.0.1\";", true },
		{ "address = \"127.0.0.1\";", "address = \"127.0.0.2\";", false },
		{ "address = \"127.0.0.1\";", "address = \"::1\";", false },
		{ "address = \"::1\";", "address = [ \"192.0.2.1\", \"0:0::1\" ];", true },
		{ "", "enabled = false;", false },
		{ "enabled = false;", "enabled = false;", false },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		cr_expect_eq(overlaps(cases[i].one, cases[i].two), cases[i].is_overlap,
			"\"%s\" and \"%s\"", cases[i].one, cases[i].two);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		cr_expect_eq(overlaps(cases[i].two, cases[i].one), cases[i].is_overlap,
			"\"%s\" and \"%s\"", cases[i].two, cases[i].one);
}

Test(overlap, sees_through_the_name_of_a_port)
{
	assert_refused("services = { a = { port = \"http\"; command = \"cat\"; };\n"
		       "b = { port = 80; command = \"cat\"; }; };",
		"port 80 is taken by services.", "main.conf:");
}

Test(overlap, within_one_service_is_refused)
{
	assert_refused(EXEC("address = [ \"127.0.0.1\", \"127.0.0.1\" ];"), "services.a.port",
		"overlap; remove one");
	assert_refused(EXEC("address = [ \"*\", \"127.0.0.1\" ];"), "services.a.port", "overlap");
}

Test(overlap, among_two_thousand_on_one_port_is_found)
{
	char *text = malloc(400000), *at = text;
	at += sprintf(at, "services = {\n");
	for (int i = 0; i < 2000; i++)
		at += sprintf(at,
			"s%d = { port = 9; address = \"127.0.%d.%d\"; command = [ \"/bin/cat\" ]; "
			"};\n",
			i, i / 200, i % 200 + 1);
	sprintf(at, "z = { port = 9; address = \"127.0.3.7\"; command = [ \"/bin/cat\" ]; }; };\n");
	write_file("main.conf", text);
	struct config_errors errors = load_bad_file();
	cr_expect_eq(errors.n, 1);
	assert_error_of(&errors, "services.z", "services.s606", NULL);
	config_errors_free(&errors);
	free(text);
}

Test(overlap, of_unix_sockets_names_both)
{
	assert_refused("services = {\n"
		       "a = { address = \"unix:/run/x\"; command = \"/bin/cat\"; };\n"
		       "b = { address = [ \"unix:/run/y\", \"unix:/run/x\" ]; command = \"/bin/cat\"; };\n"
		       "};",
		"main.conf:3: services.b.address: \"unix:/run/x\" is taken by services.a",
		"another address");
	assert_refused("services = { a = { address = [ \"unix:@x\", \"unix:@x\" ]; "
		       "command = \"/bin/cat\"; }; };",
		"services.a.address", "overlap; remove one");
	config_free(load_good("services = {\n"
			      "a = { address = [ \"unix:/run/x\", \"unix:@x\" ]; command = \"/bin/cat\"; };\n"
			      "b = { address = \"unix:/run/xy\"; command = \"/bin/cat\"; };\n"
			      "c = { address = \"unix:/run/x\"; command = \"/bin/cat\"; enabled = false; };\n"
			      "};"));
}
