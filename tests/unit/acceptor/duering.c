/* First in, first out, at any size, and nothing is left behind. */
#include <criterion/criterion.h>

#include "acceptor/duering.h"

static struct due_ring ring;

static void tear_down(void)
{
	due_ring_clear(&ring);
}

TestSuite(duering, .fini = tear_down);

static void push(uint64_t id)
{
	const struct due_item item = { .id = id, .due_ns = id * 10, .place = (uint32_t)id };
	cr_assert_eq(due_ring_push(&ring, &item), 0);
}

static void expect_first(uint64_t id)
{
	const struct due_item *first = due_ring_first(&ring);
	cr_assert_not_null(first);
	cr_assert_eq(first->id, id);
	cr_assert_eq(first->due_ns, id * 10);
	cr_assert_eq(first->place, id);
	due_ring_drop_first(&ring);
}

Test(duering, an_empty_one_has_no_first)
{
	cr_expect_null(due_ring_first(&ring));
	push(1);
	expect_first(1);
	cr_expect_null(due_ring_first(&ring));
}

Test(duering, the_order_stays_when_it_grows_while_it_is_wound_round)
{
	uint64_t next_in = 1, next_out = 1;
	for (int round = 0; round < 50; round++) {
		for (int i = 0; i < 30 + round; i++)
			push(next_in++);
		for (int i = 0; i < 20 + round; i++)
			expect_first(next_out++);
	}
	cr_expect_eq(ring.n, next_in - next_out);
	while (next_out < next_in)
		expect_first(next_out++);
}

Test(duering, a_large_one_that_is_empty_gives_its_memory_back)
{
	for (uint64_t id = 1; id <= 10000; id++)
		push(id);
	for (uint64_t id = 1; id <= 10000; id++)
		expect_first(id);
	cr_expect_eq(ring.capacity, 0);
	push(7);
	expect_first(7);
	cr_expect_gt(ring.capacity, 0, "a small one keeps it");
}
