#include "policy/estate.h"

enum estate_state estate_of_find(const struct estate_find *find, bool *ret_is_suspect)
{
	*ret_is_suspect = false;
	switch (find->state) {
	case ESTATE_UNKNOWN:
		if (!find->is_connection || !find->is_taking)
			return ESTATE_UNKNOWN;
		*ret_is_suspect = true;
		return ESTATE_ARRIVED;
	case ESTATE_ARRIVED:
	case ESTATE_SENDING:
		*ret_is_suspect = true;
		return find->state;
	case ESTATE_HELD:
	case ESTATE_ADMITTED:
	case ESTATE_DUE:
	case ESTATE_SENT:
		return find->state;
	case ESTATE_OWN:
	case ESTATE_OVER:
		break;
	}
	return ESTATE_UNKNOWN;
}

static enum estate_use use_of_copy(const struct estate_message *left, const struct slot_view *slot)
{
	if (!slot)
		return ESTATE_USE_CLOSE;
	if (slot->state == SLOT_QUEUED)
		return left->state == ESTATE_SENT ? ESTATE_USE_WATCH : ESTATE_USE_SEND_AGAIN;
	return slot->state == SLOT_CLAIMED ? ESTATE_USE_WATCH : ESTATE_USE_CLOSE;
}

enum estate_use estate_use_of(const struct estate_message *left, const struct slot_view *slot)
{
	if (left->n_acceptors >= ESTATE_DEATHS_MAX)
		return ESTATE_USE_GIVE_UP;
	switch (left->state) {
	case ESTATE_ARRIVED:
	case ESTATE_HELD:
		return ESTATE_USE_HOLD;
	case ESTATE_ADMITTED:
		return ESTATE_USE_DELIVER;
	case ESTATE_SENDING:
	case ESTATE_DUE:
	case ESTATE_SENT:
		return use_of_copy(left, slot);
	}
	return ESTATE_USE_CLOSE;
}
