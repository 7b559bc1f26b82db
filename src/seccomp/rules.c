#include "seccomp/rules.h"

#include <stdbool.h>

static bool is_own(enum filter_kind kind)
{
	return kind < FILTER_BASIC;
}

scmp_filter_ctx rules_make(enum filter_kind kind)
{
	scmp_filter_ctx filter = seccomp_init(is_own(kind) ? own_rules_default(kind) : SCMP_ACT_ALLOW);
	if (!filter)
		return NULL;
	if ((is_own(kind) ? own_rules_add : sandbox_rules_add)(filter, kind) == 0)
		return filter;
	seccomp_release(filter);
	return NULL;
}
