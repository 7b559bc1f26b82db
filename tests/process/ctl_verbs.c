/* The verbs of fdsupctl other than status, and its command line. */
#include "ctl_fixture.h"
#include "ctl/options.h"

TestSuite(ctl_verbs, .init = make_directory, .fini = remove_directory, .timeout = 120);

#define LISTENERS                                                                                  \
	"{'Listeners':{'parameters':{'listeners':["                                                \
	"{'service':'web','protocol':'tcp','local':'*:80','accept_queue':3,"                       \
	"'backlog':511,'paused':['max_connections','rate'],'acceptor':1},"                         \
	"{'service':'web','protocol':'tcp','local':'[2001:db8:1:2:3:4:5:6]:80',"                   \
	"'accept_queue':0,'backlog':511,'paused':[],'acceptor':1},"                                \
	"{'service':'tftp','protocol':'udp','local':'127.0.0.1:69',"                               \
	"'accept_queue':null,'backlog':null,'paused':[],'acceptor':2}]}}}"

Test(ctl_verbs, listeners_begin_with_the_columns_of_netstat)
{
	start_daemon(LISTENERS);
	struct run *run = run_ctl("listeners");
	cr_expect_eq(run->code, 0);
	/* clang-format off */
	cr_expect_str_eq(run->out,
		"Proto  Recv-Q  Send-Q  Local Address              Foreign Address  State   Service  Drops  Queue  Oldest  Paused                 Acceptor\n"
		"tcp         3     511  *:80                       *:*              LISTEN  web          -      -  -       max_connections, rate  1\n"
		"tcp         0     511  [2001:db8:1:2:3:4:5:6]:80  [::]:*           LISTEN  web          -      -  -       -                      1\n"
		"udp         -       -  127.0.0.1:69               0.0.0.0:*        -       tftp         -      -  -       -                      2\n");
	/* clang-format on */
	for (unsigned width = 40; width <= 200; width++)
		expect_fits(strip_colour(run_ctl_wide(width, "listeners")->out), width);
	cr_expect_str_eq(run_ctl("listeners", "-o", "local-address,recv-q")->out,
		"Local Address              Recv-Q\n*:80                            3\n"
		"[2001:db8:1:2:3:4:5:6]:80       0\n127.0.0.1:69                    -\n");
}

#define WORKERS                                                                                    \
	"{'Workers':{'parameters':{'workers':["                                                    \
	"{'service':'web','pid':4711,'state':'READY','generation':2,'user':'www',"                 \
	"'uptime_ms':61000,'command':'/usr/sbin/web --with --many --arguments --that --go "        \
	"--on'},"                                                                                  \
	"{'service':'a','pid':12,'state':'STOPPING','generation':10,'user':"                       \
	"'root',"                                                                                  \
	"'uptime_ms':1,'command':'x','status':'the last one, with ten more to be told goodbye','slots':0}]}}}"

Test(ctl_verbs, workers_are_listed_and_the_command_gives_way_first)
{
	start_daemon(WORKERS);
	struct run *run = run_ctl("workers");
	cr_expect_eq(run->code, 0);
	cr_expect(begins_with(run->out,
			  " PID  SERVICE  STATE     GEN  USER  UPTIME  COMMAND\n"
			  "4711  web      READY       2  www   61s     /usr/sbin/web --with"),
		"%s", run->out);
	cr_expect(strstr(run->out, "x\n    it says: the last one, with ten more to be told goodbye\n"
				   "    it could serve 0 more\n"), "%s", run->out);
	char *out = strip_colour(run_ctl_wide(80, "workers")->out);
	cr_expect(strstr(out, "GEN  USER  UPTIME  COMMAND") && strstr(out, "…"), "%s", out);
	for (unsigned width = 40; width <= 200; width++)
		expect_fits(strip_colour(run_ctl_wide(width, "workers")->out), width);
}

#define OUTCOME(method, state, done)                                                               \
	"{'" method "':{'parameters':{'outcomes':[{'service':'web','state':'" state                \
	"','done':" done ",'explanation':['because']}]}}}"

Test(ctl_verbs, changes_exit_by_what_became_of_them)
{
	static const struct {
		const char *answers, *verb;
		int code;
		const char *out, *err;
	} cases[] = {
		{ OUTCOME("Start", "UP", "true"), "start", 0, "web: UP\n", "" },
		{ OUTCOME("Start", "ON-DEMAND", "true"), "start", 0, "web: ON-DEMAND\n", "" },
		{ OUTCOME("Start", "BACKOFF", "true"), "start", 1, "",
			"fdsupctl: web: BACKOFF\nfdsupctl:     because\n" },
		{ OUTCOME("Start", "STARTING", "false"), "start", 1, "",
			"fdsupctl: web: STARTING, still on its way\nfdsupctl:     because\n" },
		{ OUTCOME("Stop", "STOPPED", "true"), "stop", 0, "web: STOPPED\n", "" },
		{ OUTCOME("Stop", "DRAINING", "false"), "stop", 1, "",
			"fdsupctl: web: DRAINING, still on its way\nfdsupctl:     because\n" },
		{ OUTCOME("Restart", "UP", "true"), "restart", 0, "web: UP\n", "" },
		{ OUTCOME("Restart", "FAILED", "true"), "restart", 1, "",
			"fdsupctl: web: FAILED\nfdsupctl:     because\n" },
		{ "{'Start':{'error':'org.fdsup.UnknownService','parameters':"
		  "{'service':'wbe','suggestion':'web'}}}",
			"start", 1, "",
			"fdsupctl: there is no service \"wbe\"; did you mean \"web\"?\n" },
		{ "{'Stop':{'error':'org.fdsup.Busy','parameters':{'reason':'a "
		  "reload'}}}",
			"stop", 1, "",
			"fdsupctl: fdsup is busy: a reload; try again when that is done\n" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		start_daemon(cases[i].answers);
		struct run *run = run_ctl(cases[i].verb, "web");
		cr_expect_eq(run->code, cases[i].code, "%zu: %d", i, run->code);
		cr_expect_str_eq(run->out, cases[i].out, "%zu: %s", i, run->out);
		cr_expect_str_eq(run->err, cases[i].err, "%zu: %s", i, run->err);
		remove_directory();
		make_directory();
	}
}

Test(ctl_verbs, who_may_not_control_gets_4_and_is_told_what_it_takes)
{
	start_daemon("{'role':'status'}");
	struct run *run = run_ctl("stop", "web");
	cr_expect_eq(run->code, 4);
	cr_expect(strstr(run->err, "admin.control of the configuration"), "%s", run->err);
	json_t *object = parse_json(run_ctl("stop", "web", "--json"));
	cr_expect_str_eq(
		json_string_value(json_object_get(object, "error")), "org.fdsup.PermissionDenied");
	json_decref(object);
}

Test(ctl_verbs, reload_shows_the_plan)
{
	start_daemon("{'Reload':{'parameters':{'changes':["
		     "{'service':'web','action':'roll','keys':['command','umask']},"
		     "{'service':'a','action':'keep','keys':[]},"
		     "{'service':'ident','action':'add','keys':[]}]}}}");
	struct run *run = run_ctl("reload", "--dry-run");
	cr_expect_eq(run->code, 0);
	cr_expect_str_eq(run->out, "SERVICE  ACTION  KEYS\nweb      roll    command, umask\n"
				   "ident    add     -\n1 service unchanged\n");
	cr_expect(strstr(run_ctl("reload", "-v")->out, "\na        keep    -\n"));
}

Test(ctl_verbs, a_service_that_keeps_its_old_configuration_is_told_and_exits_1)
{
	start_daemon("{'Reload':{'parameters':{'changes':["
		     "{'service':'web','action':'roll','keys':['command']}],"
		     "'failures':[{'service':'web','reason':'worker 7 exited 3, 3 times'}]}}}");
	struct run *run = run_ctl("reload");
	cr_expect_eq(run->code, 1);
	cr_expect_str_eq(run->out, "SERVICE  ACTION  KEYS\nweb      roll    command\n0 services unchanged\n");
	cr_expect_str_eq(run->err, "fdsupctl: web: the new configuration was tried and given up: worker 7 "
				   "exited 3, 3 times; the one before stays in force\n");
}

Test(ctl_verbs, a_failed_reload_tells_every_error)
{
	start_daemon("{'Reload':{'error':'org.fdsup.ReloadFailed','parameters':"
		     "{'errors':['a:1: one','a:2: two']}}}");
	struct run *run = run_ctl("reload");
	cr_expect_eq(run->code, 1);
	cr_expect_str_eq(run->err,
		"fdsupctl: a:1: one\nfdsupctl: a:2: two\n"
		"fdsupctl: nothing was changed; the running configuration stays in force\n");
}

Test(ctl_verbs, without_a_daemon_all_but_help_exit_3)
{
	cr_expect_eq(run_ctl("start", "web")->code, 3);
	cr_expect_eq(run_ctl("stop", "web")->code, 3);
	cr_expect_eq(run_ctl("restart", "web")->code, 3);
	cr_expect_eq(run_ctl("reload")->code, 3);
	cr_expect_eq(run_ctl("listeners")->code, 3);
	cr_expect_eq(run_ctl("workers")->code, 3);
	struct run *run = run_ctl("version");
	cr_expect_eq(run->code, 3);
	cr_expect(begins_with(run->out, "fdsupctl "));
	cr_expect(strstr(run->out, "fdsup (not running)\n"));
	cr_expect_eq(run_ctl("help")->code, 0);
	json_t *object = parse_json(run_ctl("version", "--json"));
	cr_expect(json_is_null(json_object_get(object, "fdsup")));
	json_decref(object);
}

Test(ctl_verbs, version_tells_that_of_the_daemon_as_well)
{
	start_daemon("{}");
	cr_expect(strstr(run_ctl("version")->out, "\nfdsup 9.8.7\n"));
	cr_expect_eq(run_ctl("version")->code, 0);
}

Test(ctl_verbs, the_socket_may_come_from_the_environment)
{
	start_daemon("{}");
	setenv("FDSUP_SOCKET", socket_path, 1);
	cr_expect(strstr(
		run_on(0, (const char *const[]){ "version", NULL })->out, "\nfdsup 9.8.7\n"));
	setenv("FDSUP_SOCKET", "/nonexistent", 1);
	cr_expect(strstr(run_ctl("version")->out, "\nfdsup 9.8.7\n"));
}

Test(ctl_verbs, a_wrong_command_line_exits_64_and_says_why)
{
	static const struct {
		const char *arguments[5];
		const char *complaint;
	} cases[] = {
		{ { NULL }, "usage: fdsupctl" },
		{ { "statsu" }, "there is no verb \"statsu\"; did you mean \"status\"?" },
		{ { "xyzzy" }, "`fdsupctl help` lists them" },
		{ { "start" }, "start needs the name of a service" },
		{ { "reload", "web" }, "reload takes no arguments" },
		{ { "status", "--dry-run" }, "status has no --dry-run" },
		{ { "workers", "-v" }, "workers has no --verbose" },
		{ { "reload", "-o", "a" }, "reload has no --columns" },
		{ { "status", "-o", "state", "--json" }, "not both" },
		{ { "stop", "\xff\xfe" }, "UTF-8" },
		{ { "status", "--nonsense" }, "`fdsupctl help`" },
		{ { "workers", "-o", "" },
			"there is no column \"\"; there are: pid service state gen" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct run *run = run_on(0, cases[i].arguments);
		cr_expect_eq(run->code, 64, "%zu: %d", i, run->code);
		cr_expect(strstr(run->err, cases[i].complaint), "%zu: %s", i, run->err);
		cr_expect_str_eq(run->out, "");
	}
}

Test(ctl_verbs, help_lists_every_verb)
{
	struct run *run = run_ctl("help");
	cr_expect_eq(run->code, 0);
	for (size_t i = 0; i < verbs_n; i++) {
		char line[32];
		snprintf(line, sizeof line, "\n  %s ", verbs[i].name);
		cr_expect(strstr(run->out, line), "%s", verbs[i].name);
	}
	for (size_t i = 0; i < OPTION_COUNT; i++)
		cr_expect(strstr(run->out, ctl_options[i].name), "%s", ctl_options[i].name);
	expect_fits(run->out, 120);
}
