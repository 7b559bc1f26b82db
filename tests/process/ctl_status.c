/* fdsupctl status, against a daemon in every condition and against none. */
#include "ctl_fixture.h"

#include <arpa/inet.h>
#include <langinfo.h>
#include <locale.h>
#include <netinet/in.h>
#include <time.h>

TestSuite(ctl_status, .init = make_directory, .fini = remove_directory, .timeout = 120);

#define DAEMON(more)                                                                               \
	"'daemon': {'version': '0.1.0', 'pid': 812, 'uptime_ms': 1036800000, 'stopping': false,"   \
	" 'config_file': '/etc/fdsup.conf', 'loaded_at': 1772366400000" more "}"
#define ACCEPTORS ", 'acceptors': [{'pid': 813, 'restarts': 2, 'uptime_ms': 5000}]"
#define COUNTS                                                                                     \
	"'type': 'exec', 'rate': 11.2, 'accepted': 7, 'served': 2100000, 'failed': 0,"             \
	"'refused': 0, 'lost': 0, 'deaths': 1, 'restarts': 1, 'last_words': [],"                   \
	"'workers': {'used': 3, 'limit': 4}, 'connections': {'used': 98, 'limit': 400},"           \
	"'queue': {'used': 2, 'limit': 256}"
#define SERVICE(name, state, healthy, wanted, since_ms, more)                                      \
	"{'name': '" name "', 'state': '" state "', 'healthy': " healthy ", 'wanted': " wanted     \
	", 'since_ms': " since_ms ", " more ", " COUNTS "}"
#define POP3                                                                                       \
	SERVICE("pop3", "UP", "true", "true", "1036800000",                                        \
		"'listen': ['tcp *:110', 'tcp *:995'], 'explanation': []")
#define IDENT                                                                                      \
	SERVICE("ident", "BACKOFF", "false", "true", "14000",                                      \
		"'listen': ['tcp *:113'], 'explanation': ["                                        \
		"'worker 4711 exited 3 after 40ms, before it was ready, 6th time; next try in "    \
		"3.2s',"                                                                           \
		"'stderr: open /etc/identd.key: Permission denied',"                               \
		"'7 clients held, the oldest for 2.1s; refused from 10s on', 'a fourth line',"                \
		"'a fifth line', 'a sixth line']")
#define OFF SERVICE("off", "STOPPED", "true", "false", "14000", "'listen': [], 'explanation': []")
#define BROKEN                                                                                     \
	SERVICE("broken", "FAILED", "false", "true", "14000",                                      \
		"'listen': ['tcp [2001:db8::1]:443'], 'explanation': []")
#define SERVER_IN_CHINESE "\xe6\x9c\x8d\xe5\x8b\x99\xe5\x99\xa8"
#define WIDE                                                                                       \
	SERVICE(SERVER_IN_CHINESE "-" SERVER_IN_CHINESE "-a-long-name-of-a-service-e\xcc\x81",     \
		"DEGRADED", "false", "true", "14000",                                              \
		"'listen': ['tcp *:1'], 'explanation': ['" SERVER_IN_CHINESE SERVER_IN_CHINESE     \
			SERVER_IN_CHINESE SERVER_IN_CHINESE SERVER_IN_CHINESE SERVER_IN_CHINESE    \
		"']")
#define STATUS(daemon_more, services)                                                              \
	"{'Status':{'parameters':{" DAEMON(daemon_more) ",'services':[" services "]}}}"

Test(ctl_status, a_healthy_daemon_exits_0)
{
	start_daemon(STATUS(ACCEPTORS, POP3));
	struct run *run = run_ctl("status");
	cr_expect_eq(run->code, 0);
	/* clang-format off */
	cr_expect_str_eq(run->out,
		"SERVICE  STATE  LISTEN                WORKERS  CONNS   QUEUE  RATE    SERVED  LOST  DEATHS  SINCE\n"
		"pop3     UP     tcp *:110, tcp *:995  3/4      98/400  2      11.2/s  2.1M    0     1       12d\n");
	/* clang-format on */
	cr_expect_str_eq(run->err, "");
}

Test(ctl_status, explains_what_is_unwell_in_five_lines_and_exits_150)
{
	start_daemon(STATUS(ACCEPTORS, POP3 "," IDENT));
	struct run *run = run_ctl("status");
	cr_expect_eq(run->code, 150);
	cr_expect(
		strstr(run->out, "\n    worker 4711 exited 3 after 40ms, before it was ready, 6th "
				 "time; next try in 3.2s\n"
				 "    stderr: open /etc/identd.key: Permission denied\n"
				 "    7 clients held, the oldest for 2.1s; refused from 10s on\n"
				 "    a fourth line\n"
				 "    a fifth line\n"
				 "1 of 2 services is not well\n"),
		"%s", run->out);
}

Test(ctl_status, a_terminal_gets_symbols_and_colour)
{
	start_daemon(STATUS(ACCEPTORS, POP3 "," IDENT "," BROKEN "," OFF));
	struct run *run = run_ctl_wide(120, "status");
	cr_expect_eq(run->code, 150);
	cr_expect(strstr(run->out, "\033[32m●\033[0m pop3"), "%s", run->out);
	cr_expect(strstr(run->out, "\033[33m▲\033[0m ident"));
	cr_expect(strstr(run->out, "\033[31m■\033[0m broken"));
	cr_expect(strstr(run->out, "○\033[0m off"));
	cr_expect(strstr(run->out, "tcp *:110 +1 "));
}

Test(ctl_status, NO_COLOR_and_dumb_terminals_get_no_colour)
{
	start_daemon(STATUS(ACCEPTORS, POP3));
	setenv("NO_COLOR", "1", 1);
	cr_expect_not(strchr(run_ctl_wide(120, "status")->out, '\033'));
	unsetenv("NO_COLOR");
	setenv("TERM", "dumb", 1);
	cr_expect_not(strchr(run_ctl_wide(120, "status")->out, '\033'));
	unsetenv("TERM");
	cr_expect_not(strchr(run_ctl_wide(120, "status")->out, '\033'));
}

Test(ctl_status, a_terminal_without_UTF_8_gets_ASCII)
{
	start_daemon(STATUS(ACCEPTORS, POP3 "," WIDE));
	setenv("LC_ALL", "C", 1);
	struct run *run = run_ctl_wide(120, "status");
	for (const char *p = run->out; *p; p++)
		cr_assert((unsigned char)*p < 0x80, "%s", p);
	cr_expect(strstr(strip_colour(run->out), "\n+ pop3"), "%s", run->out);
	cr_expect(strstr(run->out, "\n! ???"));
}

/* The column of the screen at which the word begins, or -1. */
static int column_of(char *line, const char *word)
{
	char *found = strstr(line, word);
	if (!found)
		return -1;
	char kept = *found;
	*found = 0;
	int column = (int)display_width(line);
	*found = kept;
	return column;
}

Test(ctl_status, fits_every_width_from_40_to_200_and_stays_aligned)
{
	setlocale(LC_CTYPE, "C.UTF-8");
	start_daemon(STATUS(",'acceptors':[{'pid':null,'restarts':2,'uptime_ms':5000}],"
			    "'reload_error':'/etc/fdsup.conf:12: services.rsync: unknown key'",
		POP3 "," IDENT "," WIDE "," BROKEN "," OFF));
	for (unsigned width = 40; width <= 200; width++) {
		struct run *run = run_ctl_wide(width, "status", "-v");
		cr_assert_eq(run->code, 150);
		strip_colour(run->out);
		char *heading = strstr(run->out, "  SERVICE ");
		cr_assert(heading);
		char *rows = strchr(heading, '\n');
		*rows++ = 0;
		int state = column_of(heading, "STATE"), since = column_of(heading, "SINCE");
		static const char *const states[] = { "UP", "BACKOFF", "DEGRADED", "FAILED",
			"STOPPED" };
		cr_expect(state > 0);
		for (size_t i = 0; i < 5; i++) {
			char line[1024], word[16];
			snprintf(word, sizeof word, "  %s", states[i]);
			char *start = strstr(rows, word);
			cr_assert(start, "no %s in %s", word, rows);
			while (start > rows && start[-1] != '\n')
				start--;
			snprintf(line, sizeof line, "%.*s", (int)strcspn(start, "\n"), start);
			cr_expect_eq(column_of(line, word) + 2, state, "%s", line);
			cr_expect(since < 0 || column_of(line, i ? "14s" : "12d") == since, "%s",
				line);
		}
		expect_fits(heading, width);
		expect_fits(rows, width);
		*heading = 0;
		expect_fits(run->out, width);
	}
}

Test(ctl_status, drops_what_matters_least_first)
{
	start_daemon(STATUS(ACCEPTORS, POP3));
	char *out = strip_colour(run_ctl_wide(40, "status")->out);
	cr_expect(strstr(out, "SERVICE  STATE"), "%s", out);
	cr_expect_not(strstr(out, "RATE"));
	cr_expect_not(strstr(out, "SERVED"));
	out = strip_colour(run_ctl_wide(80, "status")->out);
	cr_expect(strstr(out, "LISTEN") && strstr(out, "CONNS") && strstr(out, "SINCE"), "%s", out);
	cr_expect_not(strstr(out, "SERVED"));
}

Test(ctl_status, COLUMNS_outweighs_the_terminal)
{
	start_daemon(STATUS(ACCEPTORS, POP3));
	setenv("COLUMNS", "200", 1);
	cr_expect(strstr(run_ctl_wide(40, "status")->out, "SERVED"));
}

Test(ctl_status, cuts_nothing_off_a_terminal)
{
	start_daemon(STATUS(ACCEPTORS, WIDE));
	setenv("COLUMNS", "40", 1);
	struct run *run = run_ctl("status");
	cr_expect(
		strstr(run->out, "-a-long-name-of-a-service-e\xcc\x81  DEGRADED"), "%s", run->out);
	cr_expect_not(strstr(run->out, "…"));
}

Test(ctl_status, tells_what_concerns_the_whole_daemon_first)
{
	start_daemon(STATUS(",'reload_error':'no such user','acceptors':"
			    "[{'pid':1,'restarts':0,'uptime_ms':1},"
			    "{'pid':null,'restarts':9,'uptime_ms':0}]",
		POP3));
	struct run *run = run_ctl("status");
	cr_expect(begins_with(run->out, "the last reload failed: no such user\n"), "%s", run->out);
	cr_expect(strstr(run->out, "configuration of 2026-03-01 12:00:00 stays in force"));
	cr_expect(strstr(run->out, "acceptor 2 is not running"));
	cr_expect_eq(run->code, 150);
}

Test(ctl_status, a_log_that_cannot_be_written_is_told_and_is_no_good_end)
{
	start_daemon(STATUS(ACCEPTORS ",'log_trouble':'the log cannot be written to /var: full'", POP3));
	struct run *run = run_ctl("status");
	cr_expect(begins_with(run->out, "the log cannot be written to /var: full\n"), "%s", run->out);
	cr_expect_eq(run->code, 150);
	cr_expect_eq(run_ctl("check")->code, 150);
}

Test(ctl_status, verbose_adds_daemon_and_acceptors)
{
	start_daemon(STATUS(ACCEPTORS, POP3));
	cr_expect(begins_with(run_ctl("status", "-v")->out,
		"fdsup 0.1.0, pid 812, up 12d\n"
		"configuration /etc/fdsup.conf, loaded 2026-03-01 12:00:00\n"
		"acceptor 1, pid 813, up 5.0s, restarted 2x\n"));
}

Test(ctl_status, a_service_stopped_on_purpose_counts_only_when_named)
{
	start_daemon(STATUS(ACCEPTORS, OFF));
	cr_expect_eq(run_ctl("status")->code, 0);
	cr_expect_eq(run_ctl("status", "off")->code, 3);
}

Test(ctl_status, chosen_columns_come_alone_and_in_their_order)
{
	start_daemon(STATUS(ACCEPTORS, POP3 "," IDENT));
	struct run *run = run_ctl("status", "-o", "state,SERVICE,deaths");
	cr_expect_str_eq(run->out, "STATE    SERVICE  DEATHS\nUP       pop3     1\n"
				   "BACKOFF  ident    1\n");
	cr_expect_eq(run->code, 150);
	run = run_ctl("status", "-o", "service,nonsense");
	cr_expect_eq(run->code, 64);
	cr_expect(
		strstr(run->err, "no column \"nonsense\"; there are: service state listen workers"),
		"%s", run->err);
}

Test(ctl_status, json_is_the_reply_with_a_version)
{
	start_daemon(STATUS(ACCEPTORS, POP3 "," IDENT));
	struct run *run = run_ctl("--json", "status");
	cr_expect_eq(run->code, 150);
	json_t *object = parse_json(run);
	json_t *service = json_array_get(json_object_get(object, "services"), 0);
	cr_expect_str_eq(json_string_value(json_object_get(service, "name")), "pop3");
	cr_expect_eq(json_integer_value(json_object_get(service, "served")), 2100000);
	cr_expect(begins_with(run->out, "{\n  \"version\": 1,\n"));
	json_decref(object);
}

Test(ctl_status, unknown_fields_print_as_a_dash_and_never_as_0)
{
	start_daemon("{'Status':{'parameters':{'daemon':{},'services':[{'name':'a',"
		     "'state':'UP','healthy':true,'wanted':true,'served':'x',"
		     "'workers':{'limit':3},'listen':7}]}}}");
	struct run *run = run_ctl("status");
	cr_expect_eq(run->code, 0);
	cr_expect(strstr(run->out,
			  "\na        UP     -       -        -      -      -     -       -"),
		"%s", run->out);
}

Test(ctl_status, nothing_of_a_reply_controls_the_terminal)
{
	start_daemon("{'Status':{'parameters':{'daemon':{'reload_error':'\\u001b[2J\\r\\n'},"
		     "'services':[{'name':'a\\u001b]0;x\\u0007','state':'\\u009b31m',"
		     "'listen':['\\n\\u202e'],'explanation':['\\u001b[31mred\\tx']}]}}}");
	struct run *run = run_ctl_wide(150, "status");
	strip_colour(run->out);
	for (const char *p = run->out; *p; p++)
		cr_expect(*p == '\n' || (unsigned char)*p >= 0x20, "%02x in %s", *p, run->out);
	cr_expect(strstr(run->out, "a\\x1b]0;x\\x07"), "%s", run->out);
	cr_expect(strstr(run->out, "\\x1b[31mred\\x09x"));
	cr_expect_not(strstr(run->out, "\xe2\x80\xae"));
	cr_expect_not(strstr(run->out, "\xc2\x9b"));
}

Test(ctl_status, what_cannot_be_told_exits_4)
{
	static const struct {
		const char *answers, *complaint;
	} cases[] = {
		{ "{'raw':'nonsense'}", "does not speak the language of fdsup" },
		{ "{'raw':'[1]'}", "does not speak the language of fdsup" },
		{ "{'raw':'{\\'parameters\\':{\\'services\\':[1]}}'}", "does not speak" },
		{ "{'Status':{'parameters':{'services':7}}}", "does not speak" },
		{ "{'role':'none'}", "permission denied" },
		{ "{}", "MethodNotImplemented" },
		{ "{'Status':'silence'}", "does not answer" },
		{ "{'Status':{'error':'org.fdsup.UnknownService','parameters':"
		  "{'service':'rsnyc','suggestion':'rsync'}}}",
			"there is no service \"rsnyc\"; did you mean \"rsync\"?" },
		{ "{'Status':{'error':'org.fdsup.Failed','parameters':{'reason':'why'}}"
		  "}",
			"failed: why" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		start_daemon(cases[i].answers);
		struct run *run = run_ctl("status");
		cr_expect_eq(run->code, 4, "%d for %s", run->code, cases[i].answers);
		cr_expect(strstr(run->err, cases[i].complaint), "%s", run->err);
		cr_expect_str_eq(run->out, "");
		remove_directory();
		make_directory();
	}
}

Test(ctl_status, without_a_pid_file_fdsup_is_not_running)
{
	struct run *run = run_ctl("status");
	cr_expect_eq(run->code, 3);
	char wanted[256];
	snprintf(wanted, sizeof wanted,
		"fdsupctl: cannot connect to %s: No such file or directory: fdsup is not running, "
		"or uses "
		"another runtime_dir (-s SOCKET)\n",
		socket_path);
	cr_expect_str_eq(run->err, wanted);
	cr_expect_str_eq(run->out, "fdsup is not running\n");
	json_t *object = parse_json(run_ctl("status", "--json"));
	cr_expect(json_is_false(json_object_get(object, "died")));
	json_decref(object);
}

/* A process that has ended: nobody has its id for the time being. */
static pid_t ended_process(void)
{
	pid_t pid = fork();
	if (pid == 0)
		_exit(0);
	waitpid(pid, NULL, 0);
	return pid;
}

static int listen_somewhere(unsigned *ret_port)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof address;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert(bind(fd, (struct sockaddr *)&address, size) == 0 && listen(fd, 1) == 0);
	cr_assert(getsockname(fd, (struct sockaddr *)&address, &size) == 0);
	*ret_port = ntohs(address.sin_port);
	return fd;
}

Test(ctl_status, a_pid_file_left_behind_tells_that_it_died_and_who_has_the_ports)
{
	char text[256], wanted[128];
	unsigned port, free_port;
	int fd = listen_somewhere(&port);
	close(listen_somewhere(&free_port));
	snprintf(text, sizeof text, "%d\n1772366400000\n", ended_process());
	write_file("fdsup.pid", text);
	snprintf(text, sizeof text,
		"tcp 127.0.0.1 %u hello\nnonsense\ntcp 127.0.0.1 %u web\ntcp * %u all\n", port,
		free_port, port);
	write_file("listeners", text);
	struct run *run = run_ctl("status");
	cr_expect_eq(run->code, 1);
	cr_expect(strstr(run->out, "fdsup died and left "), "%s", run->out);
	cr_expect(strstr(run->out, "started 2026-03-01 12:00:00, "));
	snprintf(wanted, sizeof wanted, "hello    pid %d (", getpid());
	cr_expect(strstr(run->out, wanted), "%s", run->out);
	snprintf(wanted, sizeof wanted, "all      pid %d (", getpid());
	cr_expect(strstr(run->out, wanted), "%s", run->out);
	cr_expect(strstr(run->out, "web      nobody\n"));
	for (unsigned width = 40; width < 120; width++)
		expect_fits(strip_colour(run_ctl_wide(width, "status")->out), width);
	run = run_ctl("--json", "status");
	cr_expect_eq(run->code, 1);
	json_t *object = parse_json(run);
	cr_expect(json_is_true(json_object_get(object, "died")));
	cr_expect_eq(json_array_size(json_object_get(object, "listeners")), 3);
	json_decref(object);
	close(fd);
}

Test(ctl_status, another_process_with_the_old_id_is_not_fdsup)
{
	char text[64];
	snprintf(text, sizeof text, "%d\n1000000000000\n", getpid());
	write_file("fdsup.pid", text);
	cr_expect_eq(run_ctl("status")->code, 1);
}

Test(ctl_status, a_running_process_that_does_not_listen_exits_4)
{
	char text[64];
	snprintf(text, sizeof text, "%d\n%lld000\n", getpid(), (long long)time(NULL));
	write_file("fdsup.pid", text);
	struct run *run = run_ctl("status");
	cr_expect_eq(run->code, 4);
	cr_expect(strstr(run->out, "does not listen here"), "%s", run->out);
}

Test(ctl_status, odd_files_in_the_runtime_directory_do_no_harm)
{
	static const char *const texts[] = { "", "\n", "x", "-1\n", "0\n0\n", "1\n",
		"99999999999999\n1\n", "12x\n", "\xff\xfe" };
	write_file("listeners", "tcp\ntcp *\ntcp * 99999 a\nicmp * 1 a\ntcp nowhere 1 a\n\xff\n");
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		write_file("fdsup.pid", texts[i]);
		cr_expect_eq(run_ctl("status")->code, 1, "%s", texts[i]);
	}
}

Test(ctl_status, a_full_disk_does_not_pass_for_success)
{
	start_daemon(STATUS(ACCEPTORS, POP3));
	char command[1024];
	snprintf(command, sizeof command, "'%s' -s '%s' status >/dev/full 2>&1",
		program("fdsupctl"), socket_path);
	cr_expect_eq(WEXITSTATUS(system(command)), 4);
}
