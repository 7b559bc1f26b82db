#include "worker/reports.h"

#include <errno.h>
#include <stdlib.h>

#include "base/log.h"

void reports_init(struct reports *reports, struct source *source)
{
	*reports = (struct reports){ .source = source };
}

static struct child *take_first(struct reports *reports)
{
	struct child *child = reports->first;
	reports->first = child->next_untold;
	if (!reports->first)
		reports->last = NULL;
	child->next_untold = NULL;
	child->is_listed = false;
	if (!child->is_running)
		reports->n_ended--;
	return child;
}

void reports_fini(struct reports *reports)
{
	while (reports->first) {
		struct child *child = take_first(reports);
		if (!child->is_running)
			free(child);
	}
}

static void append(struct reports *reports, struct child *child)
{
	if (child->is_listed)
		return;
	child->is_listed = true;
	if (reports->last)
		reports->last->next_untold = child;
	else
		reports->first = child;
	reports->last = child;
}

void reports_started(struct reports *reports, struct child *child)
{
	if (!reports->source->methods->tell)
		return;
	child->owes_start = true;
	append(reports, child);
}

void reports_ended(struct reports *reports, struct child *child)
{
	child->is_running = false;
	child->owes_end = true;
	bool is_told = reports->source->methods->tell;
	if (is_told && !child->is_listed && reports->n_ended >= REPORTS_ENDED_MAX) {
		if (reports->n_dropped++ == 0)
			log_warning("the acceptor has not read what was reported of %d commands: "
				    "reports of further ones are dropped until it does",
				REPORTS_ENDED_MAX);
		is_told = false;
	}
	if (!is_told) {
		free(child);
		return;
	}
	append(reports, child);
	reports->n_ended++;
}

static void put_in_batch(
	struct reports *reports, const struct report *report, enum report_kind kind)
{
	struct report *last = &reports->batch[reports->n_batch++];
	*last = *report;
	last->kind = (uint8_t)kind;
}

/* Moves what the oldest child has to tell into the batch, which has room for one report. */
static void gather_one(struct reports *reports)
{
	struct child *child = reports->first;
	if (child->owes_start) {
		child->owes_start = false;
		struct report start = child->report;
		/* Told again it says so by any time; and what follows tells how long it was in the end. */
		if (!child->has_told_start)
			start.duration_us = 0;
		else if (!start.duration_us)
			start.duration_us = 1;
		child->has_told_start = true;
		start.cpu_us = 0;
		start.status = 0;
		start.max_rss_kib = 0;
		put_in_batch(reports, &start, REPORT_STARTED);
	} else if (child->owes_end) {
		child->owes_end = false;
		put_in_batch(reports, &child->report, (enum report_kind)child->report.kind);
	}
	if (child->owes_end)
		return;
	take_first(reports);
	if (!child->is_running)
		free(child);
}

void reports_flush(struct reports *reports)
{
	reports->is_full = false;
	for (;;) {
		while (reports->first && reports->n_batch < REPORTS_PER_MESSAGE)
			gather_one(reports);
		if (reports->n_batch == 0)
			break;
		int r = reports->source->methods->tell(
			reports->source, reports->batch, reports->n_batch);
		if (r == -EAGAIN || r == -ENOBUFS || r == -ENOMEM) {
			reports->is_full = true;
			return;
		}
		/* Any other failure means that nobody is there to listen. */
		reports->n_batch = 0;
	}
	if (reports->n_dropped)
		log_notice("reports are read again; %zu were dropped", reports->n_dropped);
	reports->n_dropped = 0;
}
