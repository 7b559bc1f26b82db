/*
 * What a connection costs the acceptor: CPU of a real fdsup-acceptor that accepts, hands off, reads
 * the reports of start and end and logs the end, beside that of a bare loop of accept4(2), hand-off
 * and close(2) under the same load, with and without the sandbox. Also its memory with 1 and with 500
 * services.
 *
 * Not a test: it prints numbers. FDSUP_BIN=... [CONNECTIONS=20000] acceptor_cost
 */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "confine/confine.h"
#include "support/acceptor_rig.h"

enum { CLIENTS = 2 };

static struct rig rig;
static long n_connections;

/* CPU time in nanoseconds, from the scheduler. */
static unsigned long long cpu_ns(pid_t pid)
{
	char path[64];
	unsigned long long ns = 0;
	snprintf(path, sizeof path, "/proc/%d/schedstat", pid);
	FILE *file = fopen(path, "r");
	if (!file || fscanf(file, "%llu", &ns) != 1)
		perror(path);
	if (file)
		fclose(file);
	return ns;
}

static long pss_kib(pid_t pid, const char *field)
{
	char path[64], line[256];
	long kib = -1;
	snprintf(path, sizeof path, "/proc/%d/smaps_rollup", pid);
	FILE *file = fopen(path, "r");
	while (file && fgets(line, sizeof line, file))
		if (!strncmp(line, field, strlen(field)))
			kib = strtol(line + strlen(field), NULL, 10);
	if (file)
		fclose(file);
	return kib;
}

static pid_t start(void (*run)(void))
{
	pid_t pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		run();
		_exit(0);
	}
	return pid;
}

/* Connects and waits for the end, one after the other. */
static void run_client(void)
{
	for (long i = 0; i < n_connections / CLIENTS; i++) {
		int fd = rig_connect(rig.services[1].port, NULL);
		char byte;
		(void)!recv(fd, &byte, 1, 0);
		close(fd);
	}
}

static bool reports_wanted;

static void tell(struct report *reports, size_t *n)
{
	struct pollfd polled = { .fd = rig.services[1].queue[1], .events = POLLOUT };
	while (*n && report_send(polled.fd, reports, *n) == -EAGAIN)
		poll(&polled, 1, -1);
	*n = 0;
}

/* Takes what is there, closes it, and reports two things of each. */
static void run_worker(void)
{
	struct pollfd polled = { .fd = rig.services[1].queue[1], .events = POLLIN };
	struct report reports[REPORTS_PER_MESSAGE];
	size_t n = 0;
	while (poll(&polled, 1, -1) == 1) {
		struct handoff record;
		int connection, r;
		while ((r = handoff_receive(polled.fd, &record, &connection)) == 1) {
			close(connection);
			for (uint8_t kind = REPORT_STARTED; reports_wanted && kind <= REPORT_ENDED;
				kind++)
				reports[n++] = (struct report){
					.kind = kind,
					.version = REPORT_VERSION,
					.length = sizeof *reports,
					.pid = 4712,
					.connection = record.connection,
					.accepted_ns = record.accepted_ns,
					.peer = record.peer,
					.local = record.local,
				};
			if (n + 2 > REPORTS_PER_MESSAGE)
				tell(reports, &n);
		}
		tell(reports, &n);
		if (r != -EAGAIN)
			return;
	}
}

/* What is the least that has to be done. */
static void run_bare(void)
{
	struct pollfd polled = { .fd = rig.services[1].listener, .events = POLLIN };
	struct pollfd queue = { .fd = rig.services[1].queue[0], .events = POLLOUT };
	while (poll(&polled, 1, -1) == 1) {
		int connection;
		while ((connection = accept4(polled.fd, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
			struct handoff record = { .version = 1, .length = sizeof record };
			while (handoff_send(queue.fd, &record, connection) == -EAGAIN)
				poll(&queue, 1, -1);
			close(connection);
		}
	}
}

/* Beside the bare loop: what the filter of system calls costs. */
static void run_confined(void)
{
	struct confinement confinement;
	confine(CONFINE_ACCEPTOR, &confinement);
	run_bare();
}

static void run_log_reader(void)
{
	static char bytes[65536];
	struct pollfd polled = { .fd = rig.log_fd, .events = POLLIN };
	while (poll(&polled, 1, -1) == 1)
		if (read(rig.log_fd, bytes, sizeof bytes) == 0)
			return;
}

static void finish(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void measure(const char *name, pid_t acceptor)
{
	pid_t clients[CLIENTS];
	pid_t worker = start(run_worker);
	unsigned long long before_ns = cpu_ns(acceptor);
	for (int i = 0; i < CLIENTS; i++)
		clients[i] = start(run_client);
	for (int i = 0; i < CLIENTS; i++)
		waitpid(clients[i], NULL, 0);
	printf("%-28s %6.2f us of CPU a connection\n", name,
		(double)(cpu_ns(acceptor) - before_ns) / 1000.0 / (double)n_connections);
	finish(worker);
}

static void measure_acceptor(const char *name, const char *address, bool has_reports, uint32_t log)
{
	struct control_service settings = rig_settings(1);
	settings.log_events = log;
	settings.queue_depth = 256;
	settings.max_connections = has_reports ? 1000 : 0;
	reports_wanted = has_reports;
	rig_start(&rig);
	rig_serve_on(&rig, &settings, address);
	pid_t reader = start(run_log_reader);
	measure(name, rig.pid);
	finish(reader);
	rig_stop(&rig);
}

static void measure_bare(const char *name, void (*run)(void))
{
	struct control_service settings = rig_settings(1);
	settings.queue_depth = 256;
	reports_wanted = false;
	rig_start(&rig);
	rig_serve(&rig, &settings);
	rig_send_number(&rig, CONTROL_PAUSE, 1);
	rig_sync(&rig);
	pid_t bare = start(run);
	measure(name, bare);
	finish(bare);
	rig_stop(&rig);
}

static void measure_memory(uint32_t n_services)
{
	rig_start(&rig);
	for (uint32_t row = 1; row <= n_services; row++) {
		struct control_service settings = rig_settings(row);
		rig_serve(&rig, &settings);
	}
	printf("%3u services: Pss %ld KiB, of that private %ld + %ld (clean + dirty)\n", n_services,
		pss_kib(rig.pid, "Pss:"), pss_kib(rig.pid, "Private_Clean:"),
		pss_kib(rig.pid, "Private_Dirty:"));
	rig_stop(&rig);
}

/* The rig's assertions need a test around them. */
Test(acceptor_cost, numbers)
{
	const char *wanted = getenv("CONNECTIONS");
	n_connections = wanted ? atol(wanted) : 20000;
	measure_bare("bare loop", run_bare);
	measure_bare("bare loop in the sandbox", run_confined);
	measure_acceptor("acceptor, reports, END lines", "127.0.0.1", true, 2);
	measure_acceptor("the same, wildcard address", "0.0.0.0", true, 2);
	measure_acceptor("acceptor, reports, no lines", "127.0.0.1", true, 0);
	measure_acceptor("acceptor, no reports", "127.0.0.1", false, 0);
	measure_memory(1);
	measure_memory(500);
}
