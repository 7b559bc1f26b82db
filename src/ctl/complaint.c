#include "ctl/complaint.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/dead.h"
#include "ctl/display.h"
#include "ctl/exitcode.h"
#include "ctl/reply.h"

void complain(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	char *clean = display_format(true, format, args);
	va_end(args);
	fprintf(stderr, "fdsupctl: %s\n", clean ? clean : strerror(ENOMEM));
	free(clean);
}

int complain_connect(const char *socket_path, int error)
{
	const char *advice = "";
	if (error == ENOENT || error == ECONNREFUSED)
		advice = ": fdsup is not running, or uses another runtime_dir (-s SOCKET)";
	else if (error == EACCES || error == EPERM)
		advice = ": only root and those named by admin.status and admin.control in the "
			 "configuration may ask; try sudo";
	else if (error == ETIMEDOUT)
		advice = ": fdsup is there and does not accept; it hangs or is stopped";
	complain("cannot connect to %s: %s%s", socket_path, strerror(error), advice);
	return exitcode_of_connect(error);
}

static void complain_silence(const char *socket_path, unsigned timeout_ms)
{
	struct dead dead = { 0 };
	char process[24] = "";
	if (dead_inspect(socket_path, &dead) == 0 && dead.is_running)
		snprintf(process, sizeof process, " (pid %d)", (int)dead.pid);
	dead_fini(&dead);
	complain("fdsup%s does not answer on %s within %u s: it hangs or is stopped, or what was "
		 "asked for takes longer; its log may say why",
		process, socket_path, timeout_ms / 1000);
}

int complain_call(const char *socket_path, int error, unsigned timeout_ms)
{
	if (error == ETIMEDOUT)
		complain_silence(socket_path, timeout_ms);
	else if (error == EBADMSG || error == EMSGSIZE)
		complain("what listens on %s does not speak the language of fdsup: is it the right "
			 "socket "
			 "(-s SOCKET)?",
			socket_path);
	else if (error == ECONNRESET)
		complain("fdsup hung up on %s without an answer: its log may say why", socket_path);
	else
		complain("cannot talk to fdsup on %s: %s", socket_path, strerror(error));
	return CTL_UNKNOWN;
}

/* What the lines of an error reply are made of. */
static void complain_service(const json_t *parameters)
{
	const char *service = reply_text(parameters, "service");
	const char *closest = reply_text(parameters, "suggestion");
	if (closest)
		complain("there is no service \"%s\"; did you mean \"%s\"?", service ? service : "",
			closest);
	else
		complain("there is no service \"%s\"; `fdsupctl status` lists them",
			service ? service : "");
}

static void complain_reload(const json_t *parameters)
{
	const json_t *errors = json_object_get(parameters, "errors");
	for (size_t i = 0; i < json_array_size(errors); i++) {
		const char *line = json_string_value(json_array_get(errors, i));
		complain("%s", line ? line : "");
	}
	complain("nothing was changed; the running configuration stays in force");
}

void complain_kept(const json_t *failure)
{
	const char *service = reply_text(failure, "service"), *reason = reply_text(failure, "reason");
	complain("%s: the new configuration was tried and given up: %s; the one before stays in force",
		service ? service : "", reason ? reason : "");
}

/* Unknown errors are shown as they came: a later daemon may have more of them. */
static void complain_other(const struct client_reply *reply)
{
	const char *reason = reply_text(reply->parameters, "reason");
	char *text = json_dumps(reply->parameters, JSON_COMPACT);
	if (reason)
		complain("failed: %s", reason);
	else
		complain("fdsup answered %s %s", reply->error, text ? text : "");
	free(text);
}

void complain_reply(const char *socket_path, const struct client_reply *reply)
{
	const char *role = reply_text(reply->parameters, "role");
	const char *reason = reply_text(reply->parameters, "reason");
	if (!strcmp(reply->error, "org.fdsup.UnknownService"))
		complain_service(reply->parameters);
	else if (!strcmp(reply->error, "org.fdsup.PermissionDenied"))
		complain("permission denied on %s: it needs root or a name in admin.%s of the "
			 "configuration",
			socket_path, role ? role : "control");
	else if (!strcmp(reply->error, "org.fdsup.ReloadFailed"))
		complain_reload(reply->parameters);
	else if (!strcmp(reply->error, "org.fdsup.Busy"))
		complain("fdsup is busy: %s; try again when that is done", reason ? reason : "");
	else if (!strcmp(reply->error, "org.varlink.service.MethodNotFound"))
		complain("this fdsup does not know how to do that: it is older than this fdsupctl");
	else
		complain_other(reply);
}
