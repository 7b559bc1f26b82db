/* The channel on a queue: opening, taking, waiting, stopping. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "unit/library/fixture.h"
#include "wire/slots.h"

TestSuite(library_channel, .init = open_queue, .fini = close_queue);

Test(library_channel, brings_a_connection_with_all_that_is_known_of_it)
{
	struct fdsup_connection got;
	char text[FDSUP_TEXT_SIZE];
	int client = hand_over(12345);
	int fd = fdsup_take(channel, &got);
	cr_assert_geq(fd, 0);
	cr_assert(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	cr_assert_not(fcntl(fd, F_GETFL) & O_NONBLOCK);
	cr_assert_eq(got.id, 12345);
	cr_assert_eq(got.accepted_ns, 678);
	cr_assert_leq(got.taken_ns, clock_now_ns());
	cr_assert_eq(got.peer.in.sin_family, AF_INET);
	cr_assert_eq(got.peer.in.sin_port, htons(4711));
	cr_assert_eq(got.local.in6.sin6_scope_id, 2);
	cr_assert_str_eq(fdsup_peer_text(&got, text), "192.0.2.1:4711");
	cr_assert_str_eq(fdsup_local_text(&got, text), "[fe80::1%2]:80");
	cr_assert_eq(write(fd, "x", 1), 1);
	cr_assert(is_readable(client));
	close(fd);
	close(client);
}

Test(library_channel, names_the_process_behind_a_unix_connection)
{
	struct fdsup_connection got;
	char text[FDSUP_TEXT_SIZE];
	struct handoff record = record_of(1);
	record.peer = (struct endpoint){ .family = AF_UNIX, .unix_peer = { 7, 8, 9 } };
	cr_assert_eq(handoff_send(acceptor_end, &record, 0), 0);
	int fd = fdsup_take(channel, &got);
	cr_assert_geq(fd, 0);
	cr_assert_eq(got.peer.any.sa_family, AF_UNIX);
	cr_assert_eq(got.peer_uid, 7);
	cr_assert_eq(got.peer_gid, 8);
	cr_assert_eq(got.peer_pid, 9);
	cr_assert_str_eq(fdsup_peer_text(&got, text), "uid=7,pid=9");
	close(fd);
}

Test(library_channel, asks_the_kernel_about_a_connection_without_a_record)
{
	struct fdsup_connection got;
	char text[FDSUP_TEXT_SIZE];
	int ends[2];
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	cr_assert_eq(fdsup_send_fd(acceptor_end, ends[1], "", 1), 0);
	int fd = fdsup_take(channel, &got);
	cr_assert_geq(fd, 0);
	cr_assert_neq(got.id, 0);
	cr_assert_eq(got.accepted_ns, got.taken_ns);
	cr_assert_eq(got.peer_pid, getpid());
	cr_assert_str_eq(fdsup_local_text(&got, text), "-");
	close(fd);
	close(ends[0]);
	close(ends[1]);
}

Test(library_channel, drops_what_is_no_connection_and_brings_the_next)
{
	struct fdsup_connection got;
	int both[2] = { 0, 1 };
	cr_assert_eq(fdsup_send_fd(acceptor_end, -1, "hello", 5), 0);
	cr_assert_eq(descriptor_send(acceptor_end, "", 1, both, 2), 0);
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	cr_assert_eq(fdsup_send_fd(acceptor_end, null, "", 1), 0);
	close(null);
	int client = hand_over(5);
	int fd = fdsup_take(channel, &got);
	cr_assert_geq(fd, 0);
	cr_assert_eq(got.id, 5);
	close(fd);
	close(client);
}

Test(library_channel, is_readable_exactly_while_something_waits)
{
	struct fdsup_connection got;
	cr_assert_not(is_readable(fdsup_fd(channel)));
	cr_assert_eq(fdsup_take(channel, &got), -EAGAIN);
	int client = hand_over(1);
	cr_assert(is_readable(fdsup_fd(channel)));
	int fd = fdsup_take(channel, &got);
	cr_assert_geq(fd, 0);
	cr_assert_not(is_readable(fdsup_fd(channel)));
	close(fd);
	close(client);
}

Test(library_channel, loses_nothing_when_no_descriptor_is_free)
{
	struct fdsup_connection got;
	int client = hand_over(9);
	int lowest_free = dup(0);
	close(lowest_free);
	rlim_t limit = limit_descriptors((rlim_t)lowest_free);
	int r = fdsup_take(channel, &got);
	limit_descriptors(limit);
	cr_assert_eq(r, -EMFILE);
	int fd = fdsup_take(channel, &got);
	cr_assert_geq(fd, 0);
	cr_assert_eq(got.id, 9);
	close(fd);
	close(client);
}

Test(library_channel, says_that_nobody_is_left_after_the_last_connection)
{
	struct fdsup_connection got;
	int client = hand_over(1);
	fd_close(&acceptor_end);
	int fd = fdsup_take(channel, &got);
	cr_assert_geq(fd, 0);
	cr_assert_eq(fdsup_take(channel, &got), -EPIPE);
	cr_assert_eq(fdsup_wait(channel, &got, -1), -EPIPE);
	cr_assert(is_readable(fdsup_fd(channel)));
	cr_assert_eq(fdsup_finished(channel, &got, NULL), -EPIPE);
	close(fd);
	close(client);
}

Test(library_channel, waits_as_long_as_it_was_told)
{
	struct fdsup_connection got;
	uint64_t start_ms = clock_now_ms();
	cr_assert_eq(fdsup_wait(channel, &got, 0), -EAGAIN);
	cr_assert_eq(fdsup_wait(channel, &got, 30), -EAGAIN);
	cr_assert_geq(clock_now_ms() - start_ms, 29);
	int client = hand_over(1);
	int fd = fdsup_wait(channel, &got, -1);
	cr_assert_geq(fd, 0);
	close(fd);
	close(client);
}

Test(library_channel, leaves_to_others_what_waits_when_it_is_stopped)
{
	struct fdsup_connection got;
	int client = hand_over(77);
	fdsup_stop(channel);
	fdsup_stop(channel);
	cr_assert(is_readable(fdsup_fd(channel)));
	cr_assert_eq(fdsup_take(channel, &got), -EPIPE);
	cr_assert_eq(fdsup_wait(channel, &got, -1), -EPIPE);
	cr_assert_eq(fdsup_finished(channel, &(struct fdsup_connection){ .id = 1 }, NULL), 0);
	wait_readable(acceptor_end);
	close(client);
}

static int n_signals;

static void count_signal(int number)
{
	(void)number;
	n_signals++;
}

Test(library_channel, a_signal_stops_it_and_gets_its_action_back)
{
	struct fdsup_connection got;
	struct fdsup_channel *other;
	int ends[2];
	signal(SIGTERM, count_signal);
	cr_assert_eq(fdsup_stop_on(channel, SIGTERM), 0);
	cr_assert_eq(fdsup_stop_on(channel, SIGUSR1), 0);
	cr_assert_eq(fdsup_stop_on(channel, SIGKILL), -EINVAL);
	cr_assert_eq(fdsup_stop_on(channel, 0), -EINVAL);
	cr_assert_eq(handoff_queue_open(1, ends), 0);
	cr_assert_eq(fdsup_open_fd(&other, ends[1]), 0);
	cr_assert_eq(fdsup_stop_on(other, SIGTERM), -EBUSY);
	cr_assert_not(is_readable(fdsup_fd(channel)));
	raise(SIGTERM);
	cr_assert(is_readable(fdsup_fd(channel)));
	cr_assert_eq(fdsup_wait(channel, &got, -1), -EPIPE);
	cr_assert_eq(fdsup_take(other, &got), -EAGAIN);
	fdsup_close(channel);
	channel = NULL;
	cr_assert_eq(fdsup_stop_on(other, SIGTERM), 0);
	cr_assert_eq(fdsup_take(other, &got), -EAGAIN);
	fdsup_close(other);
	close(ends[0]);
	raise(SIGTERM);
	cr_assert_eq(n_signals, 1);
}

static void send_term_while_it_waits(pid_t waiter)
{
	char path[64], state[256];
	snprintf(path, sizeof path, "/proc/%d/stat", (int)waiter);
	for (;;) {
		int fd = open(path, O_RDONLY);
		ssize_t n = fd < 0 ? 0 : read(fd, state, sizeof state - 1);
		close(fd);
		if (n <= 0)
			_exit(1);
		state[n] = 0;
		char *end = strrchr(state, ')');
		if (end && end[2] == 'S')
			break;
		usleep(1000);
	}
	kill(waiter, SIGTERM);
	_exit(0);
}

Test(library_channel, a_signal_ends_the_wait)
{
	struct fdsup_connection got;
	cr_assert_eq(fdsup_stop_on(channel, SIGTERM), 0);
	pid_t waiter = getpid();
	pid_t pid = fork();
	if (pid == 0)
		send_term_while_it_waits(waiter);
	cr_assert_eq(fdsup_wait(channel, &got, PATIENCE_MS), -EPIPE);
	waitpid(pid, NULL, 0);
}

Test(library_channel, another_signal_interrupts_the_wait)
{
	struct fdsup_connection got;
	struct sigaction action = { .sa_handler = count_signal, .sa_flags = SA_RESTART };
	sigaction(SIGTERM, &action, NULL);
	pid_t waiter = getpid();
	pid_t pid = fork();
	if (pid == 0)
		send_term_while_it_waits(waiter);
	cr_assert_eq(fdsup_wait(channel, &got, PATIENCE_MS), -EINTR);
	waitpid(pid, NULL, 0);
}

Test(library_open, takes_the_queue_that_the_environment_names)
{
	struct fdsup_connection got;
	char number[16];
	int ends[2];
	cr_assert_eq(handoff_queue_open(1, ends), 0);
	fcntl(ends[1], F_SETFD, 0);
	snprintf(number, sizeof number, "%d", ends[1]);
	setenv("FDSUP_QUEUE", number, 1);
	cr_assert_eq(fdsup_open(&channel), 0);
	cr_assert(fcntl(ends[1], F_GETFD) & FD_CLOEXEC);
	acceptor_end = ends[0];
	close(hand_over(3));
	int fd = fdsup_take(channel, &got);
	cr_assert_geq(fd, 0);
	close(fd);
	fdsup_close(channel);
	cr_assert_lt(fcntl(ends[1], F_GETFD), 0);
	close(ends[0]);
}

/* 0: it did. In a process of its own, for 3 may be anything here. */
static _Noreturn void open_descriptor_3(void)
{
	int ends[2];
	unsetenv("FDSUP_QUEUE");
	bool is_ready = handoff_queue_open(1, ends) == 0 && dup2(ends[1], 3) == 3;
	bool is_open = is_ready && fdsup_open(&channel) == 0;
	if (is_open)
		fdsup_close(channel);
	_exit(is_open && fcntl(3, F_GETFD) < 0 ? 0 : 1);
}

Test(library_open, takes_descriptor_3_by_default)
{
	int status;
	pid_t pid = fork();
	if (pid == 0)
		open_descriptor_3();
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	/* A tool such as valgrind may have given the process an exit status of its own. */
	cr_assert(WIFEXITED(status) && WEXITSTATUS(status) != 1);
}

Test(library_open, refuses_what_is_no_channel_and_leaves_it_alone)
{
	static const char *const bad[] = { "", "x", "-3", "3x", " 3", "99999999999999999999" };
	struct fdsup_channel *none = NULL;
	size_t before = count_descriptors();
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		setenv("FDSUP_QUEUE", bad[i], 1);
		cr_assert_eq(fdsup_open(&none), -EINVAL, "\"%s\"", bad[i]);
	}
	int file = open("/dev/null", O_RDWR | O_CLOEXEC);
	int tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int datagram = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	cr_assert_eq(fdsup_open_fd(&none, -1), -EBADF);
	cr_assert_eq(fdsup_open_fd(&none, file), -ENOTSOCK);
	cr_assert_eq(fdsup_open_fd(&none, tcp), -EPROTOTYPE);
	cr_assert_eq(fdsup_open_fd(&none, datagram), -EPROTOTYPE);
	cr_assert_null(none);
	fdsup_close(NULL);
	cr_assert_eq(close(file) | close(tcp) | close(datagram), 0);
	cr_assert_eq(count_descriptors(), before);
}

Test(library_channel, a_connection_is_claimed_as_it_is_taken_and_begun_as_the_program_says)
{
	struct fdsup_channel *own;
	struct fdsup_connection connection;
	struct slots slots;
	int ends[2], pair[2];
	char number[16];
	cr_assert_eq(handoff_queue_open(8, ends), 0);
	int table = slots_create(8);
	cr_assert_eq(slots_map(table, &slots), 0);
	snprintf(number, sizeof number, "%d", ends[1]);
	setenv("FDSUP_QUEUE", number, 1);
	snprintf(number, sizeof number, "%d", table);
	setenv("FDSUP_SLOTS", number, 1);
	cr_assert_eq(fdsup_open(&own), 0);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	struct handoff record = { .version = 1, .length = sizeof record, .connection = 5, .slot = 1 };
	/* One that was given to another, and one that was not. */
	record.turn = (uint16_t)(slots_offer(&slots, 1, 5) - 1);
	cr_assert_eq(handoff_send(ends[0], &record, pair[0]), 0);
	record.turn++;
	cr_assert_eq(handoff_send(ends[0], &record, pair[0]), 0);
	int fd = fdsup_take(own, &connection);
	cr_assert_geq(fd, 0);
	cr_expect_eq(slots_look(&slots, 1).state, SLOT_CLAIMED);
	cr_expect_eq(slots_look(&slots, 1).pid, getpid());
	cr_expect_eq(fdsup_taken(own, &connection), 0);
	cr_expect_eq(slots_look(&slots, 1).state, SLOT_BEGUN);
	cr_expect_eq(fdsup_take(own, &connection), -EAGAIN);
	close(fd);
	fdsup_close(own);
	unsetenv("FDSUP_QUEUE");
	unsetenv("FDSUP_SLOTS");
	slots_unmap(&slots);
	close(table);
	close(ends[0]);
	close(pair[0]);
	close(pair[1]);
}
