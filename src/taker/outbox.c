#include "taker/outbox.h"

#include <errno.h>
#include <stdlib.h>

#include "base/log.h"

enum { FIRST_CAPACITY = 32 };

void outbox_init(struct outbox *outbox, int queue)
{
	*outbox = (struct outbox){ .queue = queue };
}

void outbox_fini(struct outbox *outbox)
{
	free(outbox->reports);
	*outbox = (struct outbox){ .queue = -1 };
}

static struct report *at(const struct outbox *outbox, size_t i)
{
	return &outbox->reports[(outbox->first + i) & (outbox->capacity - 1)];
}

static bool grow(struct outbox *outbox)
{
	struct outbox larger = *outbox;
	if (outbox->n >= OUTBOX_MAX)
		return false;
	larger.capacity = outbox->capacity ? outbox->capacity * 2 : FIRST_CAPACITY;
	larger.first = 0;
	larger.reports = malloc(larger.capacity * sizeof *larger.reports);
	if (!larger.reports)
		return false;
	for (size_t i = 0; i < outbox->n; i++)
		larger.reports[i] = *at(outbox, i);
	free(outbox->reports);
	*outbox = larger;
	return true;
}

void outbox_add(struct outbox *outbox, const struct report *report)
{
	if (outbox->queue < 0)
		return;
	if (outbox->n == outbox->capacity && !grow(outbox)) {
		if (outbox->n_dropped++ == 0)
			log_warning("the acceptor has not read %zu reports: further ones are "
				    "dropped until it does",
				outbox->n);
		return;
	}
	*at(outbox, outbox->n++) = *report;
}

/* How many lie in a row from the first on, at most one message. */
static size_t n_in_a_row(const struct outbox *outbox)
{
	size_t n = outbox->capacity - outbox->first;
	if (n > outbox->n)
		n = outbox->n;
	return n < REPORTS_PER_MESSAGE ? n : REPORTS_PER_MESSAGE;
}

void outbox_flush(struct outbox *outbox)
{
	outbox->is_full = false;
	while (outbox->n > 0) {
		size_t n = n_in_a_row(outbox);
		int r = report_send(outbox->queue, at(outbox, 0), n);
		if (r == -EAGAIN || r == -ENOBUFS || r == -ENOMEM) {
			outbox->is_full = true;
			return;
		}
		/* Any other failure means that nobody is there to listen. */
		outbox->first = (outbox->first + n) & (outbox->capacity - 1);
		outbox->n -= n;
	}
	if (outbox->n_dropped)
		log_notice("reports are read again; %zu were dropped", outbox->n_dropped);
	outbox->n_dropped = 0;
}
