#include "acceptor/casualties.h"

#include "acceptor/acceptor.h"
#include "acceptor/service.h"
#include "acceptor/service_log.h"

/* A service whose command fails for each client must not keep the supervisor busy. */
enum { TOLD_A_SECOND = 5, TOLD_AT_ONCE = 20 };

static const uint64_t rest_ns = 1000000000;

static bool may_tell(struct casualties *casualties, uint64_t now_ns)
{
	struct bucket_rule rule = bucket_rule(TOLD_A_SECOND, 1000, TOLD_AT_ONCE);
	if (bucket_wait_ns(&casualties->bucket, rule, now_ns))
		return false;
	bucket_take(&casualties->bucket, rule, now_ns);
	return true;
}

static void tell(struct service *service, struct control_command *message)
{
	struct casualties *casualties = &service->traffic->casualties;
	message->kind = CONTROL_COMMAND_DIED;
	message->service = service->number;
	message->n_untold = casualties->n_untold;
	casualties->n_untold = 0;
	casualties->due_ns = NEVER_NS;
	acceptor_tell_supervisor(service->acceptor, message, sizeof *message);
}

void casualties_add(struct service *service, const struct ledger_entry *entry,
	const struct ending *ending, uint64_t now_ns)
{
	struct casualties *casualties = &service->traffic->casualties;
	if (!may_tell(casualties, now_ns)) {
		if (casualties->n_untold++ == 0)
			casualties->due_ns = now_ns + rest_ns;
		return;
	}
	struct control_command message = {
		.pid = entry->pid,
		.status = ending->status,
		.max_rss_kib = ending->max_rss_kib,
		.accepted_ns = entry->accepted_ns,
		.duration_us = ending->duration_us,
		.cpu_us = ending->cpu_us,
		.client = { .connection = entry->id, .peer = entry->peer },
	};
	tell(service, &message);
}

void casualties_tell_rest(struct service *service)
{
	struct control_command message = { 0 };
	tell(service, &message);
}
