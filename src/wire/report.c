#include "wire/report.h"

#include <errno.h>

#include "wire/descriptor.h"

int report_send(int queue, const struct report reports[], size_t n)
{
	return descriptor_send(queue, reports, n * sizeof *reports, NULL, 0);
}

int report_receive(int queue, struct report ret_reports[REPORTS_PER_MESSAGE], int *ret_pid)
{
	struct descriptor_message message = {
		.bytes = ret_reports,
		.size = REPORTS_PER_MESSAGE * sizeof *ret_reports,
	};
	int r = descriptor_receive(queue, &message);
	if (r < 0)
		return r;
	if (r == 0)
		return -EPIPE;
	*ret_pid = message.sender.pid;
	size_t n = message.length / sizeof *ret_reports;
	if (n * sizeof *ret_reports != message.length || message.is_cut)
		return 0;
	for (size_t i = 0; i < n; i++)
		if (ret_reports[i].version != REPORT_VERSION || ret_reports[i].length != sizeof *ret_reports)
			return 0;
	return (int)n;
}
