#include "fixture.h"

TestSuite(show, .init = enter_folder, .fini = leave_folder, .timeout = 60);

static void append(void *context, const char *text)
{
	fputs(text, context);
}

/* What is shown of the configuration; the caller's to free. */
static char *shown(const struct config *config)
{
	char *text = NULL;
	size_t length = 0;
	FILE *out = open_memstream(&text, &length);
	config_show(config, append, out);
	fclose(out);
	return text;
}

static void assert_round_trip(const char *text)
{
	struct config *first = load_good(text);
	char *first_text = shown(first);
	struct config *second = load_good(first_text);
	char *second_text = shown(second);
	cr_expect_str_eq(first_text, second_text);
	cr_assert_eq(first->n_services, second->n_services);
	for (size_t i = 0; i < first->n_services; i++)
		cr_expect_eq(service_config_compare(first->services[i], second->services[i]),
			CHANGE_NONE, "%s", first->services[i]->name);
	free(first_text);
	free(second_text);
	config_free(first);
	config_free(second);
}

Test(show, loads_back_to_the_same_configuration)
{
	assert_round_trip("services = { };");
	assert_round_trip(EXEC(""));
	assert_round_trip(DAEMON(""));
	assert_round_trip(EXEC("limits = { nofile = \"100:200\"; cpu = \"30s:1min\"; core = 0; "
			       "data = \"65M\"; nproc = 1024; };"));
	assert_round_trip("runtime_dir = \"/tmp/\\\"x\\\\\"; acceptors = 3;\n"
			  "log = { to = \"/tmp/l\"; level = \"debug\"; };\n"
			  "admin = { control = [ \"daemon\", \"@0\" ]; status = \"*\"; };\n"
			  "defaults = { umask = \"027\"; environment = [ \"A=1\" ]; };\n"
			  "services = {\n"
			  "a = { address = [ \"127.0.0.1\", \"::1\" ]; port = \"http\"; command = "
			  "\"cat 'a \\\"b' ''\";\n"
			  " rate = \"10/s burst 50\"; give_up = \"5/90s\"; overflow = \"refuse\"; "
			  "log = [ ];\n"
			  " description = \"tab\\t, quote \\\", line\\n, \\x01 and \xc3\xa4\"; "
			  "stop_signal = 40;\n"
			  " workers = { min = 2; max = 9; }; idle_timeout = 1.5; nice = 5; enabled "
			  "= false; };\n"
			  "b = { command = [ \"/bin/sleep\", \"9\" ]; workers = { min = 3; };\n"
			  " restart_delay = \"10ms\"; environment = [ ]; pass_environment = [ "
			  "\"TZ\", \"LANG\" ]; };\n"
			  "};");
	assert_round_trip("defaults = { socket_mode = \"0666\"; socket_group = 0; };\n"
			  "services = {\n"
			  "a = { address = \"unix:/run/a\"; command = \"/bin/cat\"; socket_group = "
			  "\"root\"; };\n"
			  "b = { address = [ \"unix:@b\", \"::1\" ]; port = 9; command = \"/bin/cat\"; };\n"
			  "c = { address = \"unix:@c\"; command = \"/bin/cat\"; };\n"
			  "d = { port = 10; type = \"worker\"; command = \"/bin/cat\"; };\n"
			  "};");
	if (geteuid() == 0)
		assert_round_trip(EXEC("user = \"daemon\"; group = 12; groups = [ ];"));
}

Test(show, tells_the_value_of_every_key_one_a_line)
{
	struct config *config = load_good(EXEC(""));
	char *text = shown(config);
	static const char *const lines[] = { "\nacceptors = 1;\n", "\n\tlevel = \"info\";\n",
		"\n\t\taddress = [ \"*\" ];\n", "\n\t\tport = 7777;\n", "\n\t\ttype = \"exec\";\n",
		"\n\t\tcommand = [ \"/bin/cat\" ];\n", "\n\t\tbacklog = 4096;\n",
		"\n\t\tumask = \"0022\";\n", "\n\t\tidle_timeout = \"10s\";\n",
		"\n\t\tlog = [ \"end\", \"refuse\" ];\n", "\n\t\trate = \"none\";\n",
		"\n\t\tstop_signal = \"TERM\";\n", "\n\t\tworkers = {\n\t\t\tmin = 0;\n" };
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
		cr_expect(strstr(text, lines[i]), "%s", lines[i]);
	cr_expect_null(strstr(text, "groups = "));
	free(text);
	config_free(config);
}

Test(show, leaves_out_what_means_nothing_for_the_type)
{
	struct config *config = load_good(DAEMON(""));
	char *text = shown(config);
	static const char *const keys[] = { "address", "port", "queue", "rate", "log = [" };
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
		cr_expect_null(strstr(text, keys[i]), "%s", keys[i]);
	free(text);
	config_free(config);
}
