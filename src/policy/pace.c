#include "policy/pace.h"

void pace_note(struct pace *pace, uint32_t n_waiting)
{
	if (n_waiting < PACE_ENOUGH) {
		pace->has_hurry = true;
		return;
	}
	bool is_long = n_waiting > PACE_MOST_US / PACE_EACH_US;
	uint32_t rest_us = is_long ? PACE_MOST_US : n_waiting * PACE_EACH_US;
	if (!pace->rest_us || rest_us < pace->rest_us)
		pace->rest_us = rest_us;
}

uint32_t pace_take(struct pace *pace)
{
	uint32_t rest_us = pace->has_hurry ? 0 : pace->rest_us;
	*pace = (struct pace){ 0 };
	return rest_us;
}
