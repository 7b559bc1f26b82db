/* The promises of the catalogue of control messages. */
#include <criterion/criterion.h>

#include "wire/channel.h"
#include "wire/control.h"

Test(control, knows_the_size_of_every_message)
{
	for (uint32_t kind = CONTROL_SERVICE; kind <= CONTROL_LAPSED; kind++) {
		cr_expect_geq(control_size(kind), sizeof(struct control_number), "kind %u", kind);
		cr_expect_leq(control_size(kind), sizeof(union control_message), "kind %u", kind);
	}
}

Test(control, has_no_size_for_unknown_messages)
{
	static const uint32_t unknown[] = { 0, CONTROL_LAPSED + 1, 1000, UINT32_MAX };
	for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++)
		cr_expect_eq(control_size(unknown[i]), 0);
}

Test(control, fits_into_one_message_of_the_channel)
{
	cr_expect_leq(sizeof(union control_message), CHANNEL_MESSAGE_MAX);
}
