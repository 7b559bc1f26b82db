#include "policy/standing.h"

void standing_change(struct standing *standing, enum service_state next, uint64_t now_ms)
{
	*standing = (struct standing){ .since_ms = now_ms, .shown = next, .told = next };
}

void standing_note(struct standing *standing, const struct health *health, uint64_t now_ms)
{
	if (health->state == standing->shown)
		return;
	standing->shown = (uint8_t)health->state;
	standing->since_ms = health->ill_ms < now_ms ? now_ms - health->ill_ms : 0;
	standing->n_well = 0;
}

bool standing_tell(struct standing *standing, enum service_state *ret_was)
{
	if (standing->shown == standing->told)
		return false;
	if (standing->told == STATE_DEGRADED && ++standing->n_well < STANDING_WELL_LOOKS)
		return false;
	*ret_was = standing->told;
	standing->told = standing->shown;
	return true;
}

bool standing_is_open(const struct standing *standing, enum service_state state)
{
	return standing->shown != state || standing->told != state;
}
