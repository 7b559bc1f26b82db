#include "acceptor/listing.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "acceptor/acceptor.h"
#include "acceptor/following.h"
#include "acceptor/losses.h"
#include "acceptor/service.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "wire/connections.h"

_Static_assert((int)CONNECTION_HELD == (int)LEDGER_HELD && (int)CONNECTION_QUEUED == (int)LEDGER_WAITING &&
		       (int)CONNECTION_TAKEN == (int)LEDGER_TAKEN &&
		       (int)CONNECTION_STARTED == (int)LEDGER_STARTED,
	"the same words");

/*
 * Places looked at, and rows written, in one turn of the loop: so long a client who connects may wait for
 * this list, and it is a tenth of a millisecond.
 */
enum { STEP_PLACES = 4096, STEP_ROWS = DIAG_LOOK_UPS_MAX };

struct listing {
	struct acceptor *acceptor;
	uint32_t number;
	int fd;
	uint32_t place; /* to go on at */
	ev_timer timer;
};

static void destroy(struct listing *listing)
{
	ev_timer_stop(listing->acceptor->loop, &listing->timer);
	fd_close(&listing->fd);
	free(listing);
}

static void answer(struct acceptor *acceptor, uint32_t number, int fd)
{
	struct control_number message = { CONTROL_LISTED, number };
	acceptor_tell_supervisor_with(acceptor, &message, sizeof message, fd);
}

static void finish(struct listing *listing, int error)
{
	struct acceptor *acceptor = listing->acceptor;
	int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL;
	if (error == 0 && fcntl(listing->fd, F_ADD_SEALS, seals) < 0)
		error = -errno;
	if (error < 0)
		log_warning("the list of connections cannot be made: %s", strerror(-error));
	answer(acceptor, listing->number, error < 0 ? -1 : listing->fd);
	acceptor->listing = NULL;
	destroy(listing);
}

static void add_facts(struct connection_row *row, const struct diag_facts *facts)
{
	row->flags |= CONNECTION_HAS_FACTS;
	row->state = facts->state;
	row->recv_q = facts->recv_q;
	row->send_q = facts->send_q;
	row->rtt_us = facts->rtt_us;
	row->idle_ms = facts->idle_ms;
	row->inode = facts->inode;
	if (!facts->has_bytes)
		return;
	row->flags |= CONNECTION_HAS_BYTES;
	row->bytes_in = facts->bytes_in;
	row->bytes_out = facts->bytes_out;
}

static struct connection_row row_of(const struct ledger_entry *entry)
{
	struct connection_row row = {
		.id = entry->id,
		.accepted_ns = entry->accepted_ns,
		.peer = entry->peer,
		.local = entry->local,
		.service = entry->service,
		.pid = entry->pid,
		.worker = entry->worker,
		.stage = entry->has_left_queue && entry->state == LEDGER_WAITING ? LEDGER_TAKEN : entry->state,
	};
	if (entry->is_gone && entry->has_bytes) {
		row.flags |= CONNECTION_HAS_BYTES;
		row.bytes_in = entry->bytes_in;
		row.bytes_out = entry->bytes_out;
	}
	return row;
}

/* Rows, and those of them that the kernel may know of. */
struct batch {
	struct connection_row rows[STEP_ROWS];
	struct diag_look_up look_ups[STEP_ROWS];
	struct connection_row *whose[STEP_ROWS];
	bool are_followed[STEP_ROWS];
	uint32_t n_rows, n_look_ups;
};

static void batch_add(struct batch *batch, const struct ledger_entry *entry)
{
	struct connection_row *row = &batch->rows[batch->n_rows++];
	bool is_ip = entry->peer.family == AF_INET || entry->peer.family == AF_INET6;
	*row = row_of(entry);
	if (!is_ip || entry->is_foreign || entry->peer.family != entry->local.family)
		return;
	uint32_t i = batch->n_look_ups++;
	batch->look_ups[i] = (struct diag_look_up){
		.cookie = entry->id,
		.local = &row->local,
		.peer = &row->peer,
	};
	batch->whose[i] = row;
	batch->are_followed[i] = entry->is_followed;
}

/* Without the kernel's word the list says what the workers have said. */
static void batch_complete(struct batch *batch, int query)
{
	if (query < 0 || diag_look_up_some(query, batch->look_ups, batch->n_look_ups) < 0)
		return;
	for (uint32_t i = 0; i < batch->n_look_ups; i++) {
		const struct diag_look_up *look_up = &batch->look_ups[i];
		if (batch->are_followed[i])
			batch->whose[i]->flags |= CONNECTION_IS_FOLLOWED;
		if (look_up->lives)
			add_facts(batch->whose[i], &look_up->facts);
	}
}

static int write_rows(int fd, const struct connection_row rows[], uint32_t n)
{
	size_t size = n * sizeof *rows;
	ssize_t written = size ? write(fd, rows, size) : 0;
	if (written < 0)
		return -errno;
	return (size_t)written == size ? 0 : -ENOSPC;
}

static int query_of(const struct acceptor *acceptor)
{
	return acceptor->following ? acceptor->following->query_fd : acceptor->survey.io.fd;
}

static void on_step(struct ev_loop *loop, ev_timer *timer, int revents)
{
	(void)revents;
	static struct batch batch;
	struct listing *listing = timer->data;
	struct ledger *ledger = &listing->acceptor->ledger;
	uint32_t end = listing->place + STEP_PLACES;
	batch.n_rows = batch.n_look_ups = 0;
	for (; listing->place < end && listing->place < ledger->capacity && batch.n_rows < STEP_ROWS;
		listing->place++)
		if (ledger_at(ledger, listing->place)->is_used)
			batch_add(&batch, ledger_at(ledger, listing->place));
	batch_complete(&batch, query_of(listing->acceptor));
	int r = write_rows(listing->fd, batch.rows, batch.n_rows);
	if (r < 0 || listing->place >= ledger->capacity) {
		finish(listing, r);
		return;
	}
	ev_timer_set(timer, 0, 0);
	ev_timer_start(loop, timer);
}

/* What silent workers have taken waits no longer, even before it is known that they are. */
static void note_taken(struct acceptor *acceptor)
{
	uint64_t now_ns = clock_now_ns();
	for (uint32_t row = 0; row < acceptor->n_rows; row++) {
		struct service *service = acceptor->services[row];
		if (!service)
			continue;
		if (service->is_silent && losses_drop_unfollowed(service, now_ns))
			service_settle(service, now_ns);
		losses_mark_out_of_queue(service);
	}
}

void listing_begin(struct acceptor *acceptor, uint32_t number)
{
	struct listing *listing = acceptor->listing ? NULL : calloc(1, sizeof *listing);
	if (!listing) {
		answer(acceptor, number, -1);
		return;
	}
	listing->acceptor = acceptor;
	listing->number = number;
	listing->place = LEDGER_NOWHERE + 1;
	listing->fd = memfd_create("fdsup-connections", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	ev_timer_init(&listing->timer, on_step, 0, 0);
	listing->timer.data = listing;
	acceptor->listing = listing;
	if (listing->fd < 0) {
		finish(listing, -errno);
		return;
	}
	note_taken(acceptor);
	ev_timer_start(acceptor->loop, &listing->timer);
}

void listing_end(struct acceptor *acceptor)
{
	if (acceptor->listing)
		destroy(acceptor->listing);
	acceptor->listing = NULL;
}
