/* All addresses are tried: at once after a refusal, beside one that is silent. */
#include "redirect/dial.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"

static struct ev_loop *loop;
static struct dial dial;
static struct addresses addresses;
static int result;
static bool is_done;
static int open_fds[8];
static size_t n_open_fds;

static void prepare(void)
{
	loop = ev_loop_new(EVFLAG_AUTO | EVFLAG_NOENV);
}

static void clean_up(void)
{
	while (n_open_fds > 0)
		fd_close(&open_fds[--n_open_fds]);
	ev_loop_destroy(loop);
}

TestSuite(dial, .init = prepare, .fini = clean_up, .timeout = 20);

static void on_done(struct dial *done, int r)
{
	cr_assert_eq(done, &dial);
	result = r;
	is_done = true;
	ev_break(loop, EVBREAK_ALL);
}

static void run(void)
{
	dial_start(&dial, loop, &addresses, on_done, NULL);
	cr_assert_not(is_done, "never before the loop runs");
	ev_run(loop, 0);
	cr_assert(is_done);
}

static int bind_socket(struct address *address)
{
	*address = (struct address){ .size = sizeof address->in, .in.sin_family = AF_INET };
	address->in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	open_fds[n_open_fds++] = fd;
	cr_assert_eq(bind(fd, &address->any, address->size), 0);
	cr_assert_eq(getsockname(fd, &address->any, &address->size), 0);
	return fd;
}

static struct address *next_address(void)
{
	return &addresses.list[addresses.n++];
}

/* Bound, not listening: refuses. */
static void add_refusing(void)
{
	bind_socket(next_address());
}

static int add_listening(int backlog)
{
	int fd = bind_socket(next_address());
	cr_assert_eq(listen(fd, backlog), 0);
	return fd;
}

/* Its backlog is full: the kernel leaves what comes without an answer. */
static void add_silent(void)
{
	struct address *address = &addresses.list[addresses.n];
	add_listening(0);
	for (int i = 0; i < 2; i++) {
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		open_fds[n_open_fds++] = fd;
		(void)!connect(fd, &address->any, address->size);
	}
}

static void expect_connected_to(const struct address *address)
{
	struct sockaddr_in peer;
	socklen_t size = sizeof peer;
	cr_assert_geq(result, 0, "%s", strerror(-result));
	cr_assert_eq(getpeername(result, (struct sockaddr *)&peer, &size), 0);
	cr_assert_eq(peer.sin_port, address->in.sin_port);
	fd_close(&result);
}

Test(dial, the_first_that_answers_wins)
{
	add_listening(4);
	add_listening(4);
	run();
	expect_connected_to(&addresses.list[0]);
}

Test(dial, after_a_refusal_the_next_is_tried_at_once)
{
	uint64_t begin_ms = clock_now_ms();
	add_refusing();
	add_refusing();
	add_listening(4);
	run();
	expect_connected_to(&addresses.list[2]);
	cr_assert_lt(clock_now_ms() - begin_ms, 2 * DIAL_STAGGER_MS);
}

Test(dial, beside_a_silent_one_the_next_is_tried_soon)
{
	uint64_t begin_ms = clock_now_ms();
	add_silent();
	add_listening(4);
	run();
	expect_connected_to(&addresses.list[1]);
	cr_assert_geq(clock_now_ms() - begin_ms, DIAL_STAGGER_MS - 10);
}

Test(dial, when_all_refuse_it_says_why)
{
	add_refusing();
	add_refusing();
	run();
	cr_assert_eq(result, -ECONNREFUSED);
	cr_assert_eq(dial.failed, 1);
}

Test(dial, an_address_that_cannot_be_used_is_passed_over)
{
	struct address *odd = next_address();
	*odd = (struct address){ .size = sizeof odd->in6, .in6.sin6_family = AF_INET6 };
	odd->in6.sin6_addr = in6addr_loopback;
	odd->in6.sin6_addr.s6_addr[0] = 0xfe; /* reserved by nobody, routed nowhere */
	odd->in6.sin6_addr.s6_addr[1] = 0x80; /* link-local without an interface */
	odd->in6.sin6_port = htons(9);
	add_listening(4);
	run();
	expect_connected_to(&addresses.list[1]);
}

Test(dial, a_stopped_one_leaves_nothing_open)
{
	add_silent();
	dial_start(&dial, loop, &addresses, on_done, NULL);
	ev_run(loop, EVRUN_ONCE);
	cr_assert_eq(dial.n_open, 1);
	dial_stop(&dial);
	cr_assert_eq(dial.n_open, 0);
	ev_run(loop, EVRUN_NOWAIT);
	cr_assert_not(is_done);
}
