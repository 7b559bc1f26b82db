/*
 * The loaded configuration as plain structs. Nothing here knows libconfig, and nothing here changes
 * once it is loaded.
 *
 * Durations are milliseconds, sizes bytes, ids those of the system. Strings and lists are owned by
 * the struct that holds them; NULL and length 0 mean "not given" where a key has no default.
 * Once it has left the process that loaded it, all of it lies in one piece of memory (config/pack.h),
 * and the items of its lists end with a NULL, as exec wants them.
 */
#ifndef FDSUP_CONFIG_CONFIG_H
#define FDSUP_CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "wire/endpoint.h"
#include "wire/hours.h"
#include "wire/limits.h"
#include "wire/network.h"

enum service_type {
	SERVICE_EXEC,     /* a command for each connection */
	SERVICE_WORKER,   /* long-lived, takes connections from descriptor 3 */
	SERVICE_LISTEN,   /* long-lived, gets the listeners */
	SERVICE_EXTERNAL, /* the worker socket belongs to another program */
	SERVICE_REDIRECT, /* forwarded */
	SERVICE_BUILTIN,  /* echo, discard, ... */
	SERVICE_DAEMON,   /* long-lived, no sockets */
};

/* The small services of RFC 862 to 868. */
enum builtin_protocol {
	BUILTIN_ECHO,
	BUILTIN_DISCARD,
	BUILTIN_CHARGEN,
	BUILTIN_DAYTIME,
	BUILTIN_TIME,
};

/* In `capabilities`: exactly these, even if there are none. */
#define CAPABILITIES_GIVEN (UINT64_C(1) << 63)

/* What a service has that sets none. */
enum { MAX_CONNECTIONS_DEFAULT = 256 };

/*
 * Bytes of a text for clients: what any new connection takes at once, since nobody waits for a client
 * that does not read.
 */
enum { CLIENT_TEXT_MAX = 4096 };

/* Networks of allow and deny together, where no acceptor looks at them: net/filter.h. */
enum { KERNEL_NETWORKS_MAX = 160 };

/* Sockets that a program which gets the listeners may be handed. */
enum { LISTEN_SOCKETS_MAX = 16 };

/* Different UDP ports that the builtin services may have. */
enum { BUILTIN_PORTS_MAX = 64 };

enum service_protocol { PROTOCOL_TCP, PROTOCOL_UDP };
enum sandbox { SANDBOX_NONE, SANDBOX_BASIC, SANDBOX_STRICT };
enum stderr_target { STDERR_LOG, STDERR_CONNECTION, STDERR_NULL };
enum restart_rule { RESTART_ALWAYS, RESTART_ON_FAILURE, RESTART_NEVER };
enum ready_rule { READY_EXEC, READY_NOTIFY, READY_FD };
/* Who says what becomes of connections. */
enum ledger_source { LEDGER_BY_KERNEL, LEDGER_BY_REPORTS };
enum overflow_rule { OVERFLOW_WAIT, OVERFLOW_REFUSE, OVERFLOW_RESET };
enum redeliver_rule { REDELIVER_UNTOUCHED, REDELIVER_NEVER };
enum log_target { LOG_TO_STDERR, LOG_TO_SYSLOG, LOG_TO_FILE };

/* Bits of the key `log` of a service. */
enum { LOG_EVENT_START = 1, LOG_EVENT_END = 2, LOG_EVENT_REFUSE = 4 };

/* Unless it is empty, a NULL follows the last item: a command can be executed as it is. */
struct text_list {
	char **items;
	size_t n;
};

/* "10/s", "600/min": a token bucket of `burst` tokens that gains `count` in `per_ms`. 0/0: none. */
struct rate_limit {
	uint32_t count;
	uint32_t per_ms;
	uint32_t burst;
};

/* One address to listen on. */
struct listen_address {
	struct endpoint address;  /* AF_INET, AF_INET6 ("::" for "*"), or AF_UNIX without more */
	bool is_both_families;    /* "*": IPv4 as well; IPv4 alone where the kernel has no IPv6 */
	bool is_entrance;         /* a worker_socket: others send connections there */
	char *path;               /* of AF_UNIX: a path or "@name"; else NULL */
};

/* As whom a program runs: resolved when the configuration is loaded. */
struct account {
	char *user;
	char *home;
	char *shell;
	uid_t uid;
	gid_t gid;
	gid_t *groups; /* all supplementary groups, gid among them */
	size_t n_groups;
};

struct pack;

/* A file of the configuration as it was read. */
struct config_text {
	char *path;
	char *text;
};

/* Keys that resolve to something else in struct service_config, as they were written. */
struct service_written {
	struct text_list address;
	char *port;        /* a number or a name; NULL: all addresses are unix */
	char *socket_user; /* NULL: whoever runs fdsup */
	char *socket_group;
	char *user;        /* NULL: whoever runs fdsup */
	char *group;
	struct text_list groups;
	bool is_groups_given; /* exactly `groups`, else those of the user */
	struct text_list allow;
	struct text_list deny;
	unsigned after_line;  /* where the key after is */
	struct text_list hours;
};

/*
 * What its sockets are like. This and the three structs below are parts of a service in which most
 * services are alike: a pack has one for all of those.
 */
struct service_sockets {
	enum service_protocol protocol;
	uint32_t backlog;
	bool is_v6only;
	bool has_nodelay;
	bool has_keepalive;
	bool has_freebind;
	uint64_t defer_accept;    /* ms; 0: not deferred */
	char *interface;          /* NULL: any */
	uid_t socket_uid;
	gid_t socket_gid;
	uint32_t socket_mode;     /* 0: no address is a path */
};

/* What a program finds around it, and what is kept from it. */
struct service_surroundings {
	uint32_t umask;
	int32_t nice;
	char *directory;
	struct text_list environment;      /* NAME=value */
	struct text_list pass_environment; /* names */
	enum stderr_target stderr_target;
	bool has_no_new_privileges;
	enum sandbox sandbox;
	struct text_list sandbox_read;     /* absolute paths, below chroot */
	struct text_list sandbox_write;
	bool has_sandbox_network;
	bool is_cgroup_own;                /* even without a limit */
	uint64_t cgroup_memory_max;        /* 0: none */
	uint32_t cgroup_pids_max;          /* 0: none */
	uint32_t cgroup_cpu_max;           /* per cent of one CPU; 0: no limit */
	char *chroot;                      /* NULL: none */
	uint64_t capabilities;             /* bits, with CAPABILITIES_GIVEN; 0: as they are */
};

/* Who may connect, how many and for how long; 0 means no limit. */
struct service_admission {
	struct network *networks;   /* of allow, then those of deny */
	uint32_t n_allow;
	uint32_t n_deny;
	bool has_allow;             /* only those of allow may connect, even if there are none */
	struct window *windows;     /* of hours */
	uint32_t n_windows;         /* 0: always open */
	double max_load;
	char *refuse_message;       /* NULL or empty: none; so is banner */
	char *banner;
	uint32_t max_connections;
	uint32_t max_per_source;
	struct rate_limit rate;
	struct rate_limit rate_per_source;
	enum overflow_rule overflow;
	uint64_t overflow_wait;
	enum redeliver_rule redeliver;

	/* how long; 0: as long as it takes */
	uint64_t first_byte_timeout;
	uint64_t silence_timeout;
	uint64_t max_duration;
};

/* How many workers there are, what happens when they come and go, and what is said of it. */
struct service_supervision {
	uint32_t workers_min;
	uint32_t workers_max;
	uint64_t idle_timeout;
	uint32_t connections_per_worker;
	uint64_t max_age;           /* 0: none */
	uint32_t max_uses;          /* 0: none */
	uint64_t max_rss;           /* 0: none */
	uint32_t queue;

	enum restart_rule restart;
	enum ready_rule ready;
	uint64_t watchdog;          /* 0: none */
	uint64_t restart_delay;
	uint64_t restart_delay_max;
	uint64_t start_timeout;
	uint64_t stop_timeout;
	uint64_t drain_timeout;
	bool has_drain_timeout;    /* else it does not hold for workers of ours whose service stays */
	int32_t stop_signal;
	struct rate_limit give_up; /* count deaths within per_ms; 0: never */

	/* reporting */
	uint32_t log_events;
	enum log_address log_address;
};

struct service_config {
	char *name;
	char *file; /* where it is declared */
	unsigned line;
	struct pack *pack; /* the piece of memory in which it and all it points to lie; NULL: none */
	char *description;
	bool is_enabled;
	enum service_type type;

	struct service_written *written; /* NULL in a pack */
	struct service_surroundings *surroundings;
	struct service_admission *admission;
	struct service_supervision *supervision;

	/* where */
	struct listen_address *listen; /* address and port */
	size_t n_listen;
	struct service_sockets *sockets;

	/* what */
	struct text_list command; /* argv; items[0] as written */
	char *command_path;       /* absolute path of items[0] */
	char *worker_socket;
	char *to;                 /* of a redirect: "host:port", "unix:/path" */
	enum builtin_protocol builtin;
	bool is_inetd;            /* of listen: the socket is descriptor 0 */

	/* as whom */
	struct account *account; /* user, group and groups; in a pack one for many services */
	struct resource_limit *limits; /* LIMIT_KINDS of them; in a pack one for many services */

	struct text_list after; /* names of services */
};

struct config {
	char *file;
	struct pack *pack; /* as that of a service */
	char *runtime_dir;
	uint32_t n_acceptors;
	uint32_t max_notices; /* 0: no limit */
	char *acceptor_user;
	struct account acceptor_account;
	char *admin_socket; /* absolute path */
	struct text_list admin_control; /* user and group names: "alice", "@wheel" */
	struct text_list admin_status;
	bool is_status_public; /* "*" is in admin.status: every user of this machine may read */
	uid_t *control_uids; size_t n_control_uids;
	gid_t *control_gids; size_t n_control_gids;
	uid_t *status_uids; size_t n_status_uids;
	gid_t *status_gids; size_t n_status_gids;
	char *log_to; /* as written */
	enum log_target log_target;
	char *log_file; /* of LOG_TO_FILE */
	int log_level;  /* syslog(3) */
	enum ledger_source ledger;
	uint64_t edition;          /* the supervisor's: it counts what it has loaded */
	struct config_text *texts; /* what it was loaded from: the main file, then the included ones; */
	size_t n_texts;            /* 0 in a pack, which has them in a file */
	struct text_list warnings; /* for who checks the file: what is no error and may not be meant */
	struct service_config **services; /* in the order of their names */
	size_t n_services;
};

/*
 * What is wrong with a file. Every error of a run is kept, in the order of the lines.
 * "FILE:LINE: services.rsync.adress: unknown key; did you mean "address"?"
 */
struct config_errors {
	char **items;
	size_t n;
};

/*
 * Loads and validates. 0 and *ret_config, or -EINVAL with at least one text in *errors (which the
 * caller frees in both cases), or -ENOMEM. Binds nothing, starts nothing.
 */
int config_load(const char *path, struct config **ret_config, struct config_errors *errors);
void config_errors_free(struct config_errors *errors);

/*
 * The same from texts that were a configuration before, whatever the files hold now: what services
 * run by it goes on, so that a program or a folder that is gone meanwhile is no error.
 */
int config_load_texts(const struct config_text *texts, size_t n_texts, struct config **ret_config,
	struct config_errors *errors);
void config_free(struct config *config);
void service_config_free(struct service_config *service);

/* Moves a service out of the configuration: the caller's to free. NULL if it has none of that name. */
struct service_config *config_take_service(struct config *config, const char *name);

/* What a change of configuration asks of a running service; higher values include the lower. */
enum config_change {
	CHANGE_NONE,   /* nothing differs */
	CHANGE_APPLY,  /* limits and logging: the acceptor is told, nothing is restarted */
	CHANGE_ROLL,   /* workers of the new generation take over from the old */
	CHANGE_REBIND, /* other addresses: listeners are made and closed, workers roll */
	CHANGE_REPLACE, /* another type: stop the old one, start the new one */
};
enum config_change service_config_compare(
	const struct service_config *before, const struct service_config *after);

/* The same, and names every key that differs to `visit`. */
enum config_change service_config_changes(const struct service_config *before,
	const struct service_config *after, void (*visit)(void *context, const char *key),
	void *context);

/* Prints the effective configuration, defaults included, in the language of the file itself. */
void config_show(const struct config *config, void (*print)(void *context, const char *text),
	void *context);

/* "exec", "worker", ... */
const char *service_type_name(enum service_type type);

/* "tcp" or "udp". */
static inline const char *protocol_name(enum service_protocol protocol)
{
	return protocol == PROTOCOL_UDP ? "udp" : "tcp";
}

/* "tcp", "udp" or "unix". */
static inline const char *listen_protocol_name(
	const struct service_config *service, const struct listen_address *listen)
{
	return listen->path ? "unix" : protocol_name(service->sockets->protocol);
}

/* "echo", "discard", ... */
const char *builtin_name(enum builtin_protocol protocol);

/* One of the small services by UDP: there are no connections, which most keys of its type are about. */
static inline bool service_answers_datagrams(const struct service_config *service)
{
	return service->type == SERVICE_BUILTIN && service->sockets->protocol == PROTOCOL_UDP;
}

/* Its workers get the listeners themselves, and the first client starts the first of them. */
static inline bool service_gets_listeners(const struct service_config *service)
{
	return service->type == SERVICE_LISTEN || service_answers_datagrams(service);
}

/* Connections reach it through a queue of ours. */
static inline bool service_needs_queue(const struct service_config *service)
{
	return service->type != SERVICE_DAEMON && !service_gets_listeners(service);
}

/* Its processes are in a control group of their own. */
static inline bool service_has_cgroup(const struct service_config *service)
{
	const struct service_surroundings *around = service->surroundings;
	return around->is_cgroup_own || around->cgroup_memory_max || around->cgroup_pids_max ||
	       around->cgroup_cpu_max;
}

/* Its workers run a program of the administrator's. */
static inline bool service_type_runs_command(enum service_type type)
{
	return type == SERVICE_EXEC || type == SERVICE_WORKER || type == SERVICE_LISTEN ||
	       type == SERVICE_DAEMON;
}

/* Its workers are programs of fdsup's own: they report, drain and leave when they are idle. */
static inline bool service_type_is_ours(enum service_type type)
{
	return type == SERVICE_EXEC || type == SERVICE_EXTERNAL || type == SERVICE_REDIRECT ||
	       type == SERVICE_BUILTIN;
}

#endif
