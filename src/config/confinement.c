#include "config/confinement.h"

#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>

#include "config/privileges.h"
#include "config/problems.h"

/* Above this nobody can have descriptors. */
static uint64_t most_descriptors(void)
{
	unsigned long long most = LIMIT_UNLIMITED;
	FILE *file = fopen("/proc/sys/fs/nr_open", "re");
	if (file && fscanf(file, "%llu", &most) != 1)
		most = LIMIT_UNLIMITED;
	if (file)
		fclose(file);
	return most;
}

static void check_limit(struct draft *draft, enum limit_kind kind, bool may_raise)
{
	const struct service_config *service = draft->fields;
	const struct resource_limit *limit = &service->limits[kind];
	struct rlimit now;
	char key[32];
	if (!limit->is_given || getrlimit(limit_resource(kind), &now) < 0)
		return;
	snprintf(key, sizeof key, "limits.%s", limit_name(kind));
	uint64_t most = may_raise || now.rlim_max == RLIM_INFINITY ? LIMIT_UNLIMITED : now.rlim_max;
	if (limit->hard > most)
		draft_problem(draft, key,
			"is above the hard limit of fdsup itself, and only root (CAP_SYS_RESOURCE) could "
			"raise that; write at most %llu, or start fdsup with a higher limit",
			(unsigned long long)most);
	else if (kind == LIMIT_NOFILE && limit->hard > (most = most_descriptors()))
		draft_problem(draft, key,
			"is above what the kernel allows; write at most %llu, or raise the sysctl "
			"fs.nr_open",
			(unsigned long long)most);
}

static void check_limits(struct draft *draft)
{
	bool may_raise = privileges_has(CAP_SYS_RESOURCE);
	for (enum limit_kind kind = 0; kind < LIMIT_KINDS; kind++)
		check_limit(draft, kind, may_raise);
}

void confinement_check(struct draft *draft)
{
	const struct service_config *service = draft->fields;
	if (!service_type_runs_command(service->type))
		return;
	check_limits(draft);
}
