/*
 * What the log says of a service and its connections. Lines about one connection have one form and
 * a fixed order of fields, so that they can be searched and counted:
 *
 *   NAME: END id=0000000000000a01 peer=192.0.2.1:4711 local=192.0.2.9:873 pid=4712 duration=0.120s
 *   cpu=0.003s status=0 in=5 out=1024
 *
 * What is unknown is "-".
 *
 * Lines about limits name the key of the configuration to change.
 */
#ifndef FDSUP_ACCEPTOR_SERVICE_LOG_H
#define FDSUP_ACCEPTOR_SERVICE_LOG_H

#include "acceptor/service.h"

void service_log_start(struct service *service, const struct ledger_entry *entry);

struct ending {
	uint64_t duration_us;
	uint64_t cpu_us;
	uint32_t max_rss_kib; /* 0: not known */
	int32_t status; /* as waitpid(2) gives it */
	bool is_by_kernel; /* no process has said that it ended: neither its usage nor status is known */
	bool has_bytes;    /* the worker has said these; the kernel's word, in the entry, goes first */
	uint64_t bytes_in, bytes_out;
};
void service_log_end(
	struct service *service, const struct ledger_entry *entry, const struct ending *ending);

/* `reason` is the key of the limit. At most ten lines a second, then their number. */
void service_log_refused(struct service *service, const struct ledger_entry *entry,
	const char *reason, uint64_t now_ns);
/* The number of lines left out, once their second is over. */
void service_log_refused_rest(struct service *service, uint64_t now_ns);
/* When to call that; NEVER_NS. */
uint64_t service_log_refused_ns(const struct service *service);

void service_log_lost(struct service *service, const struct ledger_entry *entry, int32_t worker);

/* Logs the beginning, once an episode. `entry`: the connection that met the limit, or NULL. */
void service_log_episode(struct service *service, enum episode_kind kind,
	const struct ledger_entry *entry, int error, uint64_t now_ns);
void service_log_ended_episodes(struct service *service, uint64_t now_ns);

/* 80 % of max_connections: said anew when it had fallen below 60 %, and not for a while. */
void service_log_fullness(struct service *service, uint64_t now_ns);

#endif
