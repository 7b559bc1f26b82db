#include "ctl/exitcode.h"

#include <errno.h>
#include <string.h>

#include "ctl/reply.h"

static bool is_state(const json_t *object, const char *const states[])
{
	const char *state = reply_text(object, "state");
	for (; state && *states; states++)
		if (!strcmp(state, *states))
			return true;
	return false;
}

/* On purpose: it is off, or accepts nobody. */
static bool is_stopped(const json_t *service)
{
	static const char *const stopped[] = { "STOPPED", "PAUSED", NULL };
	return !reply_flag(service, "wanted") || is_state(service, stopped);
}

static bool lacks_acceptor(const json_t *daemon)
{
	const json_t *acceptors = json_object_get(daemon, "acceptors");
	for (size_t i = 0; i < json_array_size(acceptors); i++)
		if (!json_is_integer(json_object_get(json_array_get(acceptors, i), "pid")))
			return true;
	return false;
}

int exitcode_of_status(const json_t *parameters, bool is_named)
{
	const json_t *services = json_object_get(parameters, "services");
	const json_t *daemon = json_object_get(parameters, "daemon");
	bool is_ill = lacks_acceptor(daemon) || reply_text(daemon, "log_trouble");
	int code = is_ill ? CTL_DEGRADED : CTL_OK;
	for (size_t i = 0; i < json_array_size(services); i++) {
		const json_t *service = json_array_get(services, i);
		if (reply_flag(service, "wanted") && !reply_flag(service, "healthy"))
			code = CTL_DEGRADED;
		else if (is_named && is_stopped(service) && code == CTL_OK)
			code = CTL_NOT_RUNNING;
	}
	return code;
}

int exitcode_of_outcome(const json_t *outcome, const char *method)
{
	static const char *const down[] = { "STOPPED", "FAILED", "BACKOFF", "HUNG", NULL };
	static const char *const stopped[] = { "STOPPED", NULL };
	static const char *const paused[] = { "PAUSED", NULL };
	bool is_as_wanted = !is_state(outcome, down);
	if (!strcmp(method, "Stop") || !strcmp(method, "Drain"))
		is_as_wanted = is_state(outcome, stopped);
	else if (!strcmp(method, "Pause"))
		is_as_wanted = is_state(outcome, paused);
	return reply_flag(outcome, "done") && is_as_wanted ? CTL_OK : CTL_FAILED;
}

int exitcode_of_error(const char *error, bool is_query)
{
	static const char *const undecided[] = { "org.fdsup.PermissionDenied",
		"org.varlink.service.InterfaceNotFound", "org.varlink.service.MethodNotFound",
		"org.varlink.service.MethodNotImplemented",
		"org.varlink.service.InvalidParameter" };
	for (size_t i = 0; i < sizeof undecided / sizeof *undecided; i++)
		if (!strcmp(error, undecided[i]))
			return CTL_UNKNOWN;
	return is_query ? CTL_UNKNOWN : CTL_FAILED;
}

int exitcode_of_connect(int error)
{
	return error == ENOENT || error == ECONNREFUSED || error == ENOTDIR ? CTL_NOT_RUNNING
									    : CTL_UNKNOWN;
}
