#include "net/holder.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(holder, .timeout = 60);

/* A socket of ours on `host` with a port that the kernel chooses; where it is, in *ret_address. */
static int bind_socket(int type, const char *host, struct endpoint *ret_address)
{
	struct sockaddr_storage address = { 0 };
	struct sockaddr_in *in = (struct sockaddr_in *)&address;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&address;
	address.ss_family = strchr(host, ':') ? AF_INET6 : AF_INET;
	cr_assert(inet_pton(address.ss_family, host,
			  address.ss_family == AF_INET ? (void *)&in->sin_addr
						       : (void *)&in6->sin6_addr) == 1);
	int fd = socket(address.ss_family, type | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) < 0)
		cr_skip("no %s here", host);
	socklen_t size = sizeof address;
	cr_assert(getsockname(fd, (struct sockaddr *)&address, &size) == 0);
	*ret_address = endpoint_from_sockaddr((struct sockaddr *)&address);
	return fd;
}

static struct holder find(int protocol, struct endpoint address)
{
	struct holder holder;
	cr_assert(holder_find(protocol, &address, &holder) == 0);
	return holder;
}

static void expect_us(const struct holder *holder)
{
	cr_expect_eq(holder->n_processes, 1);
	cr_expect_eq(holder->processes[0].pid, getpid());
	cr_expect_not(holder->has_hidden);
}

static struct endpoint with_host(struct endpoint address, uint16_t family, const char *host)
{
	struct endpoint other = { .family = family, .port = address.port };
	cr_assert(inet_pton(family, host, other.ip) == 1);
	return other;
}

Test(holder, finds_who_listens_and_its_name)
{
	struct endpoint address;
	int fd = bind_socket(SOCK_STREAM, "127.0.0.1", &address);
	cr_assert(listen(fd, 1) == 0);
	struct holder holder = find(IPPROTO_TCP, address);
	expect_us(&holder);
	char text[HOLDER_TEXT_SIZE], wanted[64];
	snprintf(wanted, sizeof wanted, "pid %d (", getpid());
	cr_expect(!strncmp(holder_format(text, &holder), wanted, strlen(wanted)), "%s", text);
	close(fd);
	holder = find(IPPROTO_TCP, address);
	cr_expect_str_eq(holder_format(text, &holder), "nobody");
}

Test(holder, does_not_blame_who_only_bound_or_still_has_a_connection)
{
	struct endpoint address;
	int fd = bind_socket(SOCK_STREAM, "127.0.0.1", &address);
	cr_expect_eq(find(IPPROTO_TCP, address).n_processes, 0);
	cr_assert(listen(fd, 1) == 0);
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(address.port) };
	memcpy(&in.sin_addr, address.ip, 4);
	int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	cr_assert(connect(client, (struct sockaddr *)&in, sizeof in) == 0);
	int connection = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
	cr_assert(connection >= 0);
	close(fd);
	cr_expect_eq(find(IPPROTO_TCP, address).n_processes, 0);
	close(connection);
	close(client);
}

Test(holder, finds_a_datagram_socket)
{
	struct endpoint address;
	int fd = bind_socket(SOCK_DGRAM, "127.0.0.1", &address);
	struct holder holder = find(IPPROTO_UDP, address);
	expect_us(&holder);
	cr_expect_eq(find(IPPROTO_TCP, address).n_processes, 0);
	close(fd);
}

Test(holder, finds_an_IPv6_listener)
{
	struct endpoint address;
	int fd = bind_socket(SOCK_STREAM, "::1", &address);
	cr_assert(listen(fd, 1) == 0);
	struct holder holder = find(IPPROTO_TCP, address);
	expect_us(&holder);
	close(fd);
}

Test(holder, a_wildcard_clashes_with_every_address_of_its_port)
{
	struct endpoint address;
	int fd = bind_socket(SOCK_STREAM, "0.0.0.0", &address);
	cr_assert(listen(fd, 1) == 0);
	struct holder holder = find(IPPROTO_TCP, with_host(address, AF_INET, "127.0.0.1"));
	expect_us(&holder);
	holder = find(IPPROTO_TCP, with_host(address, AF_INET6, "::"));
	expect_us(&holder);
	cr_expect_eq(find(IPPROTO_TCP, with_host(address, AF_INET6, "::1")).n_processes, 0);
	close(fd);
}

Test(holder, another_address_with_the_same_port_is_no_clash)
{
	struct endpoint address;
	int fd = bind_socket(SOCK_STREAM, "127.0.0.1", &address);
	cr_assert(listen(fd, 1) == 0);
	cr_expect_eq(find(IPPROTO_TCP, with_host(address, AF_INET, "127.0.0.2")).n_processes, 0);
	struct holder holder = find(IPPROTO_TCP, with_host(address, AF_INET, "0.0.0.0"));
	expect_us(&holder);
	close(fd);
}

Test(holder, says_only_whose_it_is_when_the_process_is_hidden)
{
	if (geteuid())
		cr_skip("being two users needs root");
	struct endpoint address;
	int fd = bind_socket(SOCK_STREAM, "127.0.0.1", &address);
	cr_assert(listen(fd, 1) == 0);
	int pipe_ends[2];
	cr_assert(pipe2(pipe_ends, O_CLOEXEC) == 0);
	pid_t child = fork();
	if (child == 0) {
		struct holder holder;
		char text[HOLDER_TEXT_SIZE];
		close(fd);
		if (setgroups(0, NULL) || setgid(65534) || setuid(65534) ||
			holder_find(IPPROTO_TCP, &address, &holder) < 0)
			_exit(1);
		holder_format(text, &holder);
		_exit(write(pipe_ends[1], text, strlen(text)) < 0);
	}
	close(pipe_ends[1]);
	char told[HOLDER_TEXT_SIZE] = "";
	cr_expect(read(pipe_ends[0], told, sizeof told - 1) > 0);
	cr_expect_str_eq(told, "a process of another user (uid 0)");
	cr_assert(waitpid(child, NULL, 0) == child);
	close(pipe_ends[0]);
	close(fd);
}

Test(holder, names_every_process_up_to_a_few)
{
	struct holder holder = { .n_processes = HOLDER_PROCESSES_MAX, .has_more = true };
	for (size_t i = 0; i < HOLDER_PROCESSES_MAX; i++) {
		holder.processes[i].pid = 4194304;
		memset(holder.processes[i].command, 'x', HOLDER_COMMAND_SIZE - 1);
	}
	char text[HOLDER_TEXT_SIZE];
	holder_format(text, &holder);
	cr_expect(strstr(text, "), pid 4194304 (x"));
	cr_expect_str_eq(text + strlen(text) - 11, " and others");
}

Test(holder, refuses_what_is_no_IP_address)
{
	struct endpoint address = { .family = AF_UNIX };
	struct holder holder;
	cr_expect(holder_find(IPPROTO_TCP, &address, &holder) < 0);
}
