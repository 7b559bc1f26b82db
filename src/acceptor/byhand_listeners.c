#include "acceptor/byhand_listeners.h"

#include <errno.h>
#include <string.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/names.h"
#include "net/listener.h"

static void log_advice(int error, const char *where, unsigned port)
{
	if (error == EADDRINUSE)
		log_error("another program has %s: find it with `ss -ltnp 'sport = :%u'`, and "
			  "stop it or choose another port",
			where, port);
	else if (error == EACCES)
		log_error("port %u is reserved: start as root, or with CAP_NET_BIND_SERVICE", port);
	else if (error == EADDRNOTAVAIL)
		log_error("this host does not have the address of %s: see `ip address`", where);
}

static int listen_one(
	const struct options *options, const struct listen_target *target, int *ret_fd)
{
	struct listener_options listener = {
		.address = target->address,
		.is_both_families = target->is_both_families,
		.is_v6only = true,
		.backlog = options->backlog,
	};
	char where[LISTENER_TEXT_SIZE];
	const char *step;
	listener_format(where, &target->address, target->is_both_families);
	int r = listener_open(&listener, ret_fd, &step);
	if (r < 0) {
		const char *name = error_name(-r);
		log_error("cannot listen on address %s port %s (%s): %s: %s (%s)", options->address,
			options->port, where, step, strerror(-r), name ? name : "-");
		log_advice(-r, where, target->address.port);
	}
	return r;
}

/* With port 0 the kernel has chosen. */
static void log_listening(int fd, bool is_both_families)
{
	struct sockaddr_storage name;
	socklen_t length = sizeof name;
	char where[LISTENER_TEXT_SIZE];
	if (getsockname(fd, (struct sockaddr *)&name, &length) < 0)
		return;
	struct endpoint end = endpoint_from_sockaddr((struct sockaddr *)&name);
	log_info("listening on %s", listener_format(where, &end, is_both_families));
}

int byhand_listen(const struct options *options, int fds[RESOLVE_MAX])
{
	struct listen_target targets[RESOLVE_MAX];
	char error[RESOLVE_ERROR_SIZE];
	int n = resolve_listen(options->address, options->port, targets, error);
	if (n < 0) {
		log_error("%s", error);
		return -1;
	}
	for (int i = 0; i < n; i++) {
		if (listen_one(options, &targets[i], &fds[i]) < 0) {
			while (i-- > 0)
				fd_close(&fds[i]);
			return -1;
		}
	}
	for (int i = 0; i < n; i++)
		log_listening(fds[i], targets[i].is_both_families);
	return n;
}
