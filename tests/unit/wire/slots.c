/* Of all who come for a connection, exactly one gets it. */
#include <criterion/criterion.h>
#include <errno.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "wire/slots.h"

enum { WORKER = 4711, CHILD = 4712 };

static struct slots slots;
static int table;

static void setup(void)
{
	table = slots_create(256);
	cr_assert_geq(table, 0);
	cr_assert_eq(slots_map(table, &slots), 0);
}

static void teardown(void)
{
	slots_unmap(&slots);
	close(table);
}

TestSuite(slots, .init = setup, .fini = teardown, .timeout = 60);

static struct handoff offer(uint16_t number, uint64_t connection)
{
	return (struct handoff){
		.version = HANDOFF_VERSION,
		.length = sizeof(struct handoff),
		.slot = number,
		.turn = slots_offer(&slots, number, connection),
		.connection = connection,
	};
}

static void expect(uint32_t number, enum slot_state state, int32_t pid)
{
	struct slot_view view = slots_look(&slots, number);
	cr_expect_eq(view.state, state);
	cr_expect_eq(view.pid, pid);
}

Test(slots, a_connection_goes_from_queued_to_claimed_to_begun)
{
	struct slot_claim claim;
	struct handoff record = offer(1, 99);
	expect(1, SLOT_QUEUED, 0);
	cr_expect(slots_claim(&slots, &record, WORKER, &claim));
	expect(1, SLOT_CLAIMED, WORKER);
	cr_expect(slot_begin(&claim, CHILD));
	expect(1, SLOT_BEGUN, CHILD);
	cr_expect_eq(slots_connection(&slots, 1), 99);
	slots_free(&slots, 1);
	expect(1, SLOT_FREE, 0);
}

Test(slots, what_was_taken_back_is_nobody_elses)
{
	struct slot_claim claim, late;
	struct handoff record = offer(1, 99), again = record;
	cr_expect(slots_claim(&slots, &record, WORKER, &claim));
	struct slot_view look = slots_look(&slots, 1);
	cr_expect(slots_take_back(&slots, 1, &look, &again.turn));
	cr_expect_neq(again.turn, record.turn);
	cr_expect_not(slot_begin(&claim, CHILD));
	cr_expect_not(slots_claim(&slots, &record, WORKER, &late));
	cr_expect(slots_claim(&slots, &again, CHILD, &late));
	expect(1, SLOT_CLAIMED, CHILD);
}

Test(slots, what_has_begun_meanwhile_is_not_taken_back)
{
	struct slot_claim claim;
	struct handoff record = offer(1, 99);
	uint16_t turn = 0;
	slots_claim(&slots, &record, WORKER, &claim);
	struct slot_view look = slots_look(&slots, 1);
	cr_expect(slot_begin(&claim, CHILD));
	cr_expect_not(slots_take_back(&slots, 1, &look, &turn));
	expect(1, SLOT_BEGUN, CHILD);
}

Test(slots, a_begin_that_failed_can_be_tried_again)
{
	struct slot_claim claim;
	struct handoff record = offer(1, 99);
	slots_claim(&slots, &record, WORKER, &claim);
	cr_expect(slot_begin(&claim, CHILD));
	slot_unbegin(&claim, WORKER);
	expect(1, SLOT_CLAIMED, WORKER);
	cr_expect(slot_begin(&claim, CHILD));
}

Test(slots, a_place_that_was_used_again_refuses_who_comes_late)
{
	struct slot_claim claim;
	struct handoff old = offer(1, 99);
	slots_free(&slots, 1);
	offer(1, 100);
	cr_expect_not(slots_claim(&slots, &old, WORKER, &claim));
	/* Even when the turns have come round. */
	for (int i = 1; i < 1 << 16; i++) {
		slots_free(&slots, 1);
		offer(1, 100);
	}
	cr_expect_eq(slots_look(&slots, 1).turn, old.turn);
	cr_expect_not(slots_claim(&slots, &old, WORKER, &claim));
}

Test(slots, without_a_slot_a_connection_is_its_receivers)
{
	struct slots none = { 0 };
	struct handoff record = { .connection = 99 };
	struct slot_claim claim;
	cr_expect(slots_claim(&slots, &record, WORKER, &claim));
	cr_expect(slot_begin(&claim, CHILD));
	slot_unbegin(&claim, WORKER);
	record.slot = 1;
	cr_expect(slots_claim(&none, &record, WORKER, &claim));
	record.slot = (uint16_t)slots.n;
	cr_expect(slots_claim(&slots, &record, WORKER, &claim));
	cr_expect_null(claim.slot);
}

Test(slots, only_a_table_is_mapped)
{
	struct slots other;
	int pipe_ends[2], small = memfd_create("small", 0), foreign = memfd_create("foreign", 0);
	cr_assert_eq(pipe(pipe_ends), 0);
	cr_expect_eq(slots_map(pipe_ends[0], &other), -EINVAL);
	cr_expect_eq(slots_map(small, &other), -EINVAL);
	cr_assert_eq(ftruncate(foreign, 1 << 16), 0);
	cr_expect_eq(slots_map(foreign, &other), -EINVAL);
	cr_expect_eq(slots_map(-1, &other), -EBADF);
	cr_expect_neq(ftruncate(table, 0), 0, "nobody can make it shorter");
}

/* The acceptor takes back what a worker just begins, again and again, in two processes. */
Test(slots, of_two_at_the_same_moment_one_wins)
{
	enum { ROUNDS = 5000 };
	struct {
		_Atomic uint32_t round, done;
		_Atomic uint32_t n_begun;
	} *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct slot_claim *claims = mmap(
		NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid = fork();
	cr_assert_geq(pid, 0);
	if (pid == 0) {
		for (uint32_t i = 1; i <= ROUNDS; i++) {
			while (atomic_load(&shared->round) < i)
				sched_yield();
			atomic_fetch_add(&shared->n_begun, slot_begin(claims, CHILD));
			atomic_store(&shared->done, i);
		}
		_exit(0);
	}
	uint32_t n_back = 0;
	for (uint32_t i = 1; i <= ROUNDS; i++) {
		struct handoff record = offer(1, i);
		cr_assert(slots_claim(&slots, &record, WORKER, claims));
		struct slot_view look = slots_look(&slots, 1);
		atomic_store(&shared->round, i);
		n_back += slots_take_back(&slots, 1, &look, &record.turn);
		while (atomic_load(&shared->done) < i)
			sched_yield();
		slots_free(&slots, 1);
	}
	cr_expect_eq(waitpid(pid, NULL, 0), pid);
	cr_expect_eq(n_back + atomic_load(&shared->n_begun), ROUNDS);
}
