#include "config/foreign_keys.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

/* clang-format off */
/* The table of fdsup(8), MOVING FROM XINETD OR INETD, key by key. */
static const struct {
	const char *name, *remedy;
} keys[] = {
	{ "access_times", "write hours = [ \"08:00-18:00\" ] instead" },
	{ "banner_fail", "write refuse_message = \"the text itself\" instead" },
	{ "banner_success", "write banner = \"the text itself\" instead" },
	{ "bind", "write address = \"192.0.2.1\" instead" },
	{ "cps", "write rate = \"25/s\" instead: it delays and does not disable the service" },
	{ "deny_time", "there are no sensors; write deny = [ \"192.0.2.7\" ] for who is to stay out" },
	{ "disable", "write enabled = false instead of disable = yes" },
	{ "disabled", "write enabled = false in each of these services instead" },
	{ "env", "write environment = [ \"NAME=value\" ] instead" },
	{ "flags", "write keepalive = true or nodelay = true instead of these two flags; the others have "
		   "no counterpart, and NAMEINARGS is not needed" },
	{ "id", "the name of the group is that of the service: write it there" },
	{ "includedir", "write include = \"/etc/fdsup.d\" at the top of the main file instead" },
	{ "instances", "write max_connections = 10 instead" },
	{ "libwrap", "write allow = [ \"192.0.2.0/24\" ] and deny instead: hosts.allow is not read" },
	{ "log_on_failure", "write log = [ \"refuse\" ] instead" },
	{ "log_on_success", "write log = [ \"start\", \"end\" ] instead" },
	{ "log_type", "write log = { to = \"syslog\"; } or a path at the top of the main file instead" },
	{ "mdns", "there is no counterpart; services are not announced" },
	{ "no_access", "write deny = [ \"192.0.2.7\" ] instead" },
	{ "only_from", "write allow = [ \"192.0.2.0/24\" ] instead" },
	{ "passenv", "write pass_environment = [ \"NAME\" ] instead" },
	{ "per_source", "write max_per_source = 5 instead" },
	{ "redirect", "write to = \"host:port\" instead" },
	{ "rlimit_as", "write limits = { as = \"64M\"; } instead" },
	{ "rlimit_cpu", "write limits = { cpu = \"30s\"; } instead" },
	{ "rlimit_data", "write limits = { data = \"64M\"; } instead" },
	{ "rlimit_files", "write limits = { nofile = 1024; } instead" },
	{ "rlimit_rss", "the kernel does not heed it; write cgroup = { memory_max = \"64M\"; } instead" },
	{ "rlimit_stack", "write limits = { stack = \"8M\"; } instead" },
	{ "rpc_number", "services of the portmapper are not supported; give it a fixed port" },
	{ "rpc_version", "services of the portmapper are not supported; give it a fixed port" },
	{ "server", "write command = [ \"/path/of/program\", \"argument\" ] instead" },
	{ "server_args", "write them into command = [ \"/path/of/program\", \"argument\" ] instead" },
	{ "socket_type", "remove stream, which is what there is anyway; instead of dgram write protocol = \"udp\"" },
	{ "wait", "instead of wait = yes write type = \"listen\" and inetd = true; remove wait = no, "
		  "which is what there is anyway" },
};
/* clang-format on */

const char *foreign_key_remedy(const char *name)
{
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
		if (!strcasecmp(keys[i].name, name))
			return keys[i].remedy;
	return NULL;
}
