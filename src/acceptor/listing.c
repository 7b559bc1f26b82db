#include "acceptor/listing.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "acceptor/acceptor.h"
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

/* Places looked at, and rows written, in one turn of the loop. */
enum { STEP_PLACES = 4096, STEP_ROWS = 512 };

/* What the kernel has said of the entry at a place. */
struct known {
	uint64_t id; /* 0: nothing */
	struct diag_facts facts;
};

struct listing {
	struct acceptor *acceptor;
	uint32_t number;
	int fd;
	struct survey_visitor visitor;
	struct known *known; /* by place; pages that are not touched cost nothing */
	uint32_t capacity;   /* of the ledger when it began */
	uint32_t place;      /* to go on at */
	ev_timer timer;
};

static size_t known_size(const struct listing *listing)
{
	return listing->capacity * sizeof *listing->known;
}

static void destroy(struct listing *listing)
{
	ev_timer_stop(listing->acceptor->loop, &listing->timer);
	if (listing->known)
		munmap(listing->known, known_size(listing));
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
	if (!facts->has_bytes)
		return;
	row->flags |= CONNECTION_HAS_BYTES;
	row->bytes_in = facts->bytes_in;
	row->bytes_out = facts->bytes_out;
}

static void fill_row(
	const struct listing *listing, uint32_t place, struct connection_row *row)
{
	const struct ledger_entry *entry = ledger_at(&listing->acceptor->ledger, place);
	const struct known *known =
		listing->known && place < listing->capacity ? &listing->known[place] : NULL;
	*row = (struct connection_row){
		.id = entry->id,
		.accepted_ns = entry->accepted_ns,
		.peer = entry->peer,
		.local = entry->local,
		.service = entry->service,
		.pid = entry->pid,
		.worker = entry->worker,
		.stage = entry->state,
		.flags = known && entry->is_followed ? CONNECTION_IS_FOLLOWED : 0,
	};
	if (known && known->id == entry->id) {
		add_facts(row, &known->facts);
	} else if (entry->is_gone && entry->has_bytes) {
		row->flags |= CONNECTION_HAS_BYTES;
		row->bytes_in = entry->bytes_in;
		row->bytes_out = entry->bytes_out;
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

static void on_step(struct ev_loop *loop, ev_timer *timer, int revents)
{
	(void)revents;
	static struct connection_row rows[STEP_ROWS];
	struct listing *listing = timer->data;
	struct ledger *ledger = &listing->acceptor->ledger;
	uint32_t n = 0, end = listing->place + STEP_PLACES;
	for (; listing->place < end && listing->place < ledger->capacity && n < STEP_ROWS;
		listing->place++)
		if (ledger_at(ledger, listing->place)->is_used)
			fill_row(listing, listing->place, &rows[n++]);
	int r = write_rows(listing->fd, rows, n);
	if (r < 0 || listing->place >= ledger->capacity) {
		finish(listing, r);
		return;
	}
	ev_timer_set(timer, 0, 0);
	ev_timer_start(loop, timer);
}

static void on_connection(void *context, const struct diag_facts *facts)
{
	struct listing *listing = context;
	const struct ledger *ledger = &listing->acceptor->ledger;
	uint32_t place = ledger_find_id(ledger, facts->cookie);
	for (; place; place = ledger_find_same(ledger, place))
		if (place < listing->capacity)
			listing->known[place] = (struct known){ facts->cookie, *facts };
}

/* Without the kernel's word the list says what the workers have said. */
static void on_survey_end(void *context, int error)
{
	struct listing *listing = context;
	if (error < 0 && listing->known) {
		munmap(listing->known, known_size(listing));
		listing->known = NULL;
	}
	ev_timer_set(&listing->timer, 0, 0);
	ev_timer_start(listing->acceptor->loop, &listing->timer);
}

/* What silent workers have taken waits no longer. */
static void note_taken(struct acceptor *acceptor)
{
	uint64_t now_ns = clock_now_ns();
	for (uint32_t row = 0; row < acceptor->n_rows; row++)
		if (acceptor->services[row] && acceptor->services[row]->is_silent &&
			losses_drop_unfollowed(acceptor->services[row], now_ns))
			service_settle(acceptor->services[row], now_ns);
}

static int prepare(struct listing *listing)
{
	listing->fd = memfd_create("fdsup-connections", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (listing->fd < 0)
		return -errno;
	listing->place = LEDGER_NOWHERE + 1;
	listing->capacity = listing->acceptor->ledger.capacity;
	if (!listing->capacity || listing->acceptor->survey.io.fd < 0)
		return 0;
	void *memory = mmap(NULL, known_size(listing), PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (memory == MAP_FAILED)
		return -errno;
	listing->known = memory;
	return 0;
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
	ev_init(&listing->timer, on_step);
	listing->timer.data = listing;
	acceptor->listing = listing;
	int r = prepare(listing);
	if (r < 0) {
		finish(listing, r);
		return;
	}
	note_taken(acceptor);
	listing->visitor.on_connection = on_connection;
	listing->visitor.on_end = on_survey_end;
	listing->visitor.context = listing;
	if (listing->known)
		survey_join(&acceptor->survey, &listing->visitor);
	else
		on_survey_end(listing, 0);
}

void listing_end(struct acceptor *acceptor)
{
	if (acceptor->listing)
		destroy(acceptor->listing);
	acceptor->listing = NULL;
}
