#include "fixture.h"

TestSuite(compare, .init = enter_folder, .fini = leave_folder, .timeout = 60);

static enum config_change compare(const char *before, const char *after)
{
	struct config *old = load_good(before);
	struct config *new = load_good(after);
	enum config_change change = service_config_compare(old->services[0], new->services[0]);
	config_free(old);
	config_free(new);
	return change;
}

Test(compare, finds_nothing_where_only_the_writing_differs)
{
	cr_expect_eq(compare(EXEC(""), EXEC("")), CHANGE_NONE);
	cr_expect_eq(
		compare(EXEC(""), "\n\n" EXEC("queue = 256; overflow_wait = 10;")), CHANGE_NONE);
	cr_expect_eq(
		compare(EXEC("address = \"::1\";"), EXEC("address = [ \"0::1\" ];")), CHANGE_NONE);
	cr_expect_eq(compare(EXEC("address = [ \"::1\", \"127.0.0.1\" ];"),
			     EXEC("address = [ \"127.0.0.1\", \"::1\" ];")),
		CHANGE_NONE);
	cr_expect_eq(compare("services = { a = { port = \"http\"; command = [ \"/bin/cat\", \"-u\" "
			     "]; }; };",
			     "services = { a = { port = 80; command = \"/bin/cat  '-u'\"; }; };"),
		CHANGE_NONE);
	char with_user[256];
	snprintf(with_user, sizeof with_user,
		"services = { a = { port = 7777; command = [ \"/bin/cat\" ]; "
		"user = %u; }; };",
		(unsigned)geteuid());
	cr_expect_eq(compare(EXEC(""), with_user), CHANGE_NONE);
}

Test(compare, asks_for_no_more_than_each_change_needs)
{
	static const struct {
		const char *after;
		enum config_change change;
	} cases[] = {
		{ EXEC("max_connections = 5;"), CHANGE_APPLY },
		{ EXEC("rate = \"1/s\";"), CHANGE_APPLY },
		{ EXEC("log = [ \"start\" ];"), CHANGE_APPLY },
		{ EXEC("log_address = \"none\";"), CHANGE_APPLY },
		{ EXEC("defer_accept = 3;"), CHANGE_APPLY },
		{ EXEC("freebind = true;"), CHANGE_REBIND },
		{ EXEC("interface = \"lo\";"), CHANGE_REBIND },
		{ EXEC("stop_timeout = 1;"), CHANGE_APPLY },
		{ EXEC("description = \"x\";"), CHANGE_APPLY },
		{ EXEC("umask = \"077\";"), CHANGE_ROLL },
		{ EXEC("environment = [ \"A=1\" ];"), CHANGE_ROLL },
		{ EXEC("directory = \"/tmp\"; queue = 5;"), CHANGE_ROLL },
		{ EXEC("address = \"127.0.0.1\";"), CHANGE_REBIND },
		{ EXEC("address = \"::\";"), CHANGE_REBIND },
		{ EXEC("address = \"::\"; v6only = true; umask = \"077\";"), CHANGE_REBIND },
		{ "services = { a = { port = 7778; command = \"/bin/cat\"; }; };", CHANGE_REBIND },
		{ "services = { a = { port = 7777; command = \"/bin/cat -u\"; }; };", CHANGE_ROLL },
		{ DAEMON(""), CHANGE_REPLACE },
		{ EXEC("enabled = false;"), CHANGE_REPLACE },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		cr_expect_eq(
			compare(EXEC(""), cases[i].after), cases[i].change, "%s", cases[i].after);
		cr_expect_eq(compare(cases[i].after, EXEC("")), cases[i].change, "back from %s",
			cases[i].after);
	}
}

#define UDP(keys)                                                                                  \
	"services = { a = { port = 7777; protocol = \"udp\"; builtin = \"echo\"; " keys " }; };"

Test(compare, starts_who_answers_datagrams_anew_for_another_rate)
{
	cr_expect_eq(compare(UDP(""), UDP("")), CHANGE_NONE);
	cr_expect_eq(compare(UDP(""), UDP("rate = \"1/s\";")), CHANGE_ROLL);
	cr_expect_eq(compare(UDP(""), "defaults = { max_connections = 5; };" UDP("")), CHANGE_NONE);
	cr_expect_eq(compare(UDP(""), "services = { a = { port = 7777; builtin = \"echo\"; }; };"),
		CHANGE_REPLACE);
}

#define UNIX(keys)                                                                                 \
	"services = { a = { address = \"unix:/run/x\"; command = \"/bin/cat\"; " keys " }; };"

Test(compare, tells_unix_sockets_apart_by_their_names)
{
	static const struct {
		const char *after;
		enum config_change change;
	} cases[] = {
		{ UNIX(""), CHANGE_NONE },
		{ UNIX("socket_mode = \"0600\";"), CHANGE_NONE },
		{ UNIX("socket_mode = \"0666\";"), CHANGE_APPLY },
		{ "services = { a = { address = \"unix:/run/y\"; command = \"/bin/cat\"; }; };",
			CHANGE_REBIND },
		{ "services = { a = { address = \"unix:@x\"; command = \"/bin/cat\"; }; };",
			CHANGE_REBIND },
		{ EXEC(""), CHANGE_REBIND },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		cr_expect_eq(
			compare(UNIX(""), cases[i].after), cases[i].change, "%s", cases[i].after);
	char owned[256];
	snprintf(owned, sizeof owned, UNIX("socket_user = %u; socket_group = %u;"), geteuid(),
		getegid());
	cr_expect_eq(compare(UNIX(""), owned), CHANGE_NONE);
	if (geteuid() == 0) {
		cr_expect_eq(compare(UNIX(""), UNIX("socket_user = 12345;")), CHANGE_APPLY);
		cr_expect_eq(compare(UNIX("socket_group = 5;"), UNIX("")), CHANGE_APPLY);
	}
}

Test(compare, sees_that_an_account_changed_behind_its_name)
{
	struct config *old = load_good(EXEC(""));
	struct config *new = load_good(EXEC(""));
	new->services[0]->account->gid++;
	cr_expect_eq(service_config_compare(old->services[0], new->services[0]), CHANGE_ROLL);
	config_free(old);
	config_free(new);
}
