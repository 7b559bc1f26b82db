#include "taker/trouble.h"

bool trouble_failed(struct trouble *trouble, uint64_t now_ms)
{
	if (!trouble->is_going_on) {
		trouble->is_going_on = true;
		trouble->is_said = false;
		trouble->since_ms = now_ms;
		trouble->n_failed = 0;
	}
	trouble->n_failed++;
	bool is_quiet = trouble->was_ever_said && now_ms - trouble->said_ms < TROUBLE_QUIET_MS;
	if (trouble->is_said || is_quiet)
		return false;
	trouble->is_said = trouble->was_ever_said = true;
	trouble->said_ms = now_ms;
	return true;
}

bool trouble_succeeded(
	struct trouble *trouble, uint64_t now_ms, size_t *ret_n_failed, uint64_t *ret_lasted_ms)
{
	if (!trouble->is_going_on)
		return false;
	trouble->is_going_on = false;
	*ret_n_failed = trouble->n_failed;
	*ret_lasted_ms = now_ms - trouble->since_ms;
	return trouble->is_said;
}
