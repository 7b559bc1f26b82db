#include "fixture.h"

TestSuite(errors, .init = enter_folder, .fini = leave_folder, .timeout = 60);

struct wrong {
	const char *text, *path, *told;
};

static void assert_all_refused(const struct wrong *cases, size_t n)
{
	for (size_t i = 0; i < n; i++)
		assert_refused(cases[i].text, cases[i].path, cases[i].told);
}

#define ASSERT_ALL_REFUSED(cases) assert_all_refused(cases, sizeof cases / sizeof *cases)

Test(errors, name_file_line_key_and_the_key_that_was_meant)
{
	write_file("main.conf", "services = {\n rsync = {\n  adress = \"::1\"; port = 1;\n"
				"  command = \"/bin/cat\";\n };\n};");
	struct config_errors errors = load_bad_file();
	cr_assert_eq(errors.n, 1);
	cr_expect_str_eq(errors.items[0], "main.conf:3: services.rsync.adress: unknown key; "
					  "did you mean \"address\"?");
	config_errors_free(&errors);
}

Test(errors, are_all_told_in_one_run_in_the_order_of_the_lines)
{
	write_file("main.conf", "acceptors = 100;\n"
				"services = {\n"
				" a = { port = 5000000000; command = \"/bin/cat\"; };\n"
				" b = { port = 80; comand = \"/bin/cat\"; queue = \"x\"; };\n"
				" c = { port = 81; command = \"/nonexistent\"; umask = 022; };\n"
				"};\n"
				"nonsense = 1;\n");
	static const char *const expected[] = { "main.conf:1: acceptors:",
		"main.conf:3: services.a.port:", "main.conf:4: services.b.comand:",
		"main.conf:4: services.b.queue:", "main.conf:4: services.b.command:",
		"main.conf:5: services.c.umask:", "main.conf:5: services.c.command:",
		"main.conf:7: nonsense:" };
	struct config_errors errors = load_bad_file();
	cr_assert_eq(errors.n, sizeof expected / sizeof *expected);
	for (size_t i = 0; i < errors.n; i++)
		cr_expect_eq(strncmp(errors.items[i], expected[i], strlen(expected[i])), 0, "%s",
			errors.items[i]);
	config_errors_free(&errors);
}

Test(errors, of_a_user_and_its_groups_are_all_told)
{
	write_file("main.conf", EXEC("user = \"nosuch-u\"; group = \"nosuch-g\"; groups = [ \"nosuch-h\" ];"));
	struct config_errors errors = load_bad_file();
	cr_expect_eq(errors.n, 3);
	assert_error_of(&errors, "services.a.user", "no user \"nosuch-u\"", NULL);
	assert_error_of(&errors, "services.a.group", "no group \"nosuch-g\"", NULL);
	assert_error_of(&errors, "services.a.groups", "no group \"nosuch-h\"", NULL);
	config_errors_free(&errors);
}

Test(errors, of_a_service_that_is_there_twice_are_not_those_of_its_address)
{
	mkdir("d", 0755);
	write_file("d/1.conf", EXEC(""));
	write_file("d/2.conf", EXEC("address = [ \"127.0.0.1\", \"::1\" ];"));
	write_file("main.conf", "include = \"d\";");
	struct config_errors errors = load_bad_file();
	cr_expect_eq(errors.n, 1);
	assert_error_of(&errors, "d/2.conf:1: services.a:", "is declared in d/1.conf:1 as well", NULL);
	config_errors_free(&errors);
}

Test(errors, of_defaults_are_told_once)
{
	write_file("main.conf", "defaults = { user = \"nobody-has-this-name\"; };\n"
				"services = { a = { command = \"/bin/cat\"; }; b = { command = "
				"\"/bin/cat\"; }; };");
	struct config_errors errors = load_bad_file();
	cr_assert_eq(errors.n, 1);
	cr_expect(strstr(errors.items[0], "main.conf:1: defaults.user: there is no user"));
	config_errors_free(&errors);
}

Test(errors, without_end_are_cut)
{
	char *text = malloc(100000), *at = text;
	at += sprintf(at, "services = {\n");
	for (int i = 0; i < 1000; i++)
		at += sprintf(at, "wrong%d = 1;\n", i);
	sprintf(at, "};");
	write_file("main.conf", text);
	struct config_errors errors = load_bad_file();
	cr_expect_eq(errors.n, 201);
	cr_expect(strstr(errors.items[200], "errors more"), "%s", errors.items[200]);
	config_errors_free(&errors);
	free(text);
}

Test(errors, a_value_of_the_wrong_type_is_told_what_to_write)
{
	static const struct wrong cases[] = {
		{ EXEC("queue = \"5\";"), "services.a.queue",
			"write a whole number, without quotes" },
		{ EXEC("queue = 5.5;"), "services.a.queue", "this is a number with a fraction" },
		{ EXEC("queue = [ 5 ];"), "services.a.queue", "this is a list" },
		{ EXEC("nodelay = 1;"), "services.a.nodelay", "write true or false" },
		{ EXEC("nodelay = \"true\";"), "services.a.nodelay", "this is a text" },
		{ EXEC("umask = 022;"), "services.a.umask", "in quotes, as \"022\"" },
		{ EXEC("user = true;"), "services.a.user", "write a name in quotes" },
		{ EXEC("rate = 10;"), "services.a.rate", "\"10/s burst 50\"" },
		{ EXEC("idle_timeout = true;"), "services.a.idle_timeout", "write a time" },
		{ EXEC("workers = 4;"), "services.a.workers", "write a group" },
		{ EXEC("overflow = { };"), "services.a.overflow", "this is a group" },
		{ EXEC("log = [ 1, 2 ];"), "services.a.log", "a list that holds other things" },
		{ "services = { a = 5; };", "services.a", "a service is a group" },
		{ "services = [ ];", "services", "write a group" },
		{ "services = 5;", "services", "write a group" },
		{ "services = ( { } );", "services", "write a group" },
		{ "defaults = 5; services = { };", "defaults", "write a group" },
		{ "include = 5; services = { };", "include", "write a text" },
		{ "include = ( { } ); services = { };", "include", "write a text" },
	};
	ASSERT_ALL_REFUSED(cases);
}

Test(errors, a_value_out_of_range_is_told_the_range)
{
	static const struct wrong cases[] = {
		{ "services = { a = { port = 0; command = \"cat\"; }; };", "a.port",
			"from 1 to 65535" },
		{ "services = { a = { port = 65536; command = \"cat\"; }; };", "a.port", "65535" },
		{ "services = { a = { port = \"-1\"; command = \"cat\"; }; };", "a.port", "65535" },
		{ "services = { a = { port = 4294967376; command = \"cat\"; }; };",
			"main.conf:1: services.a.port", "32 bits" },
		{ EXEC("queue = 0;"), "services.a.queue", "from 1 to 16384" },
		{ EXEC("queue = 99999999999;"), "services.a.queue", "32 bits" },
		{ EXEC("nice = -21;"), "services.a.nice", "from -20 to 19" },
		{ EXEC("umask = \"1777\";"), "services.a.umask", "at most \"0777\"" },
		{ EXEC("umask = \"8\";"), "services.a.umask", "octal" },
		{ EXEC("start_timeout = \"2d\";"), "services.a.start_timeout", "to \"1d\"" },
		{ EXEC("start_timeout = -1;"), "services.a.start_timeout", "from \"100ms\"" },
		{ EXEC("stop_signal = 65;"), "services.a.stop_signal", "from 1 to 64" },
		{ EXEC("stop_signal = \"FOO\";"), "services.a.stop_signal", "\"TERM\"" },
		{ EXEC("rate = \"0/s\";"), "services.a.rate", "out of range" },
		{ EXEC("give_up = \"5/10s burst 3\";"), "services.a.give_up", "\"5/10s\"" },
		{ EXEC("overflow = \"drop\";"), "services.a.overflow",
			"\"wait\", \"refuse\", \"reset\"" },
		{ EXEC("log = [ \"all\" ];"), "services.a.log", "\"start\", \"end\", \"refuse\"" },
		{ "acceptors = 0; services = { };", "acceptors", "from 1 to 64" },
		{ "log = { level = \"loud\"; }; services = { };", "log.level", "\"debug\"" },
		{ "log = { to = \"there\"; }; services = { };", "log.to", "absolute path" },
		{ "runtime_dir = \"run\"; services = { };", "runtime_dir", "absolute" },
		{ "admin = { control = [ \"*\" ]; }; services = { };", "admin.control",
			"name users" },
		{ "admin = { status = [ \"x\", \"@nosuch-group\" ]; }; services = { };",
			"admin.status[1]", "groupadd" },
	};
	ASSERT_ALL_REFUSED(cases);
}

Test(errors, a_command_that_cannot_run_is_told_why)
{
	write_file("plain", "x");
	char relative[512];
	snprintf(relative, sizeof relative, "services = { a = { command = [ \"%s/plain\" ]; }; };",
		folder);
	assert_refused(relative, "services.a.command", "not executable; chmod +x");
	static const struct wrong cases[] = {
		{ "services = { a = { port = 1; }; };", "services.a.command",
			"is missing; add command" },
		{ "services = { a = { }; };", "services.a.command", "is missing" },
		{ "services = { a = { command = \"\"; }; };", "a.command", "the command is empty" },
		{ "services = { a = { command = [ ]; }; };", "a.command", "the command is empty" },
		{ "services = { a = { command = [ \"\" ]; }; };", "a.command",
			"the command is empty" },
		{ "services = { a = { command = \"cat 'x\"; }; };", "a.command", "quote" },
		{ "services = { a = { command = \"/no/such/program\"; }; };", "a.command",
			"No such file or directory; install it" },
		{ "services = { a = { command = \"no-such-program\"; }; };", "a.command",
			"write its whole path" },
		{ "services = { a = { command = \"bin/cat\"; }; };", "a.command", "relative" },
		{ "services = { a = { command = \"/tmp\"; }; };", "a.command", "is a folder" },
		{ "services = { a = { command = \"/dev/null\"; }; };", "a.command",
			"not a regular file" },
	};
	ASSERT_ALL_REFUSED(cases);
}

Test(errors, an_unknown_account_is_told_the_remedy)
{
	static const struct wrong cases[] = {
		{ EXEC("user = \"no-such-user\";"), "services.a.user",
			"no user \"no-such-user\"; create it" },
		{ EXEC("group = \"no-such-group\";"), "services.a.group", "groupadd" },
		{ EXEC("groups = [ \"no-such-group\" ];"), "services.a.groups", "root" },
		{ EXEC("user = \"\";"), "services.a.user", "the name is empty" },
		{ EXEC("user = 4000000000;"), "services.a.user", "32 bits" },
	};
	size_t n = sizeof cases / sizeof *cases;
	for (size_t i = 0; i < n; i++)
		if (i != 2)
			assert_refused(cases[i].text, cases[i].path, cases[i].told);
	if (geteuid() == 0)
		assert_refused(cases[2].text, cases[2].path, "groupadd");
}

Test(errors, an_address_that_cannot_be_bound_is_told_the_remedy)
{
	static const struct wrong cases[] = {
		{ EXEC("address = \"localhost\";"), "services.a.address[0]",
			"names are not looked up" },
		{ EXEC("address = [ \"::1\", \"1.2.3\" ];"), "services.a.address[1]",
			"write the address" },
		{ EXEC("address = \"127.0.0.1:80\";"), "services.a.address[0]", "holds a port" },
		{ EXEC("address = \"[::1]:80\";"), "services.a.address[0]", "holds a port" },
		{ EXEC("address = \"fe80::1\";"), "services.a.address[0]", "interface" },
		{ EXEC("address = \"fe80::1%no-such\";"), "services.a.address[0]", "interface" },
		{ EXEC("address = \"::1%lo\";"), "services.a.address[0]", "only a link-local" },
		{ EXEC("address = \"::ffff:1.2.3.4\";"), "services.a.address[0]", "as IPv4" },
		{ EXEC("address = [ ];"), "services.a.address", "the list is empty" },
		{ EXEC("address = \"\";"), "services.a.address", "empty" },
		{ EXEC("v6only = true;"), "services.a.v6only", "write address = \"::\"" },
		{ EXEC("interface = \"a/b\";"), "services.a.interface", "as ip link shows it" },
		{ EXEC("interface = \"0123456789abcdef\";"), "services.a.interface", "as ip link" },
		{ EXEC("defer_accept = \"2h\";"), "services.a.defer_accept", "" },
		{ "services = { a = { port = \"no-such-port\"; command = \"cat\"; }; };",
			"services.a.port", "/etc/services" },
		{ "services = { a = { type = \"exec\"; command = \"cat\"; }; };", "services.a.port",
			"is missing; add port" },
	};
	ASSERT_ALL_REFUSED(cases);
}

#define UDP(keys)                                                                                  \
	"services = { a = { port = 7777; protocol = \"udp\"; builtin = \"echo\"; " keys " }; };"
#define UNIX(keys)                                                                                 \
	"services = { a = { address = \"unix:/run/x\"; command = \"/bin/cat\"; " keys " }; };"
#define AT(address)                                                                                \
	"services = { a = { address = \"" address "\"; command = \"/bin/cat\"; }; };"

Test(errors, what_looks_like_a_lock_and_is_none)
{
	static const struct wrong cases[] = {
		{ UNIX("allow = [ ];"), "services.a.allow", "permissions decide; write socket_mode" },
		{ UNIX("deny = \"0.0.0.0/0\";"), "services.a.deny", "permissions decide" },
		{ UNIX("type = \"listen\"; allow = \"::1\";"), "services.a.allow", "permissions decide" },
		{ EXEC("log = \"\";"), "services.a.log", "write [ ] for none of them" },
		{ EXEC("log = \" \";"), "services.a.log", "\"start\", \"end\", \"refuse\"" },
		{ EXEC("banner = \"/etc/passwd\";"), "services.a.banner", "write the text itself" },
		{ EXEC("refuse_message = \"/etc/passwd\";"), "services.a.refuse_message",
			"the path of a file" },
	};
	ASSERT_ALL_REFUSED(cases);
	/* Where one of them does lock something, or is said for all services. */
	config_free(load_good("services = { a = { address = [ \"unix:/run/x\", \"::1\" ]; port = 7777; "
			      "command = \"/bin/cat\"; allow = [ ]; }; };"));
	config_free(load_good("services = { a = { worker_socket = \"/run/x\"; command = \"/bin/cat\"; "
			      "allow = \"::1\"; }; };"));
	struct config *config =
		load_good("defaults = { allow = \"::1\"; deny = \"10.0.0.0/8\"; }; " UNIX(""));
	cr_expect_not(config->services[0]->admission->has_allow);
	cr_expect_eq(config->services[0]->admission->n_deny, 0);
	config_free(config);
	config_free(load_good(UNIX("deny = [ ];")));
	config_free(load_good(EXEC("log = [ ]; banner = \"/no/such/file: hello\";")));
	config_free(load_good(EXEC("banner = \"/etc/passwd\\n\"; refuse_message = \"\";")));
}

Test(errors, a_backslash_before_another_letter_stays_one)
{
	struct config *config = load_good(EXEC("banner = \"a\\qb\\\\c\\r\\n\";"));
	cr_expect_str_eq(config->services[0]->admission->banner, "a\\qb\\c\r\n");
	config_free(config);
}

/* Who obeys a message must not open what was closed. */
Test(errors, keys_of_xinetd_are_told_what_does_their_work)
{
	static const struct wrong cases[] = {
		{ EXEC("only_from = \"10.0.0.0\";"), "services.a.only_from", "write allow = [" },
		{ EXEC("no_access = \"10.0.0.1\";"), "services.a.no_access", "write deny = [" },
		{ EXEC("access_times = \"8:00-18:00\";"), "services.a.access_times", "write hours = " },
		{ EXEC("per_source = 5;"), "services.a.per_source", "write max_per_source = " },
		{ EXEC("instances = 5;"), "services.a.instances", "write max_connections = " },
		{ EXEC("cps = \"25 30\";"), "services.a.cps", "write rate = " },
		{ EXEC("server = \"/bin/cat\";"), "services.a.server", "write command = [" },
		{ EXEC("server_args = \"-n\";"), "services.a.server_args", "into command = [" },
		{ EXEC("wait = true;"), "services.a.wait", "type = \"listen\" and inetd = true" },
		{ EXEC("bind = \"::1\";"), "services.a.bind", "write address = " },
		{ EXEC("flags = \"KEEPALIVE\";"), "services.a.flags", "write keepalive = true" },
		{ EXEC("socket_type = \"dgram\";"), "services.a.socket_type", "protocol = \"udp\"" },
		{ EXEC("log_on_success = \"PID\";"), "services.a.log_on_success", "write log = [" },
		{ EXEC("log_type = \"SYSLOG\";"), "services.a.log_type", "write log = {" },
		{ EXEC("disable = true;"), "services.a.disable", "write enabled = false" },
		{ EXEC("Only_From = \"10.0.0.0\";"), "services.a.Only_From", "write allow = [" },
		{ "defaults = { only_from = \"10.0.0.0\"; }; services = { };", "defaults.only_from",
			"is a key of xinetd; write allow" },
		{ "includedir = \"/etc/xinetd.d\"; services = { };", "includedir", "write include = " },
		{ EXEC("capabilities = \"none\";"), "services.a.capabilities", "write [ ]" },
		{ EXEC("capabilities = \"\";"), "services.a.capabilities", "write [ ]" },
	};
	ASSERT_ALL_REFUSED(cases);
}

Test(errors, of_unix_sockets_say_what_to_write)
{
	static const struct wrong cases[] = {
		{ AT("unix:"), "services.a.address[0]", "names no socket" },
		{ AT("unix:/"), "services.a.address[0]", "names no socket" },
		{ AT("unix:@"), "services.a.address[0]", "names no socket" },
		{ AT("unix:run/x"), "services.a.address[0]", "write \"unix:/path\"" },
		{ AT("unix:/run/x/"), "services.a.address[0]", "names no socket" },
		{ AT("unix:/run/x\\n"), "services.a.address[0]", "printable ASCII" },
		{ UNIX("port = 80;"), "services.a.port", "means nothing for a Unix socket" },
		{ UNIX("nodelay = true;"), "services.a.nodelay", "means nothing for a Unix socket" },
		{ UNIX("v6only = true;"), "services.a.v6only", "means nothing for a Unix socket" },
		{ UNIX("freebind = true;"), "services.a.freebind", "means nothing for a Unix socket" },
		{ UNIX("interface = \"lo\";"), "services.a.interface", "means nothing for a Unix socket" },
		{ UNIX("socket_mode = \"0\";"), "services.a.socket_mode", "nobody could connect" },
		{ UNIX("socket_mode = \"01666\";"), "services.a.socket_mode", "at most \"0777\"" },
		{ UNIX("socket_user = \"no-such-user\";"), "services.a.socket_user",
			"no user \"no-such-user\"" },
		{ UNIX("socket_group = \"no-such-group\";"), "services.a.socket_group",
			"no group \"no-such-group\"" },
		{ UNIX("protocol = \"udp\"; type = \"listen\";"), "services.a.protocol",
			"not datagrams" },
		{ EXEC("socket_mode = \"0660\";"), "services.a.socket_mode",
			"means nothing without an address \"unix:/path\"" },
		{ EXEC("socket_user = \"root\";"), "services.a.socket_user", "means nothing" },
		{ "services = { a = { address = \"unix:@x\"; socket_group = 0; command = \"cat\"; }; };",
			"services.a.socket_group", "means nothing" },
		{ "services = { a = { address = [ \"unix:/run/x\", \"::1\" ]; command = \"cat\"; }; };",
			"services.a.port", "is missing" },
	};
	ASSERT_ALL_REFUSED(cases);
}

/* The longest name is one that the kernel takes: of a path and of an abstract name. */
Test(errors, a_unix_address_that_is_too_long_tells_its_length)
{
	char name[109], text[256];
	for (size_t n = 107; n <= 108; n++)
		for (const char *first = "/@"; *first; first++) {
			memset(name, 'x', n);
			name[0] = *first;
			name[n] = 0;
			snprintf(text, sizeof text,
				"services = { a = { address = \"unix:%s\"; command = \"/bin/cat\"; }; };",
				name);
			if (n == 108)
				assert_refused(text, "has 108 bytes", "may have 107; shorten it");
			else
				config_free(load_good(text));
		}
}

Test(errors, a_socket_is_given_away_by_root_alone)
{
	write_file("main.conf", UNIX("socket_user = \"root\"; socket_group = 12345;"));
	drop_root();
	struct config_errors errors = load_bad_file();
	assert_error_of(&errors, "services.a.socket_user", "only root can give", NULL);
	assert_error_of(&errors, "services.a.socket_group", "only root can give", NULL);
	config_errors_free(&errors);
	regain_root();
}

Test(errors, a_key_that_means_nothing_for_the_type_is_refused)
{
	static const struct wrong cases[] = {
		{ DAEMON("type = \"daemon\"; port = 80;"), "services.a.port",
			"means nothing for type \"daemon\"" },
		{ DAEMON("queue = 5;"), "services.a.queue", "add the key port" },
		{ DAEMON("to = \"x:1\"; umask = \"022\";"), "services.a.umask",
			"means nothing for type \"redirect\"" },
		{ "services = { a = { type = \"builtin\"; command = \"cat\"; }; };",
			"services.a.command", "means nothing for type \"builtin\"" },
		{ "port = 80; services = { };", "port", "it belongs in a service" },
		{ "user = \"x\"; services = { };", "user", "in a service or in defaults" },
		{ "defaults = { port = 80; }; services = { };", "defaults.port", "in a service" },
		{ EXEC("acceptors = 2;"), "services.a.acceptors", "at the top of the main file" },
	};
	ASSERT_ALL_REFUSED(cases);
}

Test(errors, what_this_version_does_not_support_is_refused_never_ignored)
{
	static const char *const keys[] = { "spares = 2;" };
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
		char text[256];
		snprintf(text, sizeof text,
			"services = { a = { port = 7777; command = \"cat\"; %s }; };", keys[i]);
		assert_refused(
			text, "services.a.", "not supported by this version; remove the key");
	}
}

Test(errors, what_is_not_supported_is_checked_all_the_same)
{
	static const struct wrong cases[] = {
		{ EXEC("limits = { nofile = \"lots\"; };"), "services.a.limits.nofile",
			"unlimited" },
		{ EXEC("limits = { nofile = \"1K\"; };"), "services.a.limits.nofile", "1024:4096" },
		{ EXEC("limits = { nofile = 3; };"), "services.a.limits.nofile", "at least 4" },
		{ EXEC("limits = { nofile = \"20:10\"; };"), "services.a.limits.nofile",
			"write the smaller one first" },
		{ EXEC("limits = { core = \"1M:\"; };"), "services.a.limits.core", "64M:1G" },
		{ EXEC("limits = { cpu = \"500ms\"; };"), "services.a.limits.cpu", "whole number of seconds" },
		{ EXEC("limits = { cpu = \"1s:1500ms\"; };"), "services.a.limits.cpu", "whole number" },
		{ EXEC("limits = { cpu = 1.5; };"), "services.a.limits.cpu", "whole number" },
		{ EXEC("limits = { cpu = \"soon\"; };"), "services.a.limits.cpu", "30s:35s" },
		{ EXEC("limits = { cpu = \"unlimited:30s\"; };"), "services.a.limits.cpu", "above" },
		{ EXEC("limits = { nofile = \"unlimited\"; };"), "services.a.limits.nofile",
			"write at most" },
		{ EXEC("limits = { as = 1000; };"), "services.a.limits.as", "at least 1048576" },
		{ EXEC("chroot = \"etc\";"), "services.a.chroot", "absolute" },
		{ EXEC("capabilities = \"net_bind_servce\";"), "services.a.capabilities",
			"did you mean \"net_bind_service\"?" },
		{ EXEC("capabilities = [ \"CAP_CHOWN\", \"cap_everything_at_all\" ];"),
			"services.a.capabilities", "cap_everything_at_all" },
		{ EXEC("sandbox = \"strict\"; sandbox_read = \"tmp\";"), "services.a.sandbox_read",
			"whole path" },
		{ EXEC("sandbox = \"strict\"; sandbox_write = [ \"/tmp\", \"/nonexistent/x\" ];"),
			"services.a.sandbox_write[1]", "create it" },
		{ EXEC("sandbox = \"basic\"; sandbox_write = \"/tmp\";"), "services.a.sandbox_write",
			"without sandbox = \"strict\"" },
		{ EXEC("sandbox_network = true;"), "services.a.sandbox_network", "without sandbox" },
		{ EXEC("cgroup = { memory_max = 5; };"), "services.a.cgroup.memory_max", "1048576" },
		{ EXEC("cgroup = { pids_max = 0; };"), "services.a.cgroup.pids_max", "from 1" },
		{ EXEC("cgroup = { cpu_max = \"50%\"; };"), "services.a.cgroup.cpu_max", "whole number" },
		{ EXEC("cgroup = { io_max = 1; };"), "services.a.cgroup.io_max", "unknown key" },
		{ EXEC("capabilities = 5;"), "services.a.capabilities", "capabilities(7)" },
		{ EXEC("limits = { nofiles = 5; };"), "services.a.limits.nofiles",
			"limits.nofile" },
		{ EXEC("spares = -1;"), "services.a.spares", "from 0 to 1000" },
		{ EXEC("sandbox = \"steel\";"), "services.a.sandbox", "\"strict\"" },
		{ EXEC("socket_mode = 660;"), "services.a.socket_mode", "octal" },
	};
	ASSERT_ALL_REFUSED(cases);
}

#define SERVICE_AFTER(name, list) name " = { command = \"cat\"; after = " list "; };\n"

Test(errors, the_order_of_services)
{
	static const struct wrong cases[] = {
		{ EXEC("after = [ \"a\" ];"), "services.a.after", "after itself" },
		{ EXEC("after = [ \"nobody\" ];"), "services.a.after", "no service \"nobody\"" },
		{ EXEC("after = 5;"), "services.a.after", "" },
		{ "services = { " SERVICE_AFTER("mail", "[ \"databse\" ]")
				SERVICE_AFTER("database", "[ ]") " };",
			"services.mail.after", "did you mean \"database\"?" },
		{ "services = { " SERVICE_AFTER("a", "[ \"b\" ]") SERVICE_AFTER("b", "\"c\"")
				SERVICE_AFTER("c", "[ \"b\" ]") " };",
			"services.c.after", "after the next: b, c, b; remove one name" },
		{ "services = { " SERVICE_AFTER("a", "[ \"b\" ]") SERVICE_AFTER("b", "\"c\"")
				SERVICE_AFTER("c", "[ \"x\", \"a\" ]") " };",
			"services.c.after", "" },
		{ "defaults = { after = \"a\"; }; services = { " SERVICE_AFTER("a", "[ ]") " };",
			"defaults.after", "" },
	};
	ASSERT_ALL_REFUSED(cases);
}

Test(errors, who_may_connect_and_when)
{
	static const struct wrong cases[] = {
		{ EXEC("max_load = \"4\";"), "services.a.max_load", "a number" },
		{ EXEC("max_load = -1.5;"), "services.a.max_load", "from 0 to" },
		{ EXEC("hours = [ ];"), "services.a.hours", "the list is empty" },
		{ EXEC("hours = \"8-18\";"), "services.a.hours", "no time of day" },
		{ EXEC("hours = [ \"08:00-18:00\", \"noon\" ];"), "services.a.hours[1]", "08:00-18:00" },
		{ EXEC("refuse_message = \"go\"; overflow = \"reset\";"), "services.a.refuse_message",
			"overflow = \"refuse\"" },
		{ "services = { a = { type = \"listen\"; port = 1; command = \"cat\"; hours = \"1:00-2:00\"; }; };",
			"services.a.hours", "means nothing for type \"listen\"" },
	};
	ASSERT_ALL_REFUSED(cases);
}

Test(errors, a_text_that_a_client_would_have_to_read_before_it_is_all_sent)
{
	char text[6000], banner[CLIENT_TEXT_MAX + 2];
	memset(banner, 'x', sizeof banner - 1);
	banner[sizeof banner - 1] = 0;
	snprintf(text, sizeof text,
		"services = { a = { port = 7777; command = \"cat\"; banner = \"%s\"; }; };", banner);
	assert_refused(text, "services.a.banner", "4097 bytes are more than 4096");
}

/* A worker_socket of n bytes, that begins with `first`. */
static void assert_socket(size_t n, char first, const char *told)
{
	char text[512], name[256];
	memset(name, 'x', n);
	name[0] = first;
	name[n] = 0;
	snprintf(text, sizeof text,
		"services = { a = { type = \"external\"; port = 1; worker_socket = \"%s\"; }; };",
		name);
	assert_refused(text, "services.a.worker_socket", told);
}

Test(errors, a_socket_name_longer_than_its_address_says_how_long_it_may_be)
{
	assert_socket(
		108, '/', "this path has 108 bytes, and the address of a Unix socket holds 107");
	assert_socket(200, '/', "this path has 200 bytes");
	assert_socket(108, '@', "this name has 108 bytes");
	assert_socket(1, '@', "is missing");
	assert_socket(20, 'x', "neither an absolute path nor a \"@name\"");
	char text[512], path[256];
	memset(path, 'x', 120);
	path[0] = '/';
	path[120] = 0;
	snprintf(text, sizeof text, "runtime_dir = \"%s\"; services = { };", path);
	assert_refused(text, "main.conf:1: runtime_dir", "131 bytes");
	snprintf(text, sizeof text, "admin = { socket = \"%s\"; }; services = { };", path);
	assert_refused(text, "main.conf:1: admin.socket", "120 bytes");
}

Test(errors, values_that_contradict_each_other_are_refused)
{
	static const struct wrong cases[] = {
		{ EXEC("workers = { min = 3; max = 2; };"), "services.a.workers.min",
			"above workers.max" },
		{ DAEMON("workers = { min = 1; max = 2; };"), "services.a.workers.max",
			"no queue" },
		{ DAEMON("workers = { min = 0; max = 1; };"), "services.a.workers.max",
			"no queue" },
		{ DAEMON("workers = { min = 0; };"), "services.a.workers.min", "enabled = false" },
		{ EXEC("restart_delay = \"2min\";"), "services.a.restart_delay", "above" },
		{ EXEC("directory = \"/no/such/folder\";"), "services.a.directory", "create it" },
		{ EXEC("directory = \"/dev/null\";"), "services.a.directory", "not a folder" },
		{ EXEC("directory = \"tmp\";"), "services.a.directory", "absolute" },
		{ EXEC("environment = [ \"A=1\", \"B\" ];"), "services.a.environment[1]",
			"NAME=value" },
		{ EXEC("environment = [ \"A=1\", \"A=2\" ];"), "services.a.environment[1]",
			"set before" },
		{ EXEC("environment = \"1A=1\";"), "services.a.environment[0]", "NAME=value" },
		{ EXEC("pass_environment = [ \"A=1\" ];"), "services.a.pass_environment[0]",
			"without a value" },
	};
	ASSERT_ALL_REFUSED(cases);
}

Test(errors, a_name_that_cannot_be_sent_is_refused)
{
	char text[512], name[128];
	memset(name, 'n', 64);
	name[64] = 0;
	snprintf(text, sizeof text, "services = { %s = { command = \"cat\"; }; };", name);
	assert_refused(text, "main.conf:1: services.nnn", "64 bytes; at most 63");
	assert_refused(
		"services = { a*b = { command = \"cat\"; }; };", "services.a*b", "rename it");
}

Test(errors, show_control_characters_escaped)
{
	write_file("main.conf", EXEC("address = \"\x1b[31mred\x07\";"));
	struct config_errors errors = load_bad_file();
	for (size_t i = 0; i < errors.n; i++)
		for (const char *p = errors.items[i]; *p; p++)
			cr_expect_geq((unsigned char)*p, 0x20);
	assert_error_of(&errors, "\\x1b[31mred\\x07", NULL);
	config_errors_free(&errors);
}

Test(errors, a_redirect_and_a_builtin_need_their_own_key)
{
	static const struct wrong cases[] = {
		{ "services = { a = { port = 7777; type = \"redirect\"; }; };", "services.a.to", "is missing" },
		{ "services = { a = { port = 7777; to = \"host\"; }; };", "services.a.to", "is no target" },
		{ "services = { a = { port = 7777; to = \"::1:80\"; }; };", "services.a.to", "is no target" },
		{ "services = { a = { port = 7777; to = \"h:0\"; }; };", "services.a.to", "is no target" },
		{ "services = { a = { port = 7777; to = \"unix:relative\"; }; };", "services.a.to",
			"is no target" },
		{ "services = { a = { port = 7777; type = \"builtin\"; }; };", "services.a.builtin",
			"is missing" },
		{ "services = { a = { port = 7777; builtin = \"finger\"; }; };", "services.a.builtin",
			"\"echo\"" },
		{ "services = { a = { port = 7777; to = \"h:1\"; command = \"cat\"; }; };",
			"services.a.command", "means nothing" },
		{ EXEC("protocol = \"udp\";"), "services.a.protocol", "a datagram is no connection" },
		{ UDP("max_connections = 5;"), "services.a.max_connections",
			"means nothing for a builtin service that answers datagrams" },
		{ UDP("log = \"end\";"), "services.a.log", "answers datagrams" },
		{ UDP("workers = { max = 2; };"), "services.a.workers.max", "write 1" },
		{ UDP("workers = { min = 2; };"), "services.a.workers.min", "write 1" },
		{ UDP("user = \"root\";"), "services.a.user", "means nothing for type" },
		{ EXEC("ready = \"notify\";"), "services.a.ready", "means nothing" },
		{ EXEC("ready = \"fd\";"), "services.a.ready", "means nothing" },
		{ EXEC("restart = \"never\";"), "services.a.restart", "means nothing" },
	};
	ASSERT_ALL_REFUSED(cases);
}

Test(errors, builtin_services_have_only_so_many_udp_ports)
{
	char text[16384] = "services = {", *end = text + strlen(text);
	for (int i = 0; i <= BUILTIN_PORTS_MAX; i++)
		end += sprintf(end, "s%02d = { port = %d; protocol = \"udp\"; builtin = \"echo\"; };\n", i,
			2000 + i);
	strcpy(end, "low = { port = 7; protocol = \"udp\"; builtin = \"echo\"; }; };");
	const struct wrong cases[] = { { text, "services.s64.port", "more than 64 UDP ports" } };
	ASSERT_ALL_REFUSED(cases);
}
