#include "config/confinement.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/capability.h"
#include "base/cgroup.h"
#include "base/fd.h"
#include "base/root.h"
#include "config/problems.h"
#include "config/sandbox_clash.h"
#include "config/value.h"

/* ---- limits ---------------------------------------------------------------------------------- */

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

static void check_limits(struct draft *draft, uint64_t permitted)
{
	bool may_raise = permitted & CAPABILITY_BIT(CAPABILITY_SYS_RESOURCE);
	for (enum limit_kind kind = 0; kind < LIMIT_KINDS; kind++)
		check_limit(draft, kind, may_raise);
}

/* ---- capabilities ---------------------------------------------------------------------------- */

static void check_capabilities(struct draft *draft, uint64_t permitted)
{
	const struct service_config *service = draft->fields;
	uint64_t missing = service->surroundings->capabilities & ~CAPABILITIES_GIVEN & ~permitted;
	if (!missing)
		return;
	int first = 0;
	while (!(missing & CAPABILITY_BIT(first)))
		first++;
	draft_problem(draft, "capabilities",
		"fdsup has not got \"%s\" itself, and cannot give it; start fdsup as root or with this "
		"capability, or remove it from the list",
		capability_name(first));
}

/* ---- chroot ---------------------------------------------------------------------------------- */

/* Who may change what the root directory holds can be root there by a set-user-id program of his own. */
static bool is_writable_by(const struct stat *status, const struct account *account)
{
	if (account->uid == 0)
		return false;
	if (status->st_uid == account->uid || status->st_mode & S_IWOTH)
		return true;
	bool is_in_group = status->st_gid == account->gid;
	for (size_t i = 0; i < account->n_groups && !is_in_group; i++)
		is_in_group = account->groups[i] == status->st_gid;
	return is_in_group && status->st_mode & S_IWGRP;
}

static void check_chroot(struct draft *draft, uint64_t permitted)
{
	const struct service_config *service = draft->fields;
	struct stat status;
	char shown[QUOTE_SIZE];
	if (!service->surroundings->chroot)
		return;
	quote(shown, service->surroundings->chroot);
	if (!(permitted & CAPABILITY_BIT(CAPABILITY_SYS_CHROOT)))
		draft_problem(draft, "chroot",
			"only root (CAP_SYS_CHROOT) can change the root directory; start fdsup as root or "
			"remove the key");
	else if (stat(service->surroundings->chroot, &status) < 0)
		draft_problem(draft, "chroot", "%s: %s; create it or name another folder", shown,
			strerror(errno));
	else if (!S_ISDIR(status.st_mode))
		draft_problem(draft, "chroot", "%s is not a folder; name a folder", shown);
	else if (service->account && is_writable_by(&status, service->account))
		draft_problem(draft, "chroot",
			"the user of the service may write to %s, and could get out of it by that; give it "
			"to root (chown root, chmod go-w), and let the user write to a folder in it",
			shown);
	if (service->supervision->ready == READY_NOTIFY || service->supervision->watchdog)
		draft_problem(draft,
			service->supervision->ready == READY_NOTIFY ? "ready" : "watchdog",
			"the socket for such messages (NOTIFY_SOCKET) is not below the chroot; write ready "
			"= \"fd\", or remove this key or chroot");
}

/* ---- sandbox --------------------------------------------------------------------------------- */

static void check_paths(struct draft *draft, const char *key, const struct text_list *list)
{
	const struct service_config *service = draft->fields;
	char shown[QUOTE_SIZE];
	for (size_t i = 0; i < list->n; i++) {
		fd_auto int fd = root_open(service->surroundings->chroot, list->items[i]);
		quote(shown, list->items[i]);
		if (list->items[i][0] != '/')
			draft_item_problem(draft, key, i, "%s is a relative path; write the whole path",
				shown);
		else if (fd < 0)
			draft_item_problem(draft, key, i, "%s%s: %s; create it, or remove it here",
				shown, service->surroundings->chroot ? " in the chroot" : "",
				strerror(-fd));
	}
}

static void check_sandbox(struct draft *draft)
{
	const struct service_config *service = draft->fields;
	const struct {
		const char *key;
		bool is_set;
	} of_strict[] = {
		{ "sandbox_read", service->surroundings->sandbox_read.n > 0 },
		{ "sandbox_write", service->surroundings->sandbox_write.n > 0 },
		{ "sandbox_network", service->surroundings->has_sandbox_network },
	};
	if (service->surroundings->sandbox == SANDBOX_STRICT) {
		check_paths(draft, "sandbox_read", &service->surroundings->sandbox_read);
		check_paths(draft, "sandbox_write", &service->surroundings->sandbox_write);
		sandbox_clash_check(draft);
		return;
	}
	for (size_t i = 0; i < sizeof of_strict / sizeof *of_strict; i++)
		if (of_strict[i].is_set && draft_has_own(draft, of_strict[i].key))
			draft_problem(draft, of_strict[i].key,
				"means nothing without sandbox = \"strict\"; write that, or remove this key");
}

/* ---- cgroup ---------------------------------------------------------------------------------- */

static const char *first_cgroup_key(const struct service_config *service)
{
	if (service->surroundings->cgroup_memory_max)
		return "cgroup.memory_max";
	if (service->surroundings->cgroup_pids_max)
		return "cgroup.pids_max";
	return service->surroundings->cgroup_cpu_max ? "cgroup.cpu_max" : "cgroup.own";
}

static void check_controller(
	struct draft *draft, const char *path, const char *key, bool is_set, const char *controller)
{
	char shown[QUOTE_SIZE];
	if (is_set && !cgroup_has_controller(path, controller))
		draft_problem(draft, key,
			"the cgroup %s cannot limit that: it has no controller \"%s\"; enable it there "
			"(cgroup.subtree_control of the group above, unless cgroup v1 has it), or remove "
			"the key",
			quote(shown, path), controller);
}

static void check_cgroup(struct draft *draft)
{
	const struct service_config *service = draft->fields;
	char path[PATH_MAX], shown[QUOTE_SIZE];
	if (!service_has_cgroup(service))
		return;
	if (cgroup_find(path) < 0) {
		draft_problem(draft, first_cgroup_key(service),
			"there is no cgroup v2 here (no file system of type cgroup2 with the group of fdsup); "
			"mount one, or remove the key");
		return;
	}
	if (!cgroup_is_ours(path)) {
		draft_problem(draft, first_cgroup_key(service),
			"the cgroup of fdsup, %s, is not its own to divide; write Delegate=yes into its "
			"systemd unit, start it as root, or remove the key",
			quote(shown, path));
		return;
	}
	check_controller(draft, path, "cgroup.memory_max", service->surroundings->cgroup_memory_max,
		"memory");
	check_controller(
		draft, path, "cgroup.pids_max", service->surroundings->cgroup_pids_max, "pids");
	check_controller(
		draft, path, "cgroup.cpu_max", service->surroundings->cgroup_cpu_max, "cpu");
}

void confinement_check(struct draft *draft)
{
	const struct service_config *service = draft->fields;
	if (!service_type_runs_command(service->type))
		return;
	uint64_t permitted = capability_permitted();
	check_limits(draft, permitted);
	check_capabilities(draft, permitted);
	check_chroot(draft, permitted);
	check_sandbox(draft);
	check_cgroup(draft);
}
