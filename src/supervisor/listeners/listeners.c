#include "supervisor/listeners/listeners.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "net/holder.h"
#include "supervisor/listeners/bound_name.h"
#include "supervisor/listeners/regain.h"

bool listen_address_is_same(const struct listen_address *a, const struct listen_address *b)
{
	return a->is_entrance == b->is_entrance && listen_address_equal(a, b);
}

bool listen_address_equal(const struct listen_address *a, const struct listen_address *b)
{
	if (a->path || b->path)
		return a->path && b->path && !strcmp(a->path, b->path);
	return a->is_both_families == b->is_both_families &&
	       a->address.family == b->address.family && a->address.port == b->address.port &&
	       a->address.scope == b->address.scope &&
	       !memcmp(a->address.ip, b->address.ip, sizeof a->address.ip);
}

char *listen_address_format(char text[LISTEN_TEXT_SIZE], const struct listen_address *where)
{
	if (where->path)
		snprintf(text, LISTEN_TEXT_SIZE, "%s", where->path);
	else
		listener_format(text, &where->address, where->is_both_families);
	return text;
}

static void describe_in_use(
	int protocol, const struct listen_address *where, char *text, size_t size)
{
	struct holder holder;
	char who[HOLDER_TEXT_SIZE];
	if (holder_find(protocol, &where->address, &holder) == 0)
		snprintf(text, size, "address in use, held by %s; stop it, or choose another port",
			holder_format(who, &holder));
	else
		snprintf(text, size, "address in use; ss -ltnp, as root, tells by whom");
}

void listeners_explain(const struct service_config *config, const struct listen_address *where, int r,
	const char *step, char error[LISTENERS_ERROR_SIZE])
{
	char address[LISTEN_TEXT_SIZE], reason[HOLDER_TEXT_SIZE + 64];
	bool is_short = r == -EMFILE || r == -ENFILE;
	listen_address_format(address, where);
	if (where->path && !is_short)
		bound_name_explain(where->path, r, reason, sizeof reason);
	else if (r == -EADDRINUSE)
		describe_in_use(
			config->sockets->protocol == PROTOCOL_UDP ? IPPROTO_UDP : IPPROTO_TCP,
			where, reason, sizeof reason);
	else if (r == -EACCES && where->address.port < 1024)
		snprintf(reason, sizeof reason,
			"permission denied; ports below 1024 need root: start fdsup as root, "
			"or choose a higher port");
	else if (r == -EADDRNOTAVAIL)
		snprintf(reason, sizeof reason,
			"this machine does not have the address (see ip addr); it is bound as soon as it "
			"appears, or correct the key address");
	else if (r == -ENODEV && config->sockets->interface)
		snprintf(reason, sizeof reason,
			"there is no interface %s (see ip link); it is bound as soon as it appears, or "
			"correct the key interface",
			config->sockets->interface);
	else if (r == -EPERM && config->sockets->interface)
		snprintf(reason, sizeof reason,
			"%s: permission denied; start fdsup as root, or with a kernel from Linux 5.7 on",
			step);
	else if (is_short)
		snprintf(reason, sizeof reason, "%s; raise the limit on open files (ulimit -n, LimitNOFILE)",
			strerror(-r));
	else if (r == -EPERM && strstr(step, "SO_ATTACH_FILTER"))
		snprintf(reason, sizeof reason,
			"%s: this kernel wants CAP_NET_ADMIN for that; start fdsup with it, remove both keys and "
			"use a packet filter, or write type = \"worker\"",
			step);
	else
		snprintf(reason, sizeof reason, "%s: %s", step, strerror(-r));
	snprintf(error, LISTENERS_ERROR_SIZE, "%.200s:%u: services.%s: cannot listen on %s %s: %s",
		config->file, config->line, config->name,
		listen_protocol_name(config, where), address, reason);
}

_Static_assert((int)FILTER_NETWORKS_MAX == (int)KERNEL_NETWORKS_MAX, "what is loaded can be attached");

/*
 * Allow and deny are the acceptor's to observe, and the kernel's where there is no acceptor. Unix
 * sockets have no addresses.
 */
static struct filter_rules filter_of(
	const struct service_config *config, const struct listen_address *where)
{
	if (!service_gets_listeners(config) || where->path)
		return (struct filter_rules){ .has_allow = false };
	return (struct filter_rules){
		.has_allow = config->admission->has_allow,
		.allow = config->admission->networks,
		.n_allow = config->admission->n_allow,
		.deny = config->admission->networks + config->admission->n_allow,
		.n_deny = config->admission->n_deny,
	};
}

/* If the kernel does not take the new rules, nobody gets in: that is seen. */
static void apply_filter(const struct service_config *config, const struct listener *listener)
{
	const struct filter_rules nobody = { .has_allow = true };
	struct filter_rules rules = filter_of(config, &listener->where);
	int r = listener->where.path ? 0 : filter_attach(listener->fd, &rules);
	if (r == 0)
		return;
	bool is_closed = filter_attach(listener->fd, &nobody) == 0;
	log_error("%s: the kernel does not take allow and deny: %s; %s", config->name, strerror(-r),
		is_closed ? "nobody can connect until it does" : "those of before hold");
}

static struct listener_options options_of(
	const struct service_config *config, const struct listen_address *where)
{
	return (struct listener_options){
		.address = where->address,
		.is_both_families = where->is_both_families,
		.is_v6only = config->sockets->is_v6only,
		.backlog = (int)config->sockets->backlog,
		.has_nodelay = config->sockets->has_nodelay,
		.has_keepalive = config->sockets->has_keepalive,
		.has_freebind = config->sockets->has_freebind,
		.defer_s = (unsigned)((config->sockets->defer_accept + 999) / 1000),
		.interface = config->sockets->interface,
		.is_udp = config->sockets->protocol == PROTOCOL_UDP,
		/* Of a program that accepts itself; the acceptor never waits in accept. */
		.is_blocking = config->type == SERVICE_LISTEN,
	};
}

static int bind_one(const struct service_config *config, struct listener *listener,
	bool shares_port, const char **ret_step)
{
	struct listener_options options = options_of(config, &listener->where);
	struct filter_rules filter = filter_of(config, &listener->where);
	options.shares_port = shares_port;
	options.filter = filter_is_empty(&filter) ? NULL : &filter;
	const char *path = listener->where.path;
	*ret_step = "socket";
	int r = path ? bound_name_listen(config, path, &listener->fd, &listener->name)
		     : listener_open(&options, &listener->fd, ret_step);
	int fd = r == -EADDRINUSE && !path ? regain_listener(&listener->where, options.is_udp) : -1;
	if (fd >= 0) {
		listener->fd = fd;
		listener_apply(fd, &options);
		apply_filter(config, listener);
		return 0;
	}
	if (r == 0 && path)
		listener_apply(listener->fd, &options);
	return r;
}

static int open_one(const struct service_config *config, struct listener *listener,
	bool shares_port, char error[LISTENERS_ERROR_SIZE])
{
	const char *step;
	int r = bind_one(config, listener, shares_port, &step);
	if (r < 0)
		listeners_explain(config, &listener->where, r, step, error);
	return r;
}

void listeners_apply(const struct service_config *config, const struct listener *listeners, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		struct listener_options options = options_of(config, &listeners[i].where);
		apply_filter(config, &listeners[i]);
		listener_apply(listeners[i].fd, &options);
		if (listeners[i].name)
			bound_name_apply(listeners[i].name, config);
	}
}

static int take_over(const struct service_config *config, struct listener *listener,
	const struct listener *bound, char error[LISTENERS_ERROR_SIZE])
{
	int fd = fd_copy(bound->fd);
	if (fd < 0) {
		int r = -errno;
		listeners_explain(config, &listener->where, r, "dup", error);
		return r;
	}
	listener->fd = fd;
	listener->name = bound_name_share(bound->name);
	listener->is_taken_over = true;
	return 0;
}

static uint32_t last_id;

void listeners_know_id(uint32_t id)
{
	if (id > last_id)
		last_id = id;
}

bool listeners_may_appear(int r)
{
	return r == -EADDRNOTAVAIL || r == -ENODEV;
}

static struct listener new_listener(const struct listen_address *where)
{
	return (struct listener){ .fd = -1, .id = ++last_id, .where = *where };
}

/* The configuration may go before the socket does. */
static void keep_name(struct listener *listener)
{
	listener->where.path = listener->name ? listener->name->text : NULL;
}

static int open_all(const struct service_config *config, listeners_find_bound *find, void *context,
	struct listener *listeners, uint32_t *ret_n, char error[LISTENERS_ERROR_SIZE])
{
	int r = 0;
	*ret_n = 0;
	for (uint32_t i = 0; i < config->n_listen && r == 0; i++) {
		struct listener *listener = &listeners[*ret_n];
		bool shares_port = false;
		*listener = new_listener(&config->listen[i]);
		const struct listener *bound =
			find ? find(context, config, &listener->where, &shares_port) : NULL;
		r = bound ? take_over(config, listener, bound, error)
			  : open_one(config, listener, shares_port, error);
		if (r == 0) {
			keep_name(listener);
			++*ret_n;
		}
		if (listeners_may_appear(r))
			r = 0;
	}
	return r;
}

static struct listener *new_array(const struct service_config *config, char error[LISTENERS_ERROR_SIZE])
{
	struct listener *listeners = calloc(config->n_listen ? config->n_listen : 1, sizeof *listeners);
	if (!listeners)
		snprintf(error, LISTENERS_ERROR_SIZE, "%s: out of memory", config->name);
	return listeners;
}

int listeners_open(const struct service_config *config, listeners_find_bound *find, void *context,
	struct listener **ret_listeners, uint32_t *ret_n, char error[LISTENERS_ERROR_SIZE])
{
	struct listener *listeners = new_array(config, error);
	uint32_t n;
	if (!listeners)
		return -ENOMEM;
	int r = open_all(config, find, context, listeners, &n, error);
	if (r < 0) {
		listeners_close(listeners, n);
		return r;
	}
	*ret_listeners = listeners;
	*ret_n = n;
	return 0;
}

int listeners_open_some(const struct service_config *config, struct listener **ret_listeners,
	uint32_t *ret_n, char error[LISTENERS_ERROR_SIZE])
{
	char reason[LISTENERS_ERROR_SIZE];
	struct listener *listeners = new_array(config, error);
	if (!listeners)
		return -ENOMEM;
	*error = 0;
	*ret_n = 0;
	for (uint32_t i = 0; i < config->n_listen; i++) {
		struct listener *listener = &listeners[*ret_n];
		*listener = new_listener(&config->listen[i]);
		int r = open_one(config, listener, false, reason);
		if (r == 0) {
			keep_name(listener);
			++*ret_n;
		} else if (!listeners_may_appear(r) && !*error) {
			memcpy(error, reason, sizeof reason);
		}
	}
	*ret_listeners = listeners;
	return 0;
}

int listeners_open_late(const struct service_config *config, const struct listen_address *where,
	struct listener *ret_listener, const char **ret_step)
{
	*ret_listener = new_listener(where);
	int r = bind_one(config, ret_listener, false, ret_step);
	if (r == 0)
		keep_name(ret_listener);
	return r;
}

void listeners_close(struct listener *listeners, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		/* First the name: who connects by it is to be served, not refused. */
		bound_name_release(listeners[i].name);
		fd_close(&listeners[i].fd);
	}
	free(listeners);
}
