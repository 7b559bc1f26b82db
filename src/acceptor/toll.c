#include "acceptor/toll.h"

#include "acceptor/acceptor.h"
#include "acceptor/service.h"

void toll_begin(struct service *service, struct control_toll *toll, pid_t worker)
{
	*toll = (struct control_toll){
		.kind = CONTROL_TOLL,
		.service = service->number,
		.pid = worker,
	};
	service->toll = toll;
	if (service->orphans.worker == worker)
		toll->n_held = service->orphans.n;
}

void toll_orphan(struct service *service, pid_t worker)
{
	if (service->orphans.worker != worker)
		service->orphans.n = 0;
	service->orphans.worker = worker;
	service->orphans.n++;
}

void toll_end(struct service *service)
{
	const struct control_toll *toll = service->toll;
	service->toll = NULL;
	if (service->has_reports || service->copies->are_claimed)
		acceptor_tell_supervisor(service->acceptor, toll, sizeof *toll);
}

void toll_lives_on(struct service *service)
{
	if (service->toll)
		service->toll->n_held++;
}

void toll_lost(struct service *service)
{
	if (service->toll) {
		service->toll->n_held++;
		service->toll->n_lost++;
	}
}

void toll_given_up(struct service *service, const struct ledger_entry *entry)
{
	struct control_toll *toll = service->toll;
	if (toll && toll->n_given_up++ < CONTROL_CLIENTS)
		toll->given_up[toll->n_given_up - 1] =
			(struct control_client){ .connection = entry->id, .peer = entry->peer };
}

void toll_redelivered(struct service *service)
{
	if (service->toll) {
		service->toll->n_held++;
		service->toll->n_redelivered++;
	}
}
