/*
 * Which rows of a listing are shown, and in which order: --state, --worker, --sort. It changes what is
 * shown, never the exit code.
 */
#ifndef FDSUP_CTL_VIEW_H
#define FDSUP_CTL_VIEW_H

#include <jansson.h>
#include <stdbool.h>

#include "ctl/ctl.h"
#include "ctl/records.h"
#include "ctl/table.h"

/* Whether --sort names a column, and --state states that there are; if not, that was said. */
bool view_check(const struct ctl *ctl, const struct table *table);

/* Puts the array `rows` of the reply in order, without what is not wanted. */
void view_apply(
	const struct ctl *ctl, const struct table *table, json_t *parameters, const char *rows);
void view_apply_records(const struct ctl *ctl, const struct table *table, struct records *rows);

#endif
