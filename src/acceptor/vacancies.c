#include "acceptor/vacancies.h"

#include <stdlib.h>

#include "acceptor/acceptor.h"
#include "acceptor/service.h"

static const uint64_t pause_ns = 100000000;

/* Every process with the queue may report, also those that a worker forks: a bound for these. */
enum { VACANCIES_MAX = 1024 };

void vacancies_fini(struct vacancies *vacancies)
{
	free(vacancies->items);
	*vacancies = (struct vacancies){ .due_ns = NEVER_NS };
}

static struct vacancy *find(struct vacancies *vacancies, int32_t pid)
{
	for (uint32_t i = 0; i < vacancies->n_items; i++)
		if (vacancies->items[i].pid == pid)
			return &vacancies->items[i];
	return NULL;
}

/* NULL: there is no room; then it is not shown of this one. */
static struct vacancy *add(struct vacancies *vacancies, int32_t pid)
{
	if (vacancies->n_items == vacancies->room) {
		uint32_t room = vacancies->room ? 2 * vacancies->room : 8;
		struct vacancy *items = room > VACANCIES_MAX
						? NULL : realloc(vacancies->items, room * sizeof *items);
		if (!items)
			return NULL;
		vacancies->items = items;
		vacancies->room = room;
	}
	vacancies->items[vacancies->n_items] = (struct vacancy){ .pid = pid, .n = -1 };
	return &vacancies->items[vacancies->n_items++];
}

void vacancies_note(struct service *service, int32_t pid, int32_t n, uint64_t now_ns)
{
	struct vacancies *vacancies = &service->traffic->vacancies;
	struct vacancy *vacancy = find(vacancies, pid);
	if (!vacancy)
		vacancy = add(vacancies, pid);
	if (!vacancy || vacancy->n == n)
		return;
	vacancy->n = n;
	vacancy->is_told = false;
	if (vacancies->due_ns == NEVER_NS)
		vacancies->due_ns = now_ns + pause_ns;
}

void vacancies_tell(struct service *service)
{
	struct vacancies *vacancies = &service->traffic->vacancies;
	vacancies->due_ns = NEVER_NS;
	for (uint32_t i = 0; i < vacancies->n_items; i++) {
		struct vacancy *vacancy = &vacancies->items[i];
		struct control_process message = {
			.kind = CONTROL_WORKER_SLOTS,
			.service = service->number,
			.pid = vacancy->pid,
			.status = vacancy->n,
		};
		if (!vacancy->is_told)
			acceptor_tell_supervisor(service->acceptor, &message, sizeof message);
		vacancy->is_told = true;
	}
}

void vacancies_forget(struct service *service, int32_t pid)
{
	struct vacancies *vacancies = &service->traffic->vacancies;
	struct vacancy *vacancy = find(vacancies, pid);
	if (vacancy)
		*vacancy = vacancies->items[--vacancies->n_items];
}
