#include "ctl/exitcode.h"

#include <criterion/criterion.h>
#include <errno.h>

#define UP         "{\"state\":\"UP\",\"wanted\":true,\"healthy\":true}"
#define ON_DEMAND  "{\"state\":\"ON-DEMAND\",\"wanted\":true,\"healthy\":true}"
#define BACKOFF    "{\"state\":\"BACKOFF\",\"wanted\":true,\"healthy\":false}"
#define PAUSED     "{\"state\":\"PAUSED\",\"wanted\":true,\"healthy\":true}"
#define OFF        "{\"state\":\"STOPPED\",\"wanted\":false,\"healthy\":true}"
#define STOPPING   "{\"state\":\"DRAINING\",\"wanted\":false,\"healthy\":true}"
#define OFF_BROKEN "{\"state\":\"FAILED\",\"wanted\":false,\"healthy\":false}"

Test(exitcode, of_status)
{
	static const struct {
		const char *services;
		int plain, named;
	} cases[] = {
		{ "", 0, 0 },
		{ UP "," ON_DEMAND, 0, 0 },
		{ UP "," OFF, 0, 3 },
		{ STOPPING, 0, 3 },
		{ UP "," PAUSED, 0, 3 },
		{ BACKOFF "," UP, 150, 150 },
		{ UP "," BACKOFF, 150, 150 },
		{ OFF "," BACKOFF, 150, 150 },
		{ BACKOFF "," OFF, 150, 150 },
		{ OFF_BROKEN, 0, 3 },
		{ "{}", 0, 3 },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char text[512];
		snprintf(text, sizeof text, "{\"daemon\":{},\"services\":[%s]}", cases[i].services);
		json_t *parameters = json_loads(text, 0, NULL);
		cr_expect_eq(exitcode_of_status(parameters, false), cases[i].plain, "%s", text);
		cr_expect_eq(exitcode_of_status(parameters, true), cases[i].named, "%s", text);
		json_decref(parameters);
	}
}

Test(exitcode, of_status_counts_a_missing_acceptor)
{
	json_t *parameters = json_loads(
		"{\"daemon\":{\"acceptors\":[{\"pid\":1},{\"pid\":null}]},\"services\":[" UP "]}",
		0, NULL);
	cr_expect_eq(exitcode_of_status(parameters, false), CTL_DEGRADED);
	json_decref(parameters);
}

Test(exitcode, of_an_outcome)
{
	static const struct {
		const char *method, *state;
		bool done;
		int code;
	} cases[] = {
		{ "Pause", "PAUSED", true, CTL_OK },
		{ "Pause", "UP", false, CTL_FAILED },
		{ "Resume", "UP", true, CTL_OK },
		{ "Resume", "PAUSED", false, CTL_FAILED },
		{ "Drain", "STOPPED", true, CTL_OK },
		{ "Drain", "DRAINING", false, CTL_FAILED },
		{ "Start", "UP", true, CTL_OK },
		{ "Start", "ON-DEMAND", true, CTL_OK },
		{ "Start", "DEGRADED", true, CTL_OK },
		{ "Start", "UP", false, CTL_FAILED },
		{ "Start", "STOPPED", true, CTL_FAILED },
		{ "Start", "FAILED", true, CTL_FAILED },
		{ "Restart", "BACKOFF", true, CTL_FAILED },
		{ "Stop", "STOPPED", true, CTL_OK },
		{ "Stop", "STOPPED", false, CTL_FAILED },
		{ "Stop", "UP", true, CTL_FAILED },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		json_t *outcome =
			json_pack("{s:s, s:b}", "state", cases[i].state, "done", cases[i].done);
		cr_expect_eq(exitcode_of_outcome(outcome, cases[i].method), cases[i].code, "%s %s",
			cases[i].method, cases[i].state);
		json_decref(outcome);
	}
}

Test(exitcode, of_errors)
{
	cr_expect_eq(exitcode_of_error("org.fdsup.PermissionDenied", true), CTL_UNKNOWN);
	cr_expect_eq(exitcode_of_error("org.fdsup.PermissionDenied", false), CTL_UNKNOWN);
	cr_expect_eq(exitcode_of_error("org.fdsup.UnknownService", true), CTL_UNKNOWN);
	cr_expect_eq(exitcode_of_error("org.fdsup.UnknownService", false), CTL_FAILED);
	cr_expect_eq(exitcode_of_error("org.varlink.service.MethodNotFound", false), CTL_UNKNOWN);
	cr_expect_eq(exitcode_of_connect(ENOENT), CTL_NOT_RUNNING);
	cr_expect_eq(exitcode_of_connect(ECONNREFUSED), CTL_NOT_RUNNING);
	cr_expect_eq(exitcode_of_connect(EACCES), CTL_UNKNOWN);
	cr_expect_eq(exitcode_of_connect(ETIMEDOUT), CTL_UNKNOWN);
}
