/* The promises of the ledger. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>

#include "acceptor/ledger.h"

static struct ledger ledger;
static struct ledger_account account;

static void setup(void)
{
	ledger_init(&ledger, 0x5eed);
}

static void teardown(void)
{
	ledger_fini(&ledger);
}

TestSuite(ledger, .init = setup, .fini = teardown);

static uint32_t add(uint64_t id, uint64_t accepted_ns)
{
	struct ledger_entry like = { .id = id, .accepted_ns = accepted_ns, .service = 3 };
	uint32_t place = ledger_add(&ledger, &account, &like);
	cr_assert_neq(place, LEDGER_NOWHERE);
	return place;
}

static uint64_t oldest(void)
{
	return account.oldest ? ledger_at(&ledger, account.oldest)->id : 0;
}

Test(ledger, finds_only_entries_of_the_same_service)
{
	uint32_t place = add(7, 1);
	cr_expect_eq(ledger_find(&ledger, 3, 7), place);
	cr_expect_eq(ledger_find(&ledger, 4, 7), LEDGER_NOWHERE);
	cr_expect_eq(ledger_find(&ledger, 3, 8), LEDGER_NOWHERE);
	ledger_remove(&ledger, &account, place);
	cr_expect_eq(ledger_find(&ledger, 3, 7), LEDGER_NOWHERE);
}

Test(ledger, finds_nothing_when_empty)
{
	cr_expect_eq(ledger_find(&ledger, 3, 7), LEDGER_NOWHERE);
	cr_expect_eq(ledger_find_pid(&ledger, 7), LEDGER_NOWHERE);
}

Test(ledger, finds_by_process)
{
	uint32_t one = add(1, 1), two = add(2, 2);
	ledger_set_pid(&ledger, one, 100);
	ledger_set_pid(&ledger, two, 200);
	cr_expect_eq(ledger_find_pid(&ledger, 200), two);
	ledger_set_pid(&ledger, two, 300);
	cr_expect_eq(ledger_find_pid(&ledger, 200), LEDGER_NOWHERE);
	ledger_remove(&ledger, &account, one);
	cr_expect_eq(ledger_find_pid(&ledger, 100), LEDGER_NOWHERE);
	cr_expect_eq(ledger_find_pid(&ledger, 300), two);
}

Test(ledger, knows_the_oldest_after_any_end)
{
	uint32_t one = add(1, 10), two = add(2, 20);
	add(3, 30);
	ledger_remove(&ledger, &account, two);
	cr_expect_eq(oldest(), 1);
	ledger_remove(&ledger, &account, one);
	cr_expect_eq(oldest(), 3);
}

Test(ledger, puts_a_late_entry_in_the_place_of_its_age)
{
	add(2, 20);
	add(3, 30);
	uint32_t late = add(1, 10);
	cr_expect_eq(oldest(), 1);
	ledger_remove(&ledger, &account, late);
	uint32_t middle = add(4, 25);
	cr_expect_eq(ledger_at(&ledger, middle)->newer, ledger_find(&ledger, 3, 3));
}

Test(ledger, keeps_the_waiting_in_the_order_of_their_hand_off)
{
	uint32_t one = add(1, 10), two = add(2, 20);
	cr_expect_eq(account.n_held, 2);
	ledger_set_state(&ledger, &account, two, LEDGER_WAITING);
	ledger_set_state(&ledger, &account, one, LEDGER_WAITING);
	cr_expect_eq(account.first_waiting, two);
	cr_expect_eq(account.n_held, 0);
	cr_expect_eq(account.n_waiting, 2);
	ledger_set_state(&ledger, &account, two, LEDGER_TAKEN);
	cr_expect_eq(account.first_waiting, one);
	ledger_remove(&ledger, &account, one);
	cr_expect_eq(account.first_waiting, LEDGER_NOWHERE);
	cr_expect_eq(account.last_waiting, LEDGER_NOWHERE);
	cr_expect_eq(account.n_waiting, 0);
}

Test(ledger, lets_what_was_handed_off_earlier_wait_before_the_rest)
{
	uint32_t one = add(1, 10), two = add(2, 20), three = add(3, 30);
	ledger_wait_first(&ledger, &account, two);
	cr_expect_eq(account.first_waiting, two);
	cr_expect_eq(account.last_waiting, two);
	ledger_set_state(&ledger, &account, three, LEDGER_WAITING);
	ledger_wait_first(&ledger, &account, one);
	cr_expect_eq(account.first_waiting, one);
	cr_expect_eq(account.n_waiting, 3);
	cr_expect_eq(account.n_held, 0);
	ledger_set_state(&ledger, &account, one, LEDGER_TAKEN);
	cr_expect_eq(account.first_waiting, two);
	ledger_remove(&ledger, &account, two);
	cr_expect_eq(account.first_waiting, three);
	cr_expect_eq(account.last_waiting, three);
}

/* Compares with a plain array, over many random steps. */
Test(ledger, agrees_with_a_plain_list_whatever_happens)
{
	enum { N = 3000, STEPS = 60000 };
	static uint32_t places[N];
	srand(1);
	for (unsigned step = 0; step < STEPS; step++) {
		unsigned id = (unsigned)rand() % N;
		if (places[id] && rand() % 2) {
			ledger_remove(&ledger, &account, places[id]);
			places[id] = 0;
		} else if (!places[id]) {
			places[id] = add(id + 1, step);
			ledger_set_pid(&ledger, places[id], (int32_t)id + 1);
			if (rand() % 2)
				ledger_set_state(&ledger, &account, places[id], LEDGER_WAITING);
		}
	}
	unsigned n = 0;
	for (unsigned id = 0; id < N; id++) {
		n += places[id] != 0;
		cr_assert_eq(ledger_find(&ledger, 3, id + 1), places[id]);
		cr_assert_eq(ledger_find_pid(&ledger, (int32_t)id + 1), places[id]);
	}
	cr_assert_eq(account.n, n);
	uint64_t before_ns = 0;
	for (uint32_t place = account.oldest; place;
		place = ledger_at(&ledger, place)->newer, n--) {
		cr_assert_geq(ledger_at(&ledger, place)->accepted_ns, before_ns);
		before_ns = ledger_at(&ledger, place)->accepted_ns;
	}
	cr_assert_eq(n, 0);
}

Test(ledger, is_bounded)
{
	uint64_t id = 1;
	while (ledger_reserve(&ledger) == 0)
		add(id++, 1);
	cr_expect_eq(id, LEDGER_MAX);
	cr_expect_eq(ledger_reserve(&ledger), -ENOSPC);
}

Test(ledger, gives_its_memory_back_after_a_rush)
{
	enum { N = 5000 };
	static uint32_t places[N];
	for (unsigned i = 0; i < N; i++)
		places[i] = add(i + 1, 1);
	for (unsigned i = 0; i < N; i++)
		ledger_remove(&ledger, &account, places[i]);
	cr_expect_eq(ledger.capacity, 0);
	cr_expect_eq(ledger_find(&ledger, 3, 1), LEDGER_NOWHERE);
	add(1, 1);
	cr_expect_eq(oldest(), 1);
}
