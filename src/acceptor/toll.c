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
	service->traffic->toll = toll;
	if (service->traffic->orphans.worker == worker)
		toll->n_held = service->traffic->orphans.n;
}

void toll_orphan(struct service *service, pid_t worker)
{
	if (service->traffic->orphans.worker != worker)
		service->traffic->orphans.n = 0;
	service->traffic->orphans.worker = worker;
	service->traffic->orphans.n++;
}

void toll_end(struct service *service)
{
	const struct control_toll *toll = service->traffic->toll;
	service->traffic->toll = NULL;
	if (service->has_reports || service->traffic->copies->are_claimed)
		acceptor_tell_supervisor(service->acceptor, toll, sizeof *toll);
}

void toll_lives_on(struct service *service)
{
	if (service->traffic->toll)
		service->traffic->toll->n_held++;
}

void toll_lost(struct service *service)
{
	if (service->traffic->toll) {
		service->traffic->toll->n_held++;
		service->traffic->toll->n_lost++;
	}
}

void toll_given_up(struct service *service, const struct ledger_entry *entry)
{
	struct control_toll *toll = service->traffic->toll;
	if (toll && toll->n_given_up++ < CONTROL_CLIENTS)
		toll->given_up[toll->n_given_up - 1] =
			(struct control_client){ .connection = entry->id, .peer = entry->peer };
}

void toll_redelivered(struct service *service)
{
	if (service->traffic->toll) {
		service->traffic->toll->n_held++;
		service->traffic->toll->n_redelivered++;
	}
}
