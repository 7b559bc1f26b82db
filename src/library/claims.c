/*
 * Claims on connections that were taken and that the program has not begun to serve.
 *
 * The program knows a connection by its id, so they are found by it: in a table with one place an id,
 * where a later claim takes the place of an earlier one. What is pushed out is never said to have
 * begun; its report says so all the same.
 */
#include <stdlib.h>
#include <unistd.h>

#include "library/channel.h"

static struct slot_claim *place_of(const struct fdsup_channel *channel, uint64_t connection)
{
	return channel->claims ? &channel->claims[connection % CHANNEL_CLAIMS] : NULL;
}

bool channel_claim(struct fdsup_channel *channel, const struct handoff *record)
{
	struct slot_claim claim;
	if (!slots_claim(&channel->slots, record, channel->owner, &claim))
		return false;
	if (claim.slot && !channel->claims)
		channel->claims = calloc(CHANNEL_CLAIMS, sizeof *channel->claims);
	if (claim.slot && channel->claims)
		*place_of(channel, record->connection) = claim;
	return true;
}

void channel_begin(struct fdsup_channel *channel, uint64_t connection)
{
	struct slot_claim *claim = place_of(channel, connection);
	if (!claim || !claim->slot || atomic_load(&claim->slot->connection) != connection)
		return;
	slot_begin(claim, channel->owner);
	*claim = (struct slot_claim){ 0 };
}
