/*
 * The verbs that are one question and one table.
 */
#ifndef FDSUP_CTL_LISTING_H
#define FDSUP_CTL_LISTING_H

#include <stdbool.h>

#include "ctl/ask.h"
#include "ctl/table.h"

/* What -o asks for. False: there is no such column, which was said. */
bool choose_columns(const struct ctl *ctl, const struct table *table, struct table_choice *ret);

/* Asks and prints. Returns the exit code. */
int run_listing(struct ctl *ctl, const struct question *question, const struct table *table);

/* The same with other parameters than the names of services, which it takes. */
int run_listing_of(struct ctl *ctl, const struct question *question, const struct table *table,
	json_t *parameters);

#endif
