/*
 * How long the list of connections may keep a real acceptor from accepting: seen from outside, in the
 * system calls that it makes between two turns of its loop.
 */
#include <criterion/criterion.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "acceptor/diag.h"
#include "support/acceptor_rig.h"
#include "wire/connections.h"

static struct rig rig;

static void setup(void)
{
	rig_start(&rig);
}

static void teardown(void)
{
	rig_stop(&rig);
}

TestSuite(acceptor_listing, .init = setup, .fini = teardown, .timeout = 60);

enum { N = 300 };

/* The whole of the work for the list, and the most of it in one turn. */
struct work {
	size_t asked, written;
	size_t most_asked, most_written;
};

static bool is_wait(uint64_t number)
{
#ifdef SYS_epoll_wait
	if (number == SYS_epoll_wait)
		return true;
#endif
	return number == SYS_epoll_pwait;
}

static void count(struct work *work, struct work *turn, const struct __ptrace_syscall_info *info)
{
	if (info->op != PTRACE_SYSCALL_INFO_ENTRY)
		return;
	if (info->entry.nr == SYS_sendto)
		turn->asked += info->entry.args[2];
	else if (info->entry.nr == SYS_write && info->entry.args[0] != STDERR_FILENO)
		turn->written += info->entry.args[2];
	if (!is_wait(info->entry.nr))
		return;
	work->asked += turn->asked;
	work->written += turn->written;
	if (turn->asked > work->most_asked)
		work->most_asked = turn->asked;
	if (turn->written > work->most_written)
		work->most_written = turn->written;
	*turn = (struct work){ 0 };
}

/* Follows the acceptor until it has written the whole list. */
static struct work watch(pid_t pid, size_t size)
{
	struct work work = { 0 }, turn = { 0 };
	struct __ptrace_syscall_info info;
	int status;
	while (work.written < size) {
		cr_assert_eq(ptrace(PTRACE_SYSCALL, pid, NULL, NULL), 0);
		cr_assert_eq(waitpid(pid, &status, 0), pid);
		cr_assert(WIFSTOPPED(status));
		if (WSTOPSIG(status) == (SIGTRAP | 0x80) &&
			ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof info, &info) > 0)
			count(&work, &turn, &info);
	}
	return work;
}

/* False: we may not follow it, as in some containers. */
static bool follow(pid_t pid)
{
	int status;
	if (ptrace(PTRACE_SEIZE, pid, NULL, PTRACE_O_TRACESYSGOOD) < 0)
		return false;
	cr_assert_eq(ptrace(PTRACE_INTERRUPT, pid, NULL, NULL), 0);
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	return true;
}

Test(acceptor_listing, a_long_list_is_made_in_turns_that_are_short)
{
	struct control_service settings = rig_settings(1);
	struct handoff record;
	int clients[N], connections[N];
	uint16_t port = rig_serve(&rig, &settings);
	for (int i = 0; i < N; i++) {
		clients[i] = rig_connect(port, NULL);
		connections[i] = rig_take(&rig, 1, &record);
		rig_report(&rig, 1, &record, REPORT_TAKEN, 0, 0);
	}
	rig_wait_score(&rig, 1, waiting, 0u);
	if (!follow(rig.pid))
		cr_skip("ptrace(2) is not allowed here");
	rig_send_number(&rig, CONTROL_LIST, 7);
	struct work work = watch(rig.pid, N * sizeof(struct connection_row));
	cr_assert_eq(ptrace(PTRACE_DETACH, rig.pid, NULL, NULL), 0);

	cr_expect_eq(work.written, N * sizeof(struct connection_row));
	cr_expect_leq(work.most_written, DIAG_LOOK_UPS_MAX * sizeof(struct connection_row));
	/* A question is of less than a hundred bytes. */
	cr_expect_leq(work.most_asked, DIAG_LOOK_UPS_MAX * 100u);

	for (int i = 0; i < N; i++) {
		close(clients[i]);
		close(connections[i]);
	}
}
