#include "fixture.h"

#include <netinet/in.h>
#include <signal.h>
#include <syslog.h>

TestSuite(load, .init = enter_folder, .fini = leave_folder, .timeout = 60);

Test(load, a_short_service_gets_every_default)
{
	struct config *config = load_good("services = { hello = { port = 8080; "
					  "command = [ \"/bin/cat\" ]; }; };");
	cr_assert_eq(config->n_services, 1);
	const struct service_config *hello = config->services[0];
	cr_expect_str_eq(hello->name, "hello");
	cr_expect_str_eq(hello->file, "main.conf");
	cr_expect_eq(hello->line, 1);
	cr_expect_eq(hello->type, SERVICE_EXEC);
	cr_expect(hello->is_enabled);
	cr_assert_eq(hello->n_listen, 1);
	cr_expect_eq(hello->listen[0].address.family, AF_INET6);
	cr_expect_eq(hello->listen[0].address.port, 8080);
	cr_expect(hello->listen[0].is_both_families);
	cr_expect_eq(hello->sockets->backlog, 4096);
	cr_expect_not(hello->sockets->is_v6only || hello->sockets->has_nodelay ||
		      hello->sockets->has_keepalive);
	cr_expect_str_eq(hello->command_path, "/bin/cat");
	cr_expect_null(hello->written->user);
	cr_expect_eq(hello->account->uid, geteuid());
	cr_expect_eq(hello->surroundings->umask, 022);
	cr_expect_str_eq(hello->surroundings->directory, "/");
	cr_expect_eq(hello->surroundings->stderr_target, STDERR_LOG);
	cr_expect_eq(hello->supervision->workers_min, 0);
	cr_expect(hello->supervision->workers_max >= 1 && hello->supervision->workers_max <= 16);
	cr_expect_eq(hello->supervision->idle_timeout, 10000);
	cr_expect_eq(hello->supervision->queue, 256);
	cr_expect_eq(hello->admission->max_connections, 256);
	cr_expect_eq(hello->admission->max_per_source, 0);
	cr_expect_eq(hello->admission->rate.count, 0);
	cr_expect_eq(hello->admission->overflow, OVERFLOW_WAIT);
	cr_expect_eq(hello->admission->overflow_wait, 10000);
	cr_expect_eq(hello->supervision->restart, RESTART_ALWAYS);
	cr_expect_eq(hello->supervision->restart_delay, 200);
	cr_expect_eq(hello->supervision->restart_delay_max, 60000);
	cr_expect_eq(hello->supervision->start_timeout, 30000);
	cr_expect_eq(hello->supervision->stop_timeout, 10000);
	cr_expect_eq(hello->supervision->stop_signal, SIGTERM);
	cr_expect_eq(hello->supervision->give_up.count, 0);
	cr_expect_eq(hello->supervision->log_events, LOG_EVENT_END | LOG_EVENT_REFUSE);
	config_free(config);
}

Test(load, every_supported_key_reaches_its_field)
{
	struct config *config = load_good(
		"services = { a = { address = [ \"127.0.0.1\", \"[::1]\" ]; port = \"7070\";\n"
		"protocol = \"tcp\"; backlog = 5; v6only = true; nodelay = true; keepalive = "
		"true;\n"
		"freebind = true; defer_accept = \"1500ms\"; interface = \"tun0\";\n"
		"type = \"exec\"; command = \"cat -u 'a b'\"; enabled = false; description = "
		"\"d\";\n"
		"umask = \"077\"; nice = 3; directory = \"/tmp\"; environment = [ \"A=1\" ];\n"
		"pass_environment = \"TZ\"; stderr = \"null\"; workers = { min = 2; max = 5; };\n"
		"idle_timeout = 2.5; queue = 9; max_connections = 8; max_per_source = 7;\n"
		"rate = \"10/s burst 20\"; rate_per_source = \"1/min\"; overflow = \"reset\";\n"
		"overflow_wait = \"500ms\"; restart_delay = 1;\n"
		"restart_delay_max = \"2min\"; start_timeout = \"3s\"; stop_timeout = 0;\n"
		"stop_signal = \"sigint\"; give_up = \"5/10s\"; log_address = "
		"\"prefix\";\n"
		"log = [ \"start\" ]; }; };");
	const struct service_config *a = config->services[0];
	cr_assert_eq(a->n_listen, 2);
	cr_expect_eq(a->listen[0].address.family, AF_INET);
	cr_expect_eq(a->listen[1].address.family, AF_INET6);
	cr_expect_not(a->listen[1].is_both_families);
	cr_expect_eq(a->listen[1].address.port, 7070);
	cr_expect_eq(a->sockets->backlog, 5);
	cr_expect(a->sockets->is_v6only && a->sockets->has_nodelay && a->sockets->has_keepalive &&
		  a->sockets->has_freebind);
	cr_expect_eq(a->sockets->defer_accept, 1500);
	cr_expect_str_eq(a->sockets->interface, "tun0");
	cr_assert_eq(a->command.n, 3);
	cr_expect_str_eq(a->command.items[2], "a b");
	cr_expect_str_eq(a->command_path + strlen(a->command_path) - 4, "/cat");
	cr_expect_not(a->is_enabled);
	cr_expect_eq(a->supervision->log_address, LOG_ADDRESS_PREFIX);
	cr_expect_str_eq(a->description, "d");
	cr_expect_eq(a->surroundings->umask, 077);
	cr_expect_eq(a->surroundings->nice, 3);
	cr_expect_str_eq(a->surroundings->directory, "/tmp");
	cr_expect_str_eq(a->surroundings->environment.items[0], "A=1");
	cr_expect_str_eq(a->surroundings->pass_environment.items[0], "TZ");
	cr_expect_eq(a->surroundings->stderr_target, STDERR_NULL);
	cr_expect_eq(a->supervision->workers_min, 2);
	cr_expect_eq(a->supervision->workers_max, 5);
	cr_expect_eq(a->supervision->idle_timeout, 2500);
	cr_expect_eq(a->supervision->queue, 9);
	cr_expect_eq(a->admission->max_connections, 8);
	cr_expect_eq(a->admission->max_per_source, 7);
	cr_expect_eq(a->admission->rate.burst, 20);
	cr_expect_eq(a->admission->rate_per_source.per_ms, 60000);
	cr_expect_eq(a->admission->overflow, OVERFLOW_RESET);
	cr_expect_eq(a->admission->overflow_wait, 500);
	cr_expect_eq(a->supervision->restart_delay, 1000);
	cr_expect_eq(a->supervision->restart_delay_max, 120000);
	cr_expect_eq(a->supervision->start_timeout, 3000);
	cr_expect_eq(a->supervision->stop_timeout, 0);
	cr_expect_eq(a->supervision->stop_signal, SIGINT);
	cr_expect_eq(a->supervision->give_up.count, 5);
	cr_expect_eq(a->supervision->log_events, LOG_EVENT_START);
	config_free(config);
}

Test(load, a_command_without_a_port_is_a_daemon)
{
	struct config *config =
		load_good("services = { one = { command = \"/bin/sleep 9\"; };\n"
			  "three = { command = \"/bin/sleep 9\"; workers = { min = 3; }; }; };");
	cr_expect_eq(config->services[0]->type, SERVICE_DAEMON);
	cr_expect_eq(config->services[0]->supervision->workers_min, 1);
	cr_expect_eq(config->services[0]->supervision->workers_max, 1);
	cr_expect_eq(config->services[0]->n_listen, 0);
	cr_expect_eq(config->services[1]->supervision->workers_min, 3);
	cr_expect_eq(config->services[1]->supervision->workers_max, 3);
	config_free(config);
}

Test(load, defaults_hold_where_a_service_says_nothing_wherever_they_stand)
{
	struct config *config =
		load_good("services = {\n"
			  " b = { port = 1; command = \"/bin/cat\"; };\n"
			  " a = { port = 2; command = \"/bin/cat\"; queue = 3; log = [ ]; };\n"
			  " d = { command = \"/bin/cat\"; };\n"
			  "};\n"
			  "defaults = { queue = 77; umask = \"027\"; address = \"127.0.0.1\"; log "
			  "= \"start\";\n"
			  " workers = { min = 2; max = 2; }; };");
	cr_assert_eq(config->n_services, 3);
	cr_expect_str_eq(config->services[0]->name, "a");
	cr_expect_eq(config->services[0]->supervision->queue, 3);
	cr_expect_eq(config->services[0]->supervision->log_events, 0);
	cr_expect_eq(config->services[1]->supervision->queue, 77);
	cr_expect_eq(config->services[1]->surroundings->umask, 027);
	cr_expect_eq(config->services[1]->supervision->log_events, LOG_EVENT_START);
	cr_expect_eq(config->services[1]->supervision->workers_min, 2);
	cr_expect_eq(config->services[1]->listen[0].address.family, AF_INET);
	/* What means nothing for a daemon is not held against it. */
	cr_expect_eq(config->services[2]->type, SERVICE_DAEMON);
	cr_expect_eq(config->services[2]->n_listen, 0);
	cr_expect_eq(config->services[2]->surroundings->umask, 027);
	config_free(config);
}

Test(load, globals_reach_their_fields)
{
	struct config *config = load_good("runtime_dir = \"/tmp/x\"; acceptors = 3; log = { to = "
					  "\"file:/tmp/l\"; level = \"debug\"; };\n"
					  "admin = { socket = \"/tmp/s\"; control = [ \"daemon\", "
					  "\"@0\" ]; status = [ \"*\" ]; };\n"
					  "services = { };");
	cr_expect_str_eq(config->runtime_dir, "/tmp/x");
	cr_expect_eq(config->n_acceptors, 3);
	cr_expect_eq(config->log_target, LOG_TO_FILE);
	cr_expect_str_eq(config->log_file, "/tmp/l");
	cr_expect_eq(config->log_level, LOG_DEBUG);
	cr_expect_str_eq(config->admin_socket, "/tmp/s");
	cr_expect_eq(config->control_uids[0], 0);
	cr_expect_eq(config->n_control_gids, 1);
	cr_expect_eq(config->control_gids[0], 0);
	cr_expect(config->is_status_public);
	/* Who may control may look. */
	cr_expect_eq(config->n_status_uids, config->n_control_uids);
	config_free(config);
}

Test(load, globals_have_defaults)
{
	struct config *config = load_good("services = { };");
	cr_expect_eq(config->n_acceptors, 1);
	cr_expect_eq(config->log_target, LOG_TO_STDERR);
	cr_expect_eq(config->log_level, LOG_INFO);
	cr_expect_not(config->is_status_public);
	char expected[256];
	snprintf(expected, sizeof expected, "%s/admin.sock", config->runtime_dir);
	cr_expect_str_eq(config->admin_socket, expected);
	if (geteuid() == 0) {
		cr_expect_str_eq(config->runtime_dir, "/run/fdsup");
		cr_expect_neq(config->acceptor_account.uid, 0);
	} else {
		cr_expect_eq(config->acceptor_account.uid, geteuid());
	}
	config_free(config);
}

Test(load, without_root_it_lives_below_the_users_runtime_directory)
{
	write_file("main.conf", "services = { };");
	drop_root();
	setenv("XDG_RUNTIME_DIR", "/tmp/run-user", 1);
	struct config *config = load_good_file();
	cr_expect_str_eq(config->runtime_dir, "/tmp/run-user/fdsup");
	cr_expect_eq(config->acceptor_account.uid, geteuid());
	config_free(config);
	unsetenv("XDG_RUNTIME_DIR");
	struct config_errors errors = load_bad_file();
	assert_error_of(&errors, "runtime_dir", "XDG_RUNTIME_DIR", "add runtime_dir", NULL);
	config_errors_free(&errors);
	regain_root();
}

Test(load, without_root_no_other_user_is_possible)
{
	write_file("main.conf", "services = {\n"
				" a = { command = \"/bin/cat\"; user = \"root\"; };\n"
				" b = { command = \"/bin/cat\"; groups = [ \"root\" ]; };\n"
				" c = { command = \"/bin/cat\"; group = \"root\"; };\n"
				" d = { command = \"/bin/cat\"; nice = -5; };\n};");
	drop_root();
	setenv("XDG_RUNTIME_DIR", "/tmp", 1);
	struct config_errors errors = load_bad_file();
	assert_error_of(&errors, "main.conf:2: services.a.user:", "start fdsup as root", NULL);
	assert_error_of(&errors, "main.conf:3: services.b.groups:", "start fdsup as root", NULL);
	assert_error_of(&errors, "main.conf:4: services.c.group:", "start fdsup as root", NULL);
	assert_error_of(&errors, "main.conf:5: services.d.nice:", "start fdsup as root", NULL);
	config_errors_free(&errors);
	regain_root();
}

Test(load, a_service_can_be_taken_out)
{
	struct config *config = load_good("services = { a = { command = \"/bin/cat\"; };\n"
					  "b = { command = \"/bin/cat\"; };\n"
					  "c = { command = \"/bin/cat\"; }; };");
	struct service_config *b = config_take_service(config, "b");
	cr_assert(b);
	cr_expect_str_eq(b->name, "b");
	cr_expect_eq(config->n_services, 2);
	cr_expect_null(config_take_service(config, "b"));
	cr_expect_null(config_take_service(config, ""));
	config_free(config);
	cr_expect_str_eq(b->command.items[0], "/bin/cat");
	service_config_free(b);
}

Test(load, hundreds_of_services_load_in_pieces_with_their_lines)
{
	char *text = malloc(100000), *at = text;
	at += sprintf(at, "services = {\n");
	for (int i = 0; i < 500; i++)
		at += sprintf(at,
			"s%03d = { port = %d;\n command = [ \"/bin/cat\" ]; queue = %d; };\n", i,
			10000 + i, i + 1);
	sprintf(at, "};\nacceptors = 2;\n");
	struct config *config = load_good(text);
	cr_assert_eq(config->n_services, 500);
	cr_expect_eq(config->n_acceptors, 2);
	for (unsigned i = 0; i < 500; i++) {
		cr_expect_eq(config->services[i]->line, 2 + 2 * i);
		cr_expect_eq(config->services[i]->supervision->queue, i + 1);
		cr_expect_eq(config->services[i]->listen[0].address.port, 10000 + i);
	}
	config_free(config);
	sprintf(at, "};\nacceptrs = 2;\n");
	char *wrong = strstr(text, "queue = 400;");
	memcpy(wrong, "queve", 5);
	write_file("main.conf", text);
	struct config_errors errors = load_bad_file();
	cr_expect_eq(errors.n, 2);
	cr_expect(strstr(errors.items[0], "main.conf:801: services.s399.queve: unknown key"));
	cr_expect(strstr(errors.items[1], "main.conf:1003: acceptrs: unknown key"));
	config_errors_free(&errors);
	free(text);
}

Test(load, a_worker_that_stays_has_keys_of_its_own)
{
	struct config *config = load_good(
		"services = { a = { port = 7070; type = \"worker\"; command = \"cat\";\n"
		"restart = \"on-failure\"; ready = \"notify\"; watchdog = \"5s\"; max_age = \"1h\";\n"
		"max_rss = \"200M\";\n"
		"connections_per_worker = 50; workers = { max = 4; }; }; };");
	const struct service_config *a = config->services[0];
	cr_expect_eq(a->type, SERVICE_WORKER);
	cr_expect_eq(a->supervision->restart, RESTART_ON_FAILURE);
	cr_expect_eq(a->supervision->ready, READY_NOTIFY);
	cr_expect_eq(a->supervision->watchdog, 5000);
	cr_expect_eq(a->supervision->max_age, 3600000);
	cr_expect_eq(a->supervision->max_rss, 200 << 20);
	cr_expect_eq(a->supervision->connections_per_worker, 50);
	cr_expect_eq(a->supervision->workers_min, 1);
	cr_expect_eq(a->supervision->workers_max, 4);
	config_free(config);
}

Test(load, drain_timeout_is_five_minutes_and_does_not_hold_for_sessions_unless_it_is_set)
{
	struct config *config = load_good("services = {"
		" a = { port = 1; command = \"/bin/true\"; };"
		" b = { port = 2; command = \"/bin/true\"; drain_timeout = \"2s\"; };"
		" c = { command = \"/bin/true\"; }; };");
	cr_expect_eq(config->services[0]->supervision->drain_timeout, 300000);
	cr_expect(!config->services[0]->supervision->has_drain_timeout);
	cr_expect_eq(config->services[1]->supervision->drain_timeout, 2000);
	cr_expect(config->services[1]->supervision->has_drain_timeout);
	cr_expect_eq(config->services[2]->supervision->drain_timeout, 300000);
	config_free(config);
}
