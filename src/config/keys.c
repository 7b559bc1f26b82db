/*
 * The table itself. Read a row as: name, kind, places, types of service, default, then what is
 * done with it.
 */
#include "config/keys.h"

#include <string.h>
#include <syslog.h>

#include "base/text.h"

/* clang-format off */

static const struct key_name service_type_names[] = {
	{ "exec", SERVICE_EXEC },
	{ "daemon", SERVICE_DAEMON },
	{ "worker", SERVICE_WORKER },
	{ "listen", SERVICE_LISTEN },
	{ "external", SERVICE_EXTERNAL },
	{ "redirect", SERVICE_REDIRECT },
	{ "builtin", SERVICE_BUILTIN },
	{ NULL },
};

static const struct key_name protocol_names[] = {
	{ "tcp", PROTOCOL_TCP }, { "udp", PROTOCOL_UDP }, { NULL },
};
static const struct key_name ledger_names[] = {
	{ "kernel", LEDGER_BY_KERNEL }, { "reports", LEDGER_BY_REPORTS }, { NULL },
};
static const struct key_name builtin_names[] = {
	{ "echo", BUILTIN_ECHO }, { "discard", BUILTIN_DISCARD }, { "chargen", BUILTIN_CHARGEN },
	{ "daytime", BUILTIN_DAYTIME }, { "time", BUILTIN_TIME }, { NULL },
};
static const struct key_name stderr_names[] = {
	{ "log", STDERR_LOG }, { "connection", STDERR_CONNECTION }, { "null", STDERR_NULL }, { NULL },
};
static const struct key_name sandbox_names[] = {
	{ "none", SANDBOX_NONE }, { "basic", SANDBOX_BASIC }, { "strict", SANDBOX_STRICT }, { NULL },
};
static const struct key_name overflow_names[] = {
	{ "wait", OVERFLOW_WAIT }, { "refuse", OVERFLOW_REFUSE }, { "reset", OVERFLOW_RESET }, { NULL },
};
static const struct key_name redeliver_names[] = {
	{ "untouched", REDELIVER_UNTOUCHED }, { "never", REDELIVER_NEVER }, { NULL },
};
static const struct key_name restart_names[] = {
	{ "always", RESTART_ALWAYS }, { "on-failure", RESTART_ON_FAILURE }, { "never", RESTART_NEVER },
	{ NULL },
};
static const struct key_name ready_names[] = {
	{ "exec", READY_EXEC }, { "notify", READY_NOTIFY }, { "fd", READY_FD }, { NULL },
};
static const struct key_name log_event_names[] = {
	{ "start", LOG_EVENT_START }, { "end", LOG_EVENT_END }, { "refuse", LOG_EVENT_REFUSE },
	{ NULL },
};
static const struct key_name log_address_names[] = {
	{ "full", LOG_ADDRESS_FULL }, { "prefix", LOG_ADDRESS_PREFIX }, { "none", LOG_ADDRESS_NONE },
	{ NULL },
};
static const struct key_name log_level_names[] = {
	{ "error", LOG_ERR }, { "warning", LOG_WARNING }, { "notice", LOG_NOTICE },
	{ "info", LOG_INFO }, { "debug", LOG_DEBUG }, { NULL },
};

/* Which types of service a key has a meaning for. */
#define T(type) (1U << SERVICE_##type)
#define DATAGRAMS (1U << KEY_TYPE_DATAGRAMS)              /* builtin with protocol = "udp" */
#define TAKERS  (T(EXEC) | T(WORKER))                     /* the command takes part in serving */
#define OURS    (T(EXEC) | T(EXTERNAL) | T(REDIRECT) | T(BUILTIN)) /* workers are programs of fdsup */
#define QUEUED  (TAKERS | OURS)                           /* has our queue */
#define SOCKETS (QUEUED | T(LISTEN))                      /* clients connect to it */
#define PLACED  (SOCKETS | DATAGRAMS)                     /* has an address */
#define ADMITS  QUEUED                                    /* we accept for it */
#define LIMITS  (ADMITS | T(LISTEN))                      /* told for listen, which accepts itself */
#define RUNS    (TAKERS | T(LISTEN) | T(DAEMON))          /* runs a program of the administrator's */
#define ACCOUNT (RUNS | T(EXTERNAL))                      /* as whom something is done for it */
#define TENDED  (QUEUED | DATAGRAMS | T(LISTEN) | T(DAEMON)) /* has processes that we look after */
#define POOL    (QUEUED | DATAGRAMS | T(LISTEN) | T(DAEMON)) /* may run several */
#define STAYS   (T(WORKER) | T(LISTEN) | T(DAEMON))       /* is meant to run on */
#define EVERY   (PLACED | T(DAEMON))

/* A key of services alone, one that defaults = { } may hold as well, and one at the top. */
#define ALONE    .places = PLACE_SERVICE
#define SHARED   .places = PLACE_SERVICE | PLACE_DEFAULTS
#define TOP      .places = PLACE_GLOBAL, .is_supported = true

#define FIELD(in, where)                                                                       \
	.has_field = true, .is_supported = true, .part = KEY_IN_##in, .offset = (where)
#define SERVICE(field)      FIELD(SERVICE, offsetof(struct service_config, field))
#define WRITTEN(field)      FIELD(WRITTEN, offsetof(struct service_written, field))
#define LIMIT(kind)         FIELD(LIMITS, LIMIT_##kind * sizeof(struct resource_limit))
#define SOCKET(field)       FIELD(SOCKETS, offsetof(struct service_sockets, field))
#define SURROUNDINGS(field) FIELD(SURROUNDINGS, offsetof(struct service_surroundings, field))
#define ADMISSION(field)    FIELD(ADMISSION, offsetof(struct service_admission, field))
#define SUPERVISION(field)  FIELD(SUPERVISION, offsetof(struct service_supervision, field))
#define GLOBAL(field) .has_field = true, .offset = offsetof(struct config, field)
#define NOT_YET       .is_supported = false
/* A key whose only supported value is what happens anyway: nothing to store. */
#define NO_CHOICE     .is_supported = true

#define APPLY   .change = CHANGE_APPLY
#define ROLL    .change = CHANGE_ROLL
#define REBIND  .change = CHANGE_REBIND
#define REPLACE .change = CHANGE_REPLACE

#define RANGE(low, high) .min = (low), .max = (high)
#define SECOND 1000LL
#define HOUR   (3600 * SECOND)
#define DAY    (24 * HOUR)

/* In the order of the manual. */
const struct config_key config_keys[] = {
	/* global */
	{ "include", KEY_STRINGS, TOP,
	  .help = "folders whose *.conf files hold further services, read in the order of their names" },
	{ "defaults", KEY_GROUP, TOP,
	  .help = "keys that hold for every service which does not set them itself" },
	{ "services", KEY_GROUP, .places = PLACE_GLOBAL | PLACE_INCLUDED, .is_supported = true,
	  .help = "the services, each a group under its name" },
	{ "runtime_dir", KEY_PATH, TOP, GLOBAL(runtime_dir),
	  .help = "folder of the sockets; by default /run/fdsup, or $XDG_RUNTIME_DIR/fdsup without root" },
	{ "acceptors", KEY_INTEGER, TOP, .default_text = "1", GLOBAL(n_acceptors), RANGE(1, 64),
	  .help = "acceptor processes among which the services are shared out" },
	{ "acceptor_user", KEY_ID, TOP, GLOBAL(acceptor_user),
	  .help = "user of the acceptors when started by root; by default fdsup, else nobody" },
	{ "ledger", KEY_ENUM, TOP, .default_text = "kernel", GLOBAL(ledger), .names = ledger_names,
	  .help = "who tells the ends of connections: the kernel, or what workers report alone" },
	{ "max_notices", KEY_INTEGER, TOP, .default_text = "4000", GLOBAL(max_notices), RANGE(0, 1000000),
	  .help = "connections a second up to which the kernel tells of each end; it is asked beyond" },
	{ "admin", KEY_GROUP, TOP, .help = "the socket that fdsupctl talks to" },
	{ "admin.socket", KEY_SOCKET, TOP, GLOBAL(admin_socket),
	  .help = "path of the admin socket; by default admin.sock in runtime_dir" },
	{ "admin.control", KEY_STRINGS, TOP, GLOBAL(admin_control),
	  .help = "users and \"@group\" who may change things, besides root and whoever runs fdsup" },
	{ "admin.status", KEY_STRINGS, TOP, GLOBAL(admin_status),
	  .help = "users and \"@group\" who may look, besides those of admin.control; \"*\" is everybody" },
	{ "log", KEY_GROUP, TOP, .help = "where fdsup's own log goes" },
	{ "log.to", KEY_STRING, TOP, .default_text = "stderr", GLOBAL(log_to),
	  .help = "\"stderr\", \"syslog\" or the path of a file" },
	{ "log.level", KEY_ENUM, TOP, .default_text = "info", GLOBAL(log_level), .names = log_level_names,
	  .help = "least important level that is logged" },

	/* where */
	{ "address", KEY_STRINGS, SHARED, PLACED, "*", WRITTEN(address), REBIND,
	  .help = "IPv4, IPv6, \"unix:/path\" or \"unix:@name\"; \"*\" is every IP address" },
	{ "port", KEY_PORT, ALONE, PLACED, WRITTEN(port), REBIND,
	  .help = "port, a number or a name from /etc/services" },
	{ "protocol", KEY_ENUM, SHARED, PLACED, "tcp", SOCKET(protocol), REPLACE, .names = protocol_names,
	  .help = "transport" },
	{ "interface", KEY_STRING, SHARED, PLACED, SOCKET(interface), REBIND,
	  .help = "network interface that connections must come in by" },
	{ "backlog", KEY_INTEGER, SHARED, SOCKETS, "4096", SOCKET(backlog), APPLY, RANGE(1, 65535),
	  .help = "connections that may wait in the kernel, which caps it at net.core.somaxconn" },
	{ "freebind", KEY_BOOLEAN, SHARED, PLACED, "false", SOCKET(has_freebind), REBIND,
	  .help = "listen on addresses that do not exist yet" },
	{ "v6only", KEY_BOOLEAN, SHARED, PLACED, "false", SOCKET(is_v6only), REBIND,
	  .help = "an IPv6 address takes no IPv4 connections" },
	{ "nodelay", KEY_BOOLEAN, SHARED, SOCKETS, "false", SOCKET(has_nodelay), APPLY,
	  .help = "small writes are sent at once (TCP_NODELAY)" },
	{ "keepalive", KEY_BOOLEAN, SHARED, SOCKETS, "false", SOCKET(has_keepalive), APPLY,
	  .help = "the kernel looks after silent peers (SO_KEEPALIVE)" },
	{ "defer_accept", KEY_DURATION, SHARED, SOCKETS, SOCKET(defer_accept), APPLY, RANGE(0, HOUR),
	  .help = "wait so long for a first byte before a connection counts as one; by default not at all" },
	{ "socket_user", KEY_ID, SHARED, SOCKETS, WRITTEN(socket_user), APPLY,
	  .help = "owner of the Unix sockets; by default whoever runs fdsup" },
	{ "socket_group", KEY_ID, SHARED, SOCKETS, WRITTEN(socket_group), APPLY,
	  .help = "group of the Unix sockets; by default that of whoever runs fdsup" },
	{ "socket_mode", KEY_MODE, SHARED, SOCKETS, SOCKET(socket_mode), APPLY, RANGE(0, 0777),
	  .help = "who may connect to the Unix sockets; by default 0600, their owner alone" },

	/* what */
	{ "type", KEY_ENUM, ALONE, EVERY, SERVICE(type), REPLACE, .names = service_type_names,
	  .reads_future = true,
	  .help = "what the command is; by default exec with a port or an address, else daemon" },
	{ "command", KEY_COMMAND, ALONE, RUNS, SERVICE(command), ROLL,
	  .help = "program and arguments, a list or one string that is split into words" },
	{ "worker_socket", KEY_SOCKET, ALONE, TAKERS | T(EXTERNAL), SERVICE(worker_socket), ROLL,
	  .help = "Unix socket, path or \"@name\", on which connections are handed over" },
	{ "to", KEY_STRING, ALONE, T(REDIRECT), SERVICE(to), ROLL,
	  .help = "where connections are forwarded: \"host:port\" or \"unix:/path\"" },
	{ "builtin", KEY_ENUM, ALONE, T(BUILTIN) | DATAGRAMS, SERVICE(builtin), ROLL, .names = builtin_names,
	  .help = "which of the small services" },
	{ "inetd", KEY_BOOLEAN, SHARED, T(LISTEN), "false", SERVICE(is_inetd), ROLL,
	  .help = "the socket is descriptor 0 and 1, as inetd hands it to a wait service" },
	{ "enabled", KEY_BOOLEAN, SHARED, EVERY, "true", SERVICE(is_enabled), REPLACE,
	  .help = "false keeps the service in the file but not running" },
	{ "description", KEY_STRING, ALONE, EVERY, SERVICE(description), APPLY,
	  .help = "for people" },

	/* as whom */
	{ "user", KEY_ID, SHARED, ACCOUNT, WRITTEN(user), ROLL,
	  .help = "user the program runs as; by default whoever runs fdsup" },
	{ "group", KEY_ID, SHARED, ACCOUNT, WRITTEN(group), ROLL,
	  .help = "group the program runs as; by default that of the user" },
	{ "groups", KEY_IDS, SHARED, ACCOUNT, WRITTEN(groups), ROLL,
	  .help = "supplementary groups, exactly these; by default those of the user" },
	{ "umask", KEY_MODE, SHARED, RUNS, "022", SURROUNDINGS(umask), ROLL, RANGE(0, 0777),
	  .help = "file permissions that are not given" },
	{ "nice", KEY_INTEGER, SHARED, RUNS, "0", SURROUNDINGS(nice), ROLL, RANGE(-20, 19),
	  .help = "scheduling priority" },
	{ "directory", KEY_PATH, SHARED, RUNS, "/", SURROUNDINGS(directory), ROLL,
	  .help = "working directory" },
	{ "chroot", KEY_PATH, SHARED, RUNS, SURROUNDINGS(chroot), ROLL,
	  .help = "root directory; the command and directory are below it" },
	{ "environment", KEY_STRINGS, SHARED, RUNS, SURROUNDINGS(environment), ROLL,
	  .help = "\"NAME=value\" added to the environment" },
	{ "pass_environment", KEY_STRINGS, SHARED, RUNS, SURROUNDINGS(pass_environment), ROLL,
	  .help = "names of variables passed on from fdsup's own environment" },
	{ "stderr", KEY_ENUM, SHARED, RUNS, "log", SURROUNDINGS(stderr_target), ROLL, .names = stderr_names,
	  .help = "where standard error goes" },
	{ "limits", KEY_GROUP, SHARED, RUNS, NO_CHOICE, ROLL, .help = "resource limits" },
	{ "limits.nofile", KEY_COUNT_LIMIT, SHARED, RUNS, LIMIT(NOFILE), ROLL, .min = 4,
	  .help = "open descriptors; by default a soft limit of 1024" },
	{ "limits.nproc", KEY_COUNT_LIMIT, SHARED, RUNS, LIMIT(NPROC), ROLL,
	  .help = "processes of the user, counted when the program starts another one" },
	{ "limits.as", KEY_SIZE_LIMIT, SHARED, RUNS, LIMIT(AS), ROLL, .min = 1 << 20,
	  .help = "address space of a process" },
	{ "limits.cpu", KEY_TIME_LIMIT, SHARED, RUNS, LIMIT(CPU), ROLL, .min = 1,
	  .help = "seconds of CPU time of a process" },
	{ "limits.core", KEY_SIZE_LIMIT, SHARED, RUNS, LIMIT(CORE), ROLL, .help = "size of a core file" },
	{ "limits.data", KEY_SIZE_LIMIT, SHARED, RUNS, LIMIT(DATA), ROLL, .min = 1 << 12,
	  .help = "size of the data segment" },
	{ "limits.fsize", KEY_SIZE_LIMIT, SHARED, RUNS, LIMIT(FSIZE), ROLL,
	  .help = "size of a file that is written" },
	{ "limits.memlock", KEY_SIZE_LIMIT, SHARED, RUNS, LIMIT(MEMLOCK), ROLL, .help = "locked memory" },
	{ "limits.stack", KEY_SIZE_LIMIT, SHARED, RUNS, LIMIT(STACK), ROLL, .min = 1 << 17,
	  .help = "size of the stack" },
	{ "cgroup", KEY_GROUP, SHARED, RUNS, NO_CHOICE, ROLL,
	  .help = "limits of all processes of the service together (cgroup v2)" },
	{ "cgroup.memory_max", KEY_SIZE, SHARED, RUNS, SURROUNDINGS(cgroup_memory_max), ROLL,
	  RANGE(1 << 20, 1LL << 50), .help = "memory" },
	{ "cgroup.pids_max", KEY_INTEGER, SHARED, RUNS, SURROUNDINGS(cgroup_pids_max), ROLL,
	  RANGE(1, 4194304), .help = "processes and threads" },
	{ "cgroup.cpu_max", KEY_INTEGER, SHARED, RUNS, SURROUNDINGS(cgroup_cpu_max), ROLL,
	  RANGE(1, 1000000), .help = "CPU time, in per cent of one CPU" },
	{ "cgroup.own", KEY_BOOLEAN, SHARED, RUNS, "false", SURROUNDINGS(is_cgroup_own), ROLL,
	  .help = "a group of its own even without a limit, so that stopping finds all processes" },
	{ "no_new_privileges", KEY_BOOLEAN, SHARED, RUNS, "false", SURROUNDINGS(has_no_new_privileges), ROLL,
	  .help = "set-user-id programs have no effect" },
	{ "capabilities", KEY_CAPABILITIES, SHARED, RUNS, SURROUNDINGS(capabilities), ROLL,
	  .help = "capabilities that the program has, exactly these; by default root has all" },
	{ "sandbox", KEY_ENUM, SHARED, RUNS, "none", SURROUNDINGS(sandbox), ROLL, .names = sandbox_names,
	  .help = "how much of the system the program sees" },
	{ "sandbox_read", KEY_STRINGS, SHARED, RUNS, SURROUNDINGS(sandbox_read), ROLL,
	  .help = "files and folders that it may read and execute with sandbox = \"strict\"" },
	{ "sandbox_write", KEY_STRINGS, SHARED, RUNS, SURROUNDINGS(sandbox_write), ROLL,
	  .help = "files and folders that it may read and write then, besides directory" },
	{ "sandbox_network", KEY_BOOLEAN, SHARED, RUNS, "false", SURROUNDINGS(has_sandbox_network), ROLL,
	  .help = "it may open network sockets of its own then" },

	/* how many */
	{ "workers", KEY_GROUP, SHARED, POOL, NO_CHOICE, APPLY, .help = "how many worker processes" },
	{ "workers.min", KEY_INTEGER, SHARED, POOL, SUPERVISION(workers_min), APPLY, RANGE(0, 1000),
	  .help = "kept running; by default 1 for worker and daemon, else 0: on demand" },
	{ "workers.max", KEY_INTEGER, SHARED, POOL, SUPERVISION(workers_max), APPLY, RANGE(1, 1000),
	  .help = "at most; by default one a CPU up to 16 for exec and worker, else 1" },
	{ "spares", KEY_INTEGER, SHARED, T(EXEC), NOT_YET, APPLY, RANGE(0, 1000),
	  .help = "children kept ready for the next connections" },
	{ "connections_per_worker", KEY_INTEGER, SHARED, T(WORKER), "1", SUPERVISION(connections_per_worker),
	  APPLY, RANGE(1, 1000000),
	  .help = "connections that one worker serves at a time" },
	{ "max_uses", KEY_INTEGER, SHARED, T(WORKER), SUPERVISION(max_uses), APPLY, RANGE(1, 1000000000),
	  .help = "connections after which a worker is replaced" },
	{ "max_age", KEY_DURATION, SHARED, T(WORKER), SUPERVISION(max_age), ROLL, RANGE(SECOND, 365 * DAY),
	  .help = "age at which a worker is replaced" },
	{ "max_rss", KEY_SIZE, SHARED, STAYS, SUPERVISION(max_rss), APPLY, RANGE(1 << 20, 1LL << 40),
	  .help = "memory (resident set) at which a worker is replaced" },
	{ "idle_timeout", KEY_DURATION, SHARED, OURS | DATAGRAMS, "10s", SUPERVISION(idle_timeout), ROLL,
	  RANGE(100, DAY), .help = "an idle worker above workers.min ends after this time" },
	{ "queue", KEY_INTEGER, SHARED, QUEUED, "256", SUPERVISION(queue), APPLY, RANGE(1, 16384),
	  .help = "connections that may wait for a worker" },

	/* admission */
	{ "allow", KEY_STRINGS, SHARED, PLACED, WRITTEN(allow), APPLY,
	  .help = "networks that may connect, and no others; by default all" },
	{ "deny", KEY_STRINGS, SHARED, PLACED, WRITTEN(deny), APPLY,
	  .help = "networks that may not connect, whatever allow says" },
	{ "hours", KEY_STRINGS, SHARED, ADMITS, WRITTEN(hours), APPLY,
	  .help = "local times at which clients may connect: \"08:00-18:00\", \"mon-fri 22:00-06:00\"" },
	{ "max_connections", KEY_INTEGER, SHARED, LIMITS, "256", ADMISSION(max_connections), APPLY,
	  RANGE(0, 1000000), .help = "connections at a time; 0: no limit" },
	{ "max_per_source", KEY_INTEGER, SHARED, LIMITS, "0", ADMISSION(max_per_source), APPLY,
	  RANGE(0, 1000000), .help = "connections at a time of one IPv4 address, IPv6 /64 or local user; 0: no limit" },
	{ "rate", KEY_RATE, SHARED, LIMITS | DATAGRAMS, "none", ADMISSION(rate), APPLY,
	  .help = "new connections, or answers by UDP, in a time: \"10/s\", \"600/min\", \"10/s burst 50\"" },
	{ "rate_per_source", KEY_RATE, SHARED, LIMITS, "none", ADMISSION(rate_per_source), APPLY,
	  .help = "the same for one IPv4 address, IPv6 /64 or local user" },
	{ "overflow", KEY_ENUM, SHARED, ADMITS, "wait", ADMISSION(overflow), APPLY, .names = overflow_names,
	  .help = "what becomes of connections above a limit" },
	{ "overflow_wait", KEY_DURATION, SHARED, ADMITS, "10s", ADMISSION(overflow_wait), APPLY,
	  RANGE(0, HOUR), .help = "how long an accepted connection waits before it is refused" },
	{ "refuse_message", KEY_STRING, SHARED, ADMITS, ADMISSION(refuse_message), APPLY,
	  .help = "text that is sent to whom is refused" },
	{ "banner", KEY_STRING, SHARED, ADMITS, ADMISSION(banner), APPLY,
	  .help = "text that is sent to whom is accepted, before the program sends anything" },
	{ "max_load", KEY_NUMBER, SHARED, ADMITS, "0", ADMISSION(max_load), APPLY, RANGE(0, 100000),
	  .help = "load average of the last minute above which connections are refused; 0: no limit" },
	{ "redeliver", KEY_ENUM, SHARED, QUEUED, "untouched", ADMISSION(redeliver), APPLY, .names = redeliver_names,
	  .help = "whether a connection whose worker died goes to another" },

	/* how long */
	{ "first_byte_timeout", KEY_DURATION, SHARED, ADMITS, "0", ADMISSION(first_byte_timeout), APPLY, RANGE(0, DAY),
	  .help = "a client that has sent nothing by then is disconnected; 0: never" },
	{ "silence_timeout", KEY_DURATION, SHARED, ADMITS, "0", ADMISSION(silence_timeout), APPLY, RANGE(0, 365 * DAY),
	  .help = "a connection without traffic for so long is ended; 0: never" },
	{ "max_duration", KEY_DURATION, SHARED, ADMITS, "0", ADMISSION(max_duration), APPLY, RANGE(0, 365 * DAY),
	  .help = "a connection that lasts longer is ended; 0: never" },

	/* supervision */
	{ "restart", KEY_ENUM, SHARED, STAYS, "always", SUPERVISION(restart), APPLY, .names = restart_names,
	  .help = "whether a worker that ended is started again" },
	{ "restart_delay", KEY_DURATION, SHARED, TENDED, "200ms", SUPERVISION(restart_delay), APPLY,
	  RANGE(10, DAY), .help = "wait after a first early death; it doubles with each further one" },
	{ "restart_delay_max", KEY_DURATION, SHARED, TENDED, "60s", SUPERVISION(restart_delay_max), APPLY,
	  RANGE(10, DAY), .help = "longest such wait" },
	{ "start_timeout", KEY_DURATION, SHARED, TENDED, "30s", SUPERVISION(start_timeout), APPLY,
	  RANGE(100, DAY), .help = "a worker that is not ready by then is ended" },
	{ "stop_timeout", KEY_DURATION, SHARED, TENDED, "10s", SUPERVISION(stop_timeout), APPLY,
	  RANGE(0, DAY), .help = "from the stop signal to KILL" },
	{ "drain_timeout", KEY_DURATION, SHARED, SOCKETS | DATAGRAMS, SUPERVISION(drain_timeout), APPLY,
	  RANGE(100, 365 * DAY), .help = "how long what is served may go on when its worker or service goes" },
	{ "stop_signal", KEY_SIGNAL, SHARED, RUNS, "TERM", SUPERVISION(stop_signal), APPLY, RANGE(1, 64),
	  .help = "signal that asks a worker to end" },
	{ "ready", KEY_ENUM, SHARED, STAYS, "exec", SUPERVISION(ready), ROLL, .names = ready_names,
	  .help = "when a worker counts as ready" },
	{ "watchdog", KEY_DURATION, SHARED, T(WORKER), SUPERVISION(watchdog), APPLY, RANGE(100, DAY),
	  .help = "a worker that takes nothing for so long while connections wait is restarted" },
	{ "give_up", KEY_DEATHS, SHARED, TENDED, "none", SUPERVISION(give_up), APPLY,
	  .help = "early deaths in a time after which the service counts as failed: \"5/10s\"" },
	{ "after", KEY_STRINGS, ALONE, EVERY, SERVICE(after), APPLY,
	  .help = "services that are started before, and stopped after it" },

	/* reporting */
	{ "log", KEY_FLAGS, SHARED, ADMITS, "end refuse", SUPERVISION(log_events), APPLY,
	  .names = log_event_names, .help = "which events of a connection get a line" },
	{ "log_address", KEY_ENUM, SHARED, ADMITS | DATAGRAMS, "full", SUPERVISION(log_address), APPLY, .names = log_address_names,
	  .help = "how much of a client's address is logged and shown" },
};

/* clang-format on */

enum { N_KEYS = sizeof config_keys / sizeof *config_keys };
_Static_assert((int)N_KEYS <= (int)CONFIG_KEYS_MAX, "one place a key");

const size_t config_keys_n = N_KEYS;

/*
 * Where to look for a name: the number of its row and 1, by its hash; 0 ends a search. A file of 500
 * services needs ten thousand look-ups. Made once.
 */
enum { N_PLACES = 512 };
_Static_assert(N_PLACES >= 2 * N_KEYS, "searches end soon");
static uint8_t places_by_name[N_PLACES];
_Static_assert(N_KEYS <= UINT8_MAX, "a row fits");

static size_t first_place(const char *name)
{
	uint32_t hash = 0;
	for (; *name; name++)
		hash = hash * 31 + (unsigned char)*name;
	return hash;
}

/* Rows of one name stay in their order. */
static void fill_places(void)
{
	for (size_t i = 0; i < N_KEYS; i++) {
		size_t at = first_place(config_keys[i].name);
		while (places_by_name[at % N_PLACES])
			at++;
		places_by_name[at % N_PLACES] = (uint8_t)(i + 1);
	}
}

const struct config_key *key_find(const char *name, unsigned places)
{
	static bool is_filled;
	if (!is_filled)
		fill_places();
	is_filled = true;
	for (size_t at = first_place(name); places_by_name[at % N_PLACES]; at++) {
		const struct config_key *key = &config_keys[places_by_name[at % N_PLACES] - 1];
		if ((key->places & places) && !strcmp(key->name, name))
			return key;
	}
	return NULL;
}

/* The rows of a group follow it. */
bool key_has_members(const struct config_key *key)
{
	size_t length = strlen(key->name);
	const struct config_key *next = key + 1;
	return key->kind == KEY_GROUP && next < config_keys + N_KEYS &&
	       !strncmp(next->name, key->name, length) && next->name[length] == '.';
}

const char *key_closest(const char *name, enum key_place place)
{
	const char *names[N_KEYS];
	size_t n = 0;
	for (size_t i = 0; i < N_KEYS; i++)
		if (config_keys[i].places & place)
			names[n++] = config_keys[i].name;
	return text_closest(name, names, n);
}

static const char *name_of(const struct key_name *names, int value)
{
	for (const struct key_name *name = names; name->name; name++)
		if (name->value == value)
			return name->name;
	return "?";
}

const char *service_type_name(enum service_type type)
{
	return name_of(service_type_names, (int)type);
}

const char *builtin_name(enum builtin_protocol protocol)
{
	return name_of(builtin_names, (int)protocol);
}
