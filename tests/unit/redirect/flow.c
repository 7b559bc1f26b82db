/* One direction: every byte in order, its end, full destinations, and the way without a pipe. */
#include "redirect/flow.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"

static struct pipes pipes;
static struct flow flow = FLOW_INIT;
static int source[2], destination[2]; /* the flow has [1] of both, the test [0] */

static void prepare(void)
{
	pipes_init(&pipes, 1000);
	for (int i = 0; i < 2; i++)
		cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
				     i ? source : destination),
			0);
}

static void clean_up(void)
{
	flow_fini(&flow, &pipes);
	pipes_fini(&pipes);
	cr_assert_eq(pipes.n, 0);
	for (int i = 0; i < 2; i++) {
		fd_close(&source[i]);
		fd_close(&destination[i]);
	}
}

TestSuite(flow, .init = prepare, .fini = clean_up, .timeout = 20);

static bool move(void)
{
	return flow_move(&flow, source[1], destination[1], &pipes);
}

static void expect(const char *text)
{
	char got[256];
	ssize_t n = recv(destination[0], got, sizeof got, 0);
	cr_assert_eq(n, (ssize_t)strlen(text));
	cr_assert_eq(memcmp(got, text, (size_t)n), 0);
}

static void say(const char *text)
{
	cr_assert_eq(send(source[0], text, strlen(text), 0), (ssize_t)strlen(text));
}

Test(flow, moves_what_is_there_and_waits_for_more)
{
	cr_assert_not(move());
	cr_assert_eq(flow.state, FLOW_READING);
	say("hello");
	cr_assert(move());
	cr_assert_eq(flow.state, FLOW_READING);
	expect("hello");
	cr_assert_eq(flow.n_read, 5);
	cr_assert_eq(flow.n_written, 5);
}

Test(flow, passes_the_end_on_and_stays_ended)
{
	say("last");
	shutdown(source[0], SHUT_WR);
	cr_assert(move());
	cr_assert_eq(flow.state, FLOW_ENDED);
	expect("last");
	expect("");
	cr_assert_not(move());
	cr_assert_eq(flow.state, FLOW_ENDED);
}

Test(flow, an_idle_flow_holds_no_pipe)
{
	say("x");
	move();
	cr_assert_lt(flow.pipe.out, 0);
	cr_assert_eq(pipes.n_spare, 1);
}

/* Sends and moves until both are full. Returns how much was taken from the source. */
static uint64_t fill_up(void)
{
	static char bytes[4096];
	do {
		while (send(source[0], bytes, sizeof bytes, 0) > 0)
			;
	} while (move());
	return flow.n_read;
}

Test(flow, a_full_destination_makes_the_source_wait)
{
	static char bytes[65536];
	uint64_t n_taken = fill_up();
	cr_assert_eq(flow.state, FLOW_WRITING);
	cr_assert_leq(flow.n_in_pipe, PIPE_SIZE);
	move();
	cr_assert_eq(flow.n_read, n_taken, "nothing more is taken");
	while (recv(destination[0], bytes, sizeof bytes, 0) > 0)
		;
	cr_assert(move());
	cr_assert_gt(flow.n_written, n_taken - PIPE_SIZE);
}

Test(flow, without_a_pipe_bytes_are_copied)
{
	pipes.max = 0;
	say("by hand");
	cr_assert(move());
	expect("by hand");
	fill_up();
	cr_assert_eq(flow.state, FLOW_WRITING);
	cr_assert_eq(flow.n_read, flow.n_written, "nothing is kept in between");
	static char bytes[65536];
	while (recv(destination[0], bytes, sizeof bytes, 0) > 0)
		;
	cr_assert(move());
	shutdown(source[0], SHUT_WR);
	while (flow.state != FLOW_ENDED) {
		move();
		while (recv(destination[0], bytes, sizeof bytes, 0) > 0)
			;
	}
	cr_assert_eq(flow.n_read, flow.n_written);
}

Test(flow, a_destination_that_is_gone_is_no_failure_of_the_source)
{
	signal(SIGPIPE, SIG_IGN);
	fd_close(&destination[0]);
	say("nobody");
	move();
	cr_assert_eq(flow.state, FLOW_STUCK);
	cr_assert_not(move());
}

Test(flow, a_source_that_was_reset_is_told_from_one_that_ended)
{
	/* A Unix socket that is closed with unread bytes resets its peer. */
	cr_assert_eq(send(source[1], "unread", 6, 0), 6);
	fd_close(&source[0]);
	move();
	cr_assert_eq(flow.state, FLOW_RESET);
}
