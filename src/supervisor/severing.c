#include "supervisor/severing.h"

#include <errno.h>
#include <ev.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "net/destroy.h"
#include "process/orphans.h"
#include "supervisor/acceptor.h"
#include "supervisor/service/service.h"
#include "supervisor/supervisor.h"

/* A command that was told to end. */
struct severing {
	struct severing *next; /* list: of the supervisor */
	struct supervisor *supervisor;
	pid_t pid;
	int process; /* pidfd; owned */
	ev_timer timer;
};

/* ---- the command ----------------------------------------------------------------------------- */

/* The pid cannot be another's while the descriptor says that its process is there. */
static bool is_there(int process)
{
	return syscall(SYS_pidfd_send_signal, process, 0, NULL, 0) == 0;
}

/* Commands lead a session of their own, unless they have changed that. */
static int signal_command(int process, pid_t pid, int signal)
{
	bool leads = getpgid(pid) == pid;
	if (!is_there(process))
		return -ESRCH;
	if (kill(leads ? -pid : pid, signal) < 0)
		return -errno;
	kill(leads ? -pid : pid, SIGCONT); /* one that is suspended must wake to hear it */
	return 0;
}

/* Started by a worker of the service, or orphaned by one. */
static bool is_command_of(const struct service *service, pid_t pid)
{
	pid_t parent = process_parent(pid);
	for (const struct worker *worker = service->workers; worker && parent; worker = worker->next)
		if (worker->pid == parent)
			return true;
	return parent == getpid() && process_is_of(pid, service->config->name);
}

static void destroy(struct severing *severing)
{
	struct severing **link = &severing->supervisor->severings;
	while (*link != severing)
		link = &(*link)->next;
	*link = severing->next;
	ev_timer_stop(severing->supervisor->loop, &severing->timer);
	fd_close(&severing->process);
	free(severing);
}

static void on_timer(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)loop, (void)events;
	struct severing *severing = timer->data;
	if (signal_command(severing->process, severing->pid, SIGKILL) == 0)
		log_notice("process %d, whose connection was ended, did not end in time (stop_timeout); it is "
			   "killed",
			(int)severing->pid);
	destroy(severing);
}

static bool is_told_already(const struct supervisor *supervisor, pid_t pid)
{
	for (const struct severing *one = supervisor->severings; one; one = one->next)
		if (one->pid == pid && is_there(one->process))
			return true;
	return false;
}

/* 0: it is told, and will be killed. -errno. */
static int end_command(struct service *service, pid_t pid)
{
	struct supervisor *supervisor = service->supervisor;
	if (is_told_already(supervisor, pid))
		return 0;
	fd_auto int process = (int)syscall(SYS_pidfd_open, pid, 0);
	if (process < 0)
		return -errno;
	if (!is_command_of(service, pid))
		return -ESRCH;
	struct severing *severing = calloc(1, sizeof *severing);
	int r = signal_command(
		process, pid, severing ? service->config->supervision->stop_signal : SIGKILL);
	if (!severing || r < 0) {
		free(severing);
		return r;
	}
	severing->supervisor = supervisor;
	severing->pid = pid;
	severing->process = fd_take(&process);
	severing->next = supervisor->severings;
	supervisor->severings = severing;
	ev_timer_init(&severing->timer, on_timer,
		(double)service->config->supervision->stop_timeout / 1000, 0);
	severing->timer.data = severing;
	ev_timer_start(supervisor->loop, &severing->timer);
	return 0;
}

void severing_forget(struct supervisor *supervisor)
{
	while (supervisor->severings)
		destroy(supervisor->severings);
}

/* ---- the connection -------------------------------------------------------------------------- */

/* First, so that the acceptor knows why when it hears of the end. */
static void tell_acceptor(struct service *service, const struct control_connection *connection,
	enum severance reason)
{
	struct control_connection message = *connection;
	message.kind = CONTROL_SEVERED;
	message.service = service->slot;
	message.reason = reason;
	if (service->acceptor)
		acceptor_tell(service->acceptor, &message, -1);
}

int severing_end(struct service *service, const struct control_connection *connection)
{
	int done = 0;
	tell_acceptor(service, connection, (enum severance)connection->reason);
	int r = connection_destroy(connection->id, &connection->local, &connection->peer);
	if (r == 0)
		done |= SEVERED_SOCKET;
	if (service->config->type == SERVICE_EXEC && connection->pid > 1 &&
		end_command(service, connection->pid) == 0)
		done |= SEVERED_COMMAND;
	if (!done && r != -ENOENT)
		tell_acceptor(service, connection, SEVERANCE_NONE);
	return done ? done : r;
}

const char *severing_remedy(const struct service *service, int error)
{
	bool is_exec = service->config->type == SERVICE_EXEC;
	if (error == -EOPNOTSUPP && is_exec)
		return "no command serves it yet, and the kernel cannot end it: it is no TCP connection, or "
		       "CONFIG_INET_DIAG_DESTROY is missing; try again once the command runs";
	if (error == -EOPNOTSUPP)
		return "the kernel cannot end it: it is no TCP connection, or CONFIG_INET_DIAG_DESTROY is "
		       "missing; restart the service, which ends all of its connections";
	if (error == -EPERM && is_exec)
		return "no command serves it yet, and ending it needs CAP_NET_ADMIN; try again once the "
		       "command runs, or run fdsup as root";
	if (error == -EPERM)
		return "ending it needs CAP_NET_ADMIN; run fdsup as root, or restart the service, which ends "
		       "all of its connections";
	return strerror(-error);
}

void severing_on_lapsed(struct service *service, const struct control_connection *connection)
{
	const char *key = severance_name(connection->reason);
	if (!key)
		return;
	int r = severing_end(service, connection);
	if (r >= 0 || r == -ENOENT || service->has_said_severing)
		return;
	service->has_said_severing = true;
	log_warning("%s: connection %016" PRIx64 " is to end (%s), and cannot be ended: %s",
		service->config->name, connection->id, key, severing_remedy(service, r));
}
