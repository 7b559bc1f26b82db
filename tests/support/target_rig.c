#include "support/target_rig.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"

void target_listen(struct target_rig *rig, const char *address)
{
	socklen_t size = sizeof rig->address;
	rig->address = (struct sockaddr_in){ .sin_family = AF_INET };
	cr_assert_eq(inet_pton(AF_INET, address, &rig->address.sin_addr), 1);
	int on = 1;
	rig->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	/* So that the address can be taken once more while connections of it linger. */
	setsockopt(rig->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	cr_assert_eq(bind(rig->listener, (struct sockaddr *)&rig->address, size), 0);
	cr_assert_eq(listen(rig->listener, 512), 0);
	cr_assert_eq(getsockname(rig->listener, (struct sockaddr *)&rig->address, &size), 0);
}

void target_start_to(
	struct target_rig *rig, const char *to, const char *const options[], unsigned long nofile)
{
	const char *words[16] = { "--to", to };
	for (size_t i = 0; options && options[i]; i++)
		words[2 + i] = options[i];
	rig_start_program(&rig->worker, "fdsup-redirect", -1, true, words, nofile);
}

void target_start(struct target_rig *rig, const char *host, const char *const options[])
{
	char to[300];
	if (!rig->listener)
		target_listen(rig, "127.0.0.1");
	snprintf(to, sizeof to, "%s:%u", host, ntohs(rig->address.sin_port));
	target_start_to(rig, to, options, 0);
}

void target_stop(struct target_rig *rig)
{
	rig_stop(&rig->worker);
	fd_close(&rig->listener);
}

int target_client(struct target_rig *rig)
{
	return rig_send(&rig->worker, ++rig->n_sent);
}

int target_accept(struct target_rig *rig)
{
	cr_assert(rig_is_readable(rig->listener, RIG_TIMEOUT_MS), "nobody connects");
	int fd = accept4(rig->listener, NULL, NULL, SOCK_CLOEXEC);
	cr_assert_geq(fd, 0);
	return fd;
}

struct report target_report(struct target_rig *rig, enum report_kind kind)
{
	struct report report = rig_report(&rig->worker);
	cr_assert_eq(report.kind, kind, "the report is of kind %d", report.kind);
	return report;
}

void target_send(int fd, const char *text)
{
	cr_assert_eq(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

void target_expect(int fd, const char *text)
{
	char got[4096];
	size_t n = 0;
	size_t length = strlen(text);
	cr_assert_lt(length, sizeof got);
	while (n < length) {
		cr_assert(rig_is_readable(fd, RIG_TIMEOUT_MS), "\"%s\" does not come", text);
		ssize_t r = recv(fd, got + n, length - n, 0);
		cr_assert_gt(r, 0, "the end instead of \"%s\"", text);
		n += (size_t)r;
	}
	cr_assert_eq(memcmp(got, text, length), 0);
}

int target_end(int fd)
{
	char byte;
	cr_assert(rig_is_readable(fd, RIG_TIMEOUT_MS), "the end does not come");
	ssize_t n = recv(fd, &byte, 1, 0);
	cr_assert_leq(n, 0, "a byte instead of the end");
	return n < 0 ? errno : 0;
}

void target_reset(int *fd)
{
	struct linger now = { .l_onoff = 1, .l_linger = 0 };
	cr_assert_eq(setsockopt(*fd, SOL_SOCKET, SO_LINGER, &now, sizeof now), 0);
	fd_close(fd);
}
