#include "ctl/dead.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "ctl/exitcode.h"

Test(dead, reads_pid_and_start)
{
	static const struct {
		const char *text;
		pid_t pid;
		int64_t started_at_ms;
	} cases[] = {
		{ "4711\n1772366400000\n", 4711, 1772366400000 },
		{ "4711\n", 4711, 0 },
		{ "4711", 4711, 0 },
		{ "4711\n-5\n", 4711, 0 },
		{ "4711 \n7\n", 0, 0 },
		{ "1\n7\n", 0, 0 },
		{ "-4\n7\n", 0, 0 },
		{ "99999999999\n7\n", 0, 0 },
		{ "", 0, 0 },
		{ "x\n7", 0, 0 },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		pid_t pid = -1;
		int64_t started_at_ms = -1;
		dead_parse_pid(cases[i].text, &pid, &started_at_ms);
		cr_expect_eq(pid, cases[i].pid, "%s", cases[i].text);
		cr_expect_eq(started_at_ms, cases[i].started_at_ms, "%s", cases[i].text);
	}
}

static void expect_listener(const char *line, const char *json)
{
	json_t *found = dead_parse_listener(line);
	json_t *wanted = json ? json_loads(json, 0, NULL) : NULL;
	cr_expect(json ? json_equal(found, wanted) : !found, "%s", line);
	json_decref(found);
	json_decref(wanted);
}

Test(dead, reads_listeners)
{
	expect_listener("tcp 127.0.0.1 8080 hello", "{\"protocol\":\"tcp\",\"address\":\"127.0.0."
						    "1\",\"port\":8080,\"service\":\"hello\"}");
	expect_listener("udp * 69 tftp",
		"{\"protocol\":\"udp\",\"address\":\"*\",\"port\":69,\"service\":\"tftp\"}");
	expect_listener("", NULL);
	expect_listener("tcp * 80", NULL);
	expect_listener("tcp * 65536 web", NULL);
	expect_listener("tcp * -1 web", NULL);
	expect_listener("unix /run/a b.sock 0 web",
		"{\"protocol\":\"unix\",\"address\":\"/run/a b.sock\",\"port\":0,\"service\":\"web\"}");
	expect_listener("unix @x 0 web",
		"{\"protocol\":\"unix\",\"address\":\"@x\",\"port\":0,\"service\":\"web\"}");
	expect_listener("sctp /x 0 web", NULL);
	expect_listener("unix 0 web", NULL);
	expect_listener("tcp * 80 \xff", NULL);
}

Test(dead, exit_code_tells_died_from_absent_from_unknown)
{
	struct dead dead = { .pid_file_error = 0 };
	cr_expect_eq(dead_exitcode(&dead), CTL_DEAD);
	dead.pid_file_error = ENOENT;
	cr_expect_eq(dead_exitcode(&dead), CTL_NOT_RUNNING);
	dead.pid_file_error = EACCES;
	cr_expect_eq(dead_exitcode(&dead), CTL_UNKNOWN);
	dead.pid_file_error = 0;
	dead.is_running = true;
	cr_expect_eq(dead_exitcode(&dead), CTL_UNKNOWN);
}
