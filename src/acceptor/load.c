#include "acceptor/load.h"

#include <sys/sysinfo.h>

static const uint64_t good_for_ns = 1000000000;

uint32_t load_now_centi(struct load *load, uint64_t now_ns)
{
	struct sysinfo info;
	if (now_ns < load->until_ns)
		return load->centi;
	load->until_ns = now_ns + good_for_ns;
	if (sysinfo(&info) == 0)
		load->centi = (uint32_t)((info.loads[0] * 100) >> SI_LOAD_SHIFT);
	return load->centi;
}
