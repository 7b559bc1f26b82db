#include "acceptor/traces.h"

#include <sys/mman.h>
#include <sys/resource.h>

#include "acceptor/ledger.h"

/* Pages that no descriptor needs are not there. */
struct traces *traces_create(void)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return NULL;
	uint32_t room = limit.rlim_max < LEDGER_MAX ? (uint32_t)limit.rlim_max : LEDGER_MAX;
	struct traces *traces = mmap(NULL, sizeof *traces + room * sizeof(struct trace),
		PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (traces == MAP_FAILED)
		return NULL;
	traces->room = room;
	atomic_store(&traces->out, -1);
	atomic_store(&traces->in, -1);
	return traces;
}

void traces_destroy(struct traces *traces)
{
	if (traces)
		munmap(traces, sizeof *traces + traces->room * sizeof(struct trace));
}

void traces_begin(struct traces *traces, int fd, const struct trace *like)
{
	struct trace *trace = traces_at(traces, fd);
	if (!trace)
		return;
	/* Whatever it said was about another socket: it says nothing until it is whole. */
	atomic_store_explicit(&trace->state, ESTATE_UNKNOWN, memory_order_relaxed);
	atomic_signal_fence(memory_order_seq_cst);
	trace->id = like->id;
	trace->accepted_ns = like->accepted_ns;
	trace->order = like->order;
	trace->name = like->name;
	trace->service = like->service;
	trace->slot = like->slot;
	trace->n_acceptors = like->n_acceptors;
	trace->n_workers = like->n_workers;
	trace->is_uncounted = like->is_uncounted;
	if (atomic_load_explicit(&traces->n, memory_order_relaxed) <= (uint32_t)fd)
		atomic_store_explicit(&traces->n, (uint32_t)fd + 1, memory_order_relaxed);
	atomic_store_explicit(&trace->state, like->state, memory_order_release);
}
