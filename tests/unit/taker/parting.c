/* What is closed while somebody else has a copy of it leaves nothing behind in epoll. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "taker/parting.h"

static struct ev_loop *loop;
static struct parting parting;
static int peer, ours, copy, n_events;

static void on_ready(struct ev_loop *l, ev_io *io, int events)
{
	(void)events;
	n_events++;
	ev_io_stop(l, io);
	parting_add(&parting, &ours);
}

/* Of epoll: "tfd: 7 events: 19 data: ..." for each that it watches; -1: there is none. */
static int n_watched(void)
{
	char path[300], line[256];
	int n = -1;
	DIR *folder = opendir("/proc/self/fdinfo");
	cr_assert_not_null(folder);
	for (struct dirent *entry; (entry = readdir(folder));) {
		char target[64] = "";
		snprintf(path, sizeof path, "/proc/self/fd/%s", entry->d_name);
		if (readlink(path, target, sizeof target - 1) < 0 || strcmp(target, "anon_inode:[eventpoll]"))
			continue;
		snprintf(path, sizeof path, "/proc/self/fdinfo/%s", entry->d_name);
		FILE *file = fopen(path, "r");
		cr_assert_not_null(file);
		for (n = 0; fgets(line, sizeof line, file);)
			n += strncmp(line, "tfd:", 4) == 0;
		fclose(file);
	}
	closedir(folder);
	return n;
}

static void set_up(void)
{
	int ends[2];
	loop = ev_loop_new(EVBACKEND_EPOLL | EVFLAG_NOENV);
	cr_assert_not_null(loop);
	parting_init(&parting, loop);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	peer = ends[0];
	ours = ends[1];
	copy = dup(ours);
}

static void tear_down(void)
{
	parting_fini(&parting);
	ev_loop_destroy(loop);
	close(peer);
	close(copy);
}

TestSuite(parting, .init = set_up, .fini = tear_down);

Test(parting, epoll_forgets_it_though_there_is_a_copy)
{
	ev_io io;
	char byte;
	ev_io_init(&io, on_ready, ours, EV_READ);
	ev_io_start(loop, &io);
	cr_assert_eq(write(peer, "x", 1), 1);
	ev_run(loop, EVRUN_ONCE);
	cr_assert_eq(n_events, 1);
	cr_expect_eq(ours, -1);
	cr_expect_eq(n_watched(), 1, "it is still there");
	cr_expect_eq(recv(peer, &byte, 1, MSG_DONTWAIT), 0, "the peer knows already");
	int n_before = dup(0);
	close(n_before);
	ev_run(loop, EVRUN_ONCE);
	cr_expect_eq(n_watched(), 0);
	int n_after = dup(0);
	close(n_after);
	cr_expect_lt(n_after, n_before, "and it is closed");
}

Test(parting, what_was_never_watched_is_closed_without_waiting)
{
	parting_add(&parting, &ours);
	ev_run(loop, EVRUN_ONCE);
	cr_expect_eq(parting.n, 0);
}

Test(parting, the_end_closes_all)
{
	int none = -1;
	parting_add(&parting, &ours);
	parting_add(&parting, &none);
	cr_expect_eq(parting.n, 1);
}
