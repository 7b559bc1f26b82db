/*
 * Whatever a peer may send: no receiving function crashes or keeps a descriptor, and the next good
 * message is received. The sequence is the same in each run; a failure names its seed.
 */
#include <errno.h>
#include <fcntl.h>

#include "unit/library/fixture.h"

enum { SEEDS = 24, ROUNDS = 150, BYTES_MAX = 300 };

static uint32_t state;

/* xorshift32: the same everywhere. */
static uint32_t next(uint32_t below)
{
	state ^= state << 13;
	state ^= state >> 17;
	state ^= state << 5;
	return state % below;
}

static int things[DESCRIPTOR_MAX];

static void open_things(void)
{
	int pair[2];
	int tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int datagram = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int file = open("/dev/null", O_RDWR | O_CLOEXEC);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	const int kinds[] = { pair[0], pair[1], tcp, datagram, file };
	for (size_t i = 0; i < DESCRIPTOR_MAX; i++)
		things[i] = kinds[i % 5];
}

/* Lengths at which something changes, and others. */
static size_t any_length(void)
{
	static const size_t edges[] = { 0, 1, 2, 4, 71, 72, 73, 112, 144, 224, BYTES_MAX };
	return next(3) ? edges[next(sizeof edges / sizeof *edges)] : next(BYTES_MAX + 1);
}

static size_t any_count(void)
{
	static const size_t edges[] = { 0, 1, 1, 1, 2, 3, 64, 252, 253 };
	return edges[next(sizeof edges / sizeof *edges)];
}

static void fill(uint8_t *bytes)
{
	struct handoff record = record_of(1);
	for (size_t i = 0; i < BYTES_MAX; i++)
		bytes[i] = (uint8_t)next(256);
	/* Often nearly a record: random bytes alone would never come so far. */
	if (next(4) == 0)
		return;
	memcpy(bytes, &record, sizeof record);
	if (next(2))
		bytes[next(sizeof record)] = (uint8_t)next(256);
	if (next(4) == 0)
		bytes[1] = (uint8_t)next(256);
}

static void send_hostile(int socket)
{
	uint8_t bytes[BYTES_MAX];
	fill(bytes);
	int r = descriptor_send(socket, bytes, any_length(), things, any_count());
	/* A stream takes no descriptor without a byte; a full or closed one takes nothing. */
	cr_assert(r == 0 || r == -EAGAIN || r == -EPIPE || r == -ETOOMANYREFS || r == -ECONNRESET,
		"%s", strerror(-r));
}

/* Takes until nothing is left; whatever is taken must be usable and is closed. */
static int take_all(struct fdsup_channel *from)
{
	struct fdsup_connection got;
	char text[FDSUP_TEXT_SIZE];
	int fd;
	while ((fd = fdsup_take(from, &got)) >= 0) {
		cr_assert(fcntl(fd, F_GETFD) & FD_CLOEXEC);
		cr_assert_lt(strlen(fdsup_peer_text(&got, text)), sizeof text);
		cr_assert_lt(strlen(fdsup_local_text(&got, text)), sizeof text);
		fdsup_taken(from, &got);
		fdsup_finished(from, &got, NULL);
		close(fd);
	}
	return fd;
}

/* One call drops a bounded number of bad messages, and may say that nothing is there. */
static void take_until_quiet(struct fdsup_channel *from)
{
	do
		cr_assert_eq(take_all(from), -EAGAIN);
	while (is_readable(fdsup_fd(from)));
}

static void drain_reports(void)
{
	struct report reports[REPORTS_PER_MESSAGE];
	int pid;
	while (report_receive(acceptor_end, reports, &pid) >= 0)
		;
}

Test(library_hostile, messages_on_a_queue, .timeout = 120)
{
	open_things();
	for (uint32_t seed = 1; seed <= SEEDS; seed++) {
		struct fdsup_connection got;
		state = seed * 2654435761U;
		open_queue();
		size_t n = count_descriptors();
		for (int i = 0; i < ROUNDS; i++) {
			for (uint32_t k = next(6); k > 0; k--)
				send_hostile(acceptor_end);
			take_until_quiet(channel);
			drain_reports();
			cr_assert_eq(count_descriptors(), n, "seed %u, round %d", seed, i);
		}
		int client = hand_over(seed);
		int fd = fdsup_take(channel, &got);
		cr_assert_geq(fd, 0, "seed %u", seed);
		cr_assert_eq(got.id, seed);
		close(fd);
		close(client);
		/* What is under way when both ends close is closed by the kernel. */
		send_hostile(acceptor_end);
		close_queue();
	}
}

Test(library_hostile, acceptors_on_a_socket, .timeout = 120)
{
	open_things();
	for (uint32_t seed = 1; seed <= SEEDS; seed++) {
		state = seed * 2246822519U;
		n_before = count_descriptors();
		for (int i = 0; i < ROUNDS; i++) {
			int ends[2];
			struct fdsup_channel *classic;
			cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
			cr_assert_eq(fdsup_open_fd(&classic, ends[1]), 0);
			for (uint32_t k = next(5); k > 0; k--)
				send_hostile(ends[0]);
			if (next(2))
				shutdown(ends[0], SHUT_WR);
			if (next(3))
				take_all(classic);
			if (next(2))
				fdsup_stop(classic);
			if (next(2))
				take_all(classic);
			fdsup_close(classic);
			close(ends[0]);
			cr_assert_eq(count_descriptors(), n_before, "seed %u, round %d", seed, i);
		}
	}
}

static void receive_all(int socket)
{
	uint8_t bytes[BYTES_MAX];
	ssize_t n;
	int fd;
	do {
		n = fdsup_receive_fd(socket, bytes, 1 + next(BYTES_MAX), &fd);
		cr_assert(n > 0 || fd == -1);
		if (fd >= 0)
			close(fd);
	} while (n > 0 || n == -EBADMSG || n == -EMSGSIZE || n == -EMFILE);
	cr_assert(n == 0 || n == -EAGAIN, "%s", strerror((int)-n));
}

Test(library_hostile, messages_to_the_plain_call, .timeout = 120)
{
	open_things();
	for (uint32_t seed = 1; seed <= SEEDS; seed++) {
		state = seed * 3266489917U;
		n_before = count_descriptors();
		for (int i = 0; i < ROUNDS; i++) {
			int ends[2];
			int type = next(2) ? SOCK_STREAM : SOCK_SEQPACKET;
			cr_assert_eq(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends), 0);
			for (uint32_t k = next(6); k > 0; k--)
				send_hostile(ends[0]);
			if (next(2))
				fd_close(&ends[0]);
			receive_all(ends[1]);
			fd_close(&ends[0]);
			close(ends[1]);
			cr_assert_eq(count_descriptors(), n_before, "seed %u, round %d", seed, i);
		}
	}
}

/* The kernel cuts the control data where descriptors run out: from none up to some are received. */
Test(library_hostile, messages_with_more_descriptors_than_there_is_room_for, .timeout = 120)
{
	open_things();
	n_before = count_descriptors();
	for (rlim_t room = 0; room < 6; room++) {
		for (size_t n = 1; n <= DESCRIPTOR_MAX; n += 21) {
			int ends[2];
			int fd;
			char byte;
			cr_assert_eq(
				socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
			cr_assert_eq(descriptor_send(ends[0], "x", 1, things, n), 0);
			int lowest_free = dup(0);
			close(lowest_free);
			rlim_t limit = limit_descriptors((rlim_t)lowest_free + room);
			ssize_t r = fdsup_receive_fd(ends[1], &byte, 1, &fd);
			limit_descriptors(limit);
			cr_assert(n > room ? r == -EMFILE : r == (n == 1 ? 1 : -EBADMSG),
				"%zu descriptors, room for %lu: %zd", n, (unsigned long)room, r);
			cr_assert(r == 1 || fd == -1);
			if (fd >= 0)
				close(fd);
			close(ends[0]);
			close(ends[1]);
			cr_assert_eq(count_descriptors(), n_before);
		}
	}
}
