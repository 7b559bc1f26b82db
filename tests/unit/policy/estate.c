/* What is left of an acceptor that died, and what its successor does with it. */
#include <criterion/criterion.h>

#include "policy/estate.h"

static enum estate_state left(enum estate_state state, bool *ret_is_suspect)
{
	struct estate_find find = { .state = state, .is_connection = true, .is_taking = true };
	return estate_of_find(&find, ret_is_suspect);
}

Test(estate, all_that_is_a_clients_is_left_as_it_was)
{
	bool is_suspect;
	cr_expect_eq(left(ESTATE_HELD, &is_suspect), ESTATE_HELD);
	cr_expect_not(is_suspect);
	cr_expect_eq(left(ESTATE_ADMITTED, &is_suspect), ESTATE_ADMITTED);
	cr_expect_not(is_suspect);
	cr_expect_eq(left(ESTATE_SENT, &is_suspect), ESTATE_SENT);
	cr_expect_not(is_suspect);
	cr_expect_eq(left(ESTATE_DUE, &is_suspect), ESTATE_DUE);
	cr_expect_not(is_suspect, "it waits for room, perhaps for long");
}

Test(estate, what_it_was_busy_with_may_be_what_it_died_of)
{
	bool is_suspect;
	cr_expect_eq(left(ESTATE_ARRIVED, &is_suspect), ESTATE_ARRIVED);
	cr_expect(is_suspect);
	cr_expect_eq(left(ESTATE_SENDING, &is_suspect), ESTATE_SENDING);
	cr_expect(is_suspect);
}

Test(estate, what_is_its_own_or_was_refused_is_not_left)
{
	bool is_suspect;
	cr_expect_eq(left(ESTATE_OWN, &is_suspect), ESTATE_UNKNOWN);
	cr_expect_eq(left(ESTATE_OVER, &is_suspect), ESTATE_UNKNOWN);
}

Test(estate, a_connection_of_which_nothing_is_written_was_just_taken)
{
	bool is_suspect;
	cr_expect_eq(left(ESTATE_UNKNOWN, &is_suspect), ESTATE_ARRIVED);
	cr_expect(is_suspect);
	struct estate_find other = { .is_taking = true };
	cr_expect_eq(estate_of_find(&other, &is_suspect), ESTATE_UNKNOWN, "a listener");
	other = (struct estate_find){ .is_connection = true };
	cr_expect_eq(estate_of_find(&other, &is_suspect), ESTATE_UNKNOWN, "nobody was taking one");
}

static enum estate_use use(enum estate_state state, const struct slot_view *slot)
{
	struct estate_message message = { .state = (uint8_t)state };
	return estate_use_of(&message, slot);
}

Test(estate, what_was_not_handed_off_goes_the_way_of_the_others)
{
	cr_expect_eq(use(ESTATE_ARRIVED, NULL), ESTATE_USE_HOLD);
	cr_expect_eq(use(ESTATE_HELD, NULL), ESTATE_USE_HOLD);
	cr_expect_eq(use(ESTATE_ADMITTED, NULL), ESTATE_USE_DELIVER);
}

Test(estate, a_copy_is_worth_what_its_slot_says)
{
	const struct slot_view queued = { .state = SLOT_QUEUED }, claimed = { .state = SLOT_CLAIMED },
			       begun = { .state = SLOT_BEGUN }, unused = { .state = SLOT_FREE };
	cr_expect_eq(use(ESTATE_SENT, &queued), ESTATE_USE_WATCH);
	cr_expect_eq(use(ESTATE_SENT, &claimed), ESTATE_USE_WATCH);
	cr_expect_eq(use(ESTATE_SENT, &begun), ESTATE_USE_CLOSE);
	cr_expect_eq(use(ESTATE_SENT, &unused), ESTATE_USE_CLOSE);
	cr_expect_eq(use(ESTATE_SENT, NULL), ESTATE_USE_CLOSE);
}

Test(estate, what_was_being_handed_off_is_handed_off_again_unless_somebody_has_it)
{
	const struct slot_view queued = { .state = SLOT_QUEUED }, claimed = { .state = SLOT_CLAIMED };
	cr_expect_eq(use(ESTATE_SENDING, &queued), ESTATE_USE_SEND_AGAIN);
	cr_expect_eq(use(ESTATE_DUE, &queued), ESTATE_USE_SEND_AGAIN);
	cr_expect_eq(use(ESTATE_SENDING, &claimed), ESTATE_USE_WATCH);
	cr_expect_eq(use(ESTATE_SENDING, NULL), ESTATE_USE_CLOSE, "it may be served twice");
}

Test(estate, a_connection_that_acceptors_die_of_goes_to_two_more_at_most)
{
	struct estate_message message = { .state = ESTATE_ARRIVED, .n_acceptors = 2 };
	cr_expect_eq(estate_use_of(&message, NULL), ESTATE_USE_HOLD);
	message.n_acceptors = 3;
	cr_expect_eq(estate_use_of(&message, NULL), ESTATE_USE_GIVE_UP);
}

Test(estate, what_nobody_knows_is_closed)
{
	cr_expect_eq(use(ESTATE_UNKNOWN, NULL), ESTATE_USE_CLOSE);
	cr_expect_eq(use((enum estate_state)200, NULL), ESTATE_USE_CLOSE);
}
