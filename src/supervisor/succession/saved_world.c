#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "admin/server.h"
#include "config/pack.h"
#include "process/cgroup.h"
#include "supervisor/acceptor.h"
#include "supervisor/log/capture.h"
#include "supervisor/runtime_dir.h"
#include "supervisor/service/readiness.h"
#include "supervisor/service/service.h"
#include "supervisor/succession/keeper.h"
#include "supervisor/succession/saved.h"
#include "supervisor/succession/saved_configs.h"
#include "supervisor/succession/saved_deaths.h"
#include "supervisor/supervisor.h"

/* ---- an acceptor ------------------------------------------------------------------------------- */

static json_t *save_capture(const void *object, struct state_fds *fds)
{
	return capture_save(((const struct acceptor *)object)->capture, fds);
}

static int restore_capture(
	void *object, const json_t *value, struct state_fds *fds, char error[STATE_ERROR_SIZE])
{
	(void)error;
	struct acceptor *acceptor = object;
	acceptor->capture = capture_restore(
		acceptor->supervisor->loop, "acceptor", CAPTURE_OURS, value, fds);
	return acceptor->capture ? 0 : -EINVAL;
}

static const struct state_row acceptor_rows[] = {
	STATE_FIELD(STATE_SIGNED, struct acceptor, child.pid),
	STATE_FIELD(STATE_FD, struct acceptor, child.pidfd),
	STATE_FIELD(STATE_BOOL, struct acceptor, child.is_adopted),
	STATE_FIELD(STATE_FD, struct acceptor, channel.socket),
	STATE_FIELD(STATE_FD, struct acceptor, board_fd),
	STATE_FIELD(STATE_FD, struct acceptor, estate_out),
	STATE_FIELD(STATE_FD, struct acceptor, estate_in),
	STATE_FIELD(STATE_UNSIGNED, struct acceptor, n_syncs),
	STATE_FIELD(STATE_UNSIGNED, struct acceptor, n_synced),
	STATE_FIELD(STATE_BOOL, struct acceptor, is_ready),
	STATE_FIELD(STATE_SIGNED, struct acceptor, confinement.seccomp),
	STATE_FIELD(STATE_SIGNED, struct acceptor, confinement.landlock),
	STATE_FIELD(STATE_SIGNED, struct acceptor, confinement.capabilities),
	STATE_FIELD(STATE_SIGNED, struct acceptor, confinement.no_new_privileges),
	STATE_FIELD(STATE_BOOL, struct acceptor, is_missing_told),
	STATE_FIELD(STATE_BOOL, struct acceptor, is_unguarded_told),
	STATE_FIELD(STATE_UNSIGNED, struct acceptor, started_ms),
	STATE_FIELD(STATE_UNSIGNED, struct acceptor, accepted_before),
	STATE_FIELD(STATE_UNSIGNED, struct acceptor, n_restarts),
	STATE_FIELD(STATE_UNSIGNED, struct acceptor, backoff.early_deaths),
	STATE_FIELD(STATE_UNSIGNED, struct acceptor, program),
	STATE_PAIR("capture", save_capture, restore_capture),
};
enum { N_ACCEPTOR_ROWS = sizeof acceptor_rows / sizeof *acceptor_rows };

json_t *saved_acceptor(const struct acceptor *acceptor, struct state_fds *fds)
{
	return state_save_rows(acceptor_rows, N_ACCEPTOR_ROWS, acceptor, fds);
}

/* ---- the supervisor ---------------------------------------------------------------------------- */

static json_t *save_runtime_dir(const void *object, struct state_fds *fds)
{
	const struct supervisor *supervisor = object;
	struct runtime_dir_saved saved;
	runtime_dir_save(&saved);
	if (fds->is_brief)
		saved.lock_fd = -1; /* it goes with us: whoever comes next must be able to have it */
	return json_pack("{s:s, s:s, s:o*, s:I, s:I}", "path", supervisor->config->runtime_dir,
		"admin_socket", supervisor->config->admin_socket, "lock_fd",
		state_save_fd(saved.lock_fd, fds), "admin_device",
		(json_int_t)saved.admin_file.device, "admin_inode",
		(json_int_t)saved.admin_file.inode);
}

static int restore_runtime_dir(
	void *object, const json_t *value, struct state_fds *fds, char error[STATE_ERROR_SIZE])
{
	struct supervisor *supervisor = object;
	const char *path = json_string_value(json_object_get(value, "path"));
	const char *admin = json_string_value(json_object_get(value, "admin_socket"));
	struct runtime_dir_saved saved = {
		.lock_fd = -1,
		.admin_file = {
			(dev_t)json_integer_value(json_object_get(value, "admin_device")),
			(ino_t)json_integer_value(json_object_get(value, "admin_inode")),
		},
	};
	if (!path || !admin || state_restore_fd(json_object_get(value, "lock_fd"), fds, &saved.lock_fd) < 0) {
		snprintf(error, STATE_ERROR_SIZE, "the runtime directory is missing");
		return -EINVAL;
	}
	runtime_dir_restore(&saved);
	return saved_configs_fix(supervisor, path, admin);
}

static json_t *save_readiness(const void *object, struct state_fds *fds)
{
	return state_save_fd(readiness_fd(object), fds);
}

static int restore_readiness(
	void *object, const json_t *value, struct state_fds *fds, char error[STATE_ERROR_SIZE])
{
	(void)error;
	return state_restore_fd(value, fds, &((struct supervisor *)object)->kept_notify_fd);
}

static json_t *save_admin(const void *object, struct state_fds *fds)
{
	const struct supervisor *supervisor = object;
	/* A client that connects while nobody answers must see that. */
	return supervisor->admin && !fds->is_brief ? state_save_fd(admin_server_fd(supervisor->admin), fds) : NULL;
}

static int restore_admin(
	void *object, const json_t *value, struct state_fds *fds, char error[STATE_ERROR_SIZE])
{
	(void)error;
	return state_restore_fd(value, fds, &((struct supervisor *)object)->kept_admin_fd);
}

static json_t *save_keeper(const void *object, struct state_fds *fds)
{
	return keeper_save(object, fds);
}

static int restore_keeper(
	void *object, const json_t *value, struct state_fds *fds, char error[STATE_ERROR_SIZE])
{
	(void)error;
	return keeper_restore(object, value, fds);
}

static json_t *save_cgroup(const void *object, struct state_fds *fds)
{
	(void)object, (void)fds;
	int owner;
	const char *path = cgroup_base(&owner);
	return path ? json_pack("{s:s, s:i}", "path", path, "owner", owner) : NULL;
}

/* After an upgrade we are the owner still, and find all of it where we are. */
static int restore_cgroup(
	void *object, const json_t *value, struct state_fds *fds, char error[STATE_ERROR_SIZE])
{
	(void)fds, (void)error;
	const struct supervisor *supervisor = object;
	const char *path = json_string_value(json_object_get(value, "path"));
	int owner = (int)json_integer_value(json_object_get(value, "owner"));
	if (path && owner > 0 && owner != getpid() && !supervisor->is_check)
		cgroup_adopt(path, owner);
	return 0;
}

static json_t *save_version(const void *object, struct state_fds *fds)
{
	(void)object, (void)fds;
	return json_string(FDSUP_VERSION);
}

static int restore_version(
	void *object, const json_t *value, struct state_fds *fds, char error[STATE_ERROR_SIZE])
{
	(void)fds, (void)error;
	struct supervisor *supervisor = object;
	snprintf(supervisor->version_before, sizeof supervisor->version_before, "%s",
		json_is_string(value) ? json_string_value(value) : "?");
	return 0;
}

static json_t *save_pid(const void *object, struct state_fds *fds)
{
	(void)object, (void)fds;
	return json_integer(getpid());
}

static int restore_pid(
	void *object, const json_t *value, struct state_fds *fds, char error[STATE_ERROR_SIZE])
{
	(void)fds, (void)error;
	((struct supervisor *)object)->pid_before = (pid_t)json_integer_value(value);
	return 0;
}

static json_t *save_instance(const void *object, struct state_fds *fds)
{
	(void)fds;
	return json_string(((const struct supervisor *)object)->instance);
}

static int restore_instance(
	void *object, const json_t *value, struct state_fds *fds, char error[STATE_ERROR_SIZE])
{
	(void)fds, (void)error;
	struct supervisor *supervisor = object;
	if (!json_is_string(value) || strlen(json_string_value(value)) >= sizeof supervisor->instance)
		return -EINVAL;
	strcpy(supervisor->instance, json_string_value(value));
	return 0;
}

static const struct state_row rows[] = {
	STATE_PAIR("version", save_version, restore_version),
	STATE_PAIR("pid", save_pid, restore_pid),
	STATE_PAIR("cgroup", save_cgroup, restore_cgroup),
	STATE_PAIR("instance", save_instance, restore_instance),
	STATE_FIELD(STATE_UNSIGNED, struct supervisor, started_ms),
	STATE_FIELD(STATE_SIGNED, struct supervisor, started_wall_ms),
	STATE_FIELD(STATE_SIGNED, struct supervisor, loaded_wall_ms),
	STATE_FIELD(STATE_SIGNED, struct supervisor, taken_over_wall_ms),
	STATE_FIELD(STATE_UNSIGNED, struct supervisor, nofile),
	STATE_FIELD(STATE_UNSIGNED, struct supervisor, last_serial),
	STATE_FIELD(STATE_UNSIGNED, struct supervisor, last_edition),
	STATE_FIELD(STATE_UNSIGNED, struct supervisor, n_upgrades),
	STATE_FIELD(STATE_UNSIGNED, struct supervisor, n_crashes),
	STATE_FIELD(STATE_UNSIGNED, struct supervisor, worker_programs),
	STATE_FIELD(STATE_BOOL, struct supervisor, has_hup),
	STATE_FIELD(STATE_TEXT, struct supervisor, reload_error),
	STATE_PAIR("runtime_dir", save_runtime_dir, restore_runtime_dir),
	STATE_PAIR("keeper", save_keeper, restore_keeper),
	STATE_PAIR("notify_fd", save_readiness, restore_readiness),
	STATE_PAIR("admin_fd", save_admin, restore_admin),
};
enum { N_ROWS = sizeof rows / sizeof *rows };

json_t *saved_supervisor(const struct supervisor *supervisor, struct state_fds *fds)
{
	json_t *json = state_save_rows(rows, N_ROWS, supervisor, fds);
	if (!json)
		return NULL;
	json_object_set_new(json, "format", json_integer(STATE_FORMAT));
	json_object_set_new(json, "readable_from", json_integer(STATE_READABLE_FROM));
	json_object_set_new(json, "n_acceptors", json_integer((json_int_t)supervisor->n_acceptors));
	return json;
}

/* ---- all of it --------------------------------------------------------------------------------- */

static int add_acceptors(const struct supervisor *supervisor, struct state *state)
{
	int r = 0;
	for (size_t i = 0; i < supervisor->n_acceptors && r == 0; i++) {
		struct state_fds fds = { 0 };
		char key[STATE_KEY_SIZE];
		snprintf(key, sizeof key, "acceptor/%zu", i);
		json_t *json = saved_acceptor(supervisor->acceptors[i], &fds);
		r = state_add(state, key, json, &fds);
	}
	return r;
}

static int add_services(const struct supervisor *supervisor, struct state *state)
{
	int r = 0;
	for (size_t i = 0; i < supervisor->n_services && r == 0; i++) {
		struct state_fds fds = { 0 };
		char key[STATE_KEY_SIZE];
		json_t *json = saved_service(supervisor->services[i], &fds);
		r = state_add(state, saved_service_key(key, supervisor->services[i]), json, &fds);
	}
	return r;
}

int saved_world(struct supervisor *supervisor, struct state *state)
{
	struct state_fds fds = { 0 };
	json_t *json = saved_supervisor(supervisor, &fds);
	int r = state_add(state, "fdsup", json, &fds);
	if (r == 0)
		r = saved_configs_add(supervisor, state);
	if (r == 0)
		r = add_acceptors(supervisor, state);
	if (r == 0)
		r = add_services(supervisor, state);
	if (r == 0)
		r = saved_deaths_add(supervisor, state);
	return r;
}

/* ---- and back ---------------------------------------------------------------------------------- */

static int restore_acceptors(
	struct supervisor *supervisor, const struct state *state, char error[STATE_ERROR_SIZE])
{
	const struct state_record *own = state_find(state, "fdsup");
	json_int_t n = json_integer_value(json_object_get(own->json, "n_acceptors"));
	if (n < 1 || n > 1024)
		return -EINVAL;
	supervisor->acceptors = calloc((size_t)n, sizeof *supervisor->acceptors);
	if (!supervisor->acceptors)
		return -ENOMEM;
	int r = 0;
	for (unsigned i = 0; i < n && r == 0; i++) {
		char key[STATE_KEY_SIZE];
		snprintf(key, sizeof key, "acceptor/%u", i);
		struct state_record *record = state_find(state, key);
		struct acceptor *acceptor = record ? acceptor_make(supervisor, i) : NULL;
		if (!acceptor)
			return record ? -ENOMEM : -EINVAL;
		supervisor->acceptors[supervisor->n_acceptors++] = acceptor;
		r = state_restore_rows(acceptor_rows, N_ACCEPTOR_ROWS, acceptor, record->json,
			&record->fds, error);
		if (r == 0 && (!acceptor->capture || acceptor->board_fd < 0))
			r = -EINVAL;
	}
	return r;
}

struct restoring {
	struct supervisor *supervisor;
	char *error;
};

static int count_service(void *context, struct state_record *record)
{
	(void)record;
	++*(size_t *)context;
	return 0;
}

static int restore_service(void *context, struct state_record *record)
{
	struct restoring *restoring = context;
	struct supervisor *supervisor = restoring->supervisor;
	const char *name = json_string_value(json_object_get(record->json, "name"));
	uint64_t edition = (uint64_t)json_integer_value(json_object_get(record->json, "edition"));
	struct service_config *config =
		name ? saved_configs_take(supervisor, edition, name) : NULL;
	if (!config) {
		snprintf(restoring->error, STATE_ERROR_SIZE,
			"the service %.64s is not in the configuration that was in force", name ? name : "?");
		return -EINVAL;
	}
	uint64_t last_serial = supervisor->last_serial;
	struct service *service = service_make(supervisor, config);
	if (!service) {
		service_config_free(config);
		return -ENOMEM;
	}
	supervisor->last_serial = last_serial;
	char reason[STATE_ERROR_SIZE] = "";
	int r = saved_restore_service(service, record, reason);
	supervisor_add(supervisor, service);
	if (r < 0)
		snprintf(restoring->error, STATE_ERROR_SIZE, "the service %.64s: %.200s", name,
			*reason ? reason : strerror(-r));
	return r;
}

static int check_format(const struct state *state, char error[STATE_ERROR_SIZE])
{
	const struct state_record *own = state_find(state, "fdsup");
	const json_t *json = own ? own->json : NULL;
	json_int_t format = json_integer_value(json_object_get(json, "format"));
	json_int_t readable_from = json_integer_value(json_object_get(json, "readable_from"));
	const char *version = json_string_value(json_object_get(json, "version"));
	if (format >= STATE_OLDEST && readable_from >= 1 && readable_from <= STATE_FORMAT)
		return 0;
	snprintf(error, STATE_ERROR_SIZE,
		"the state is of fdsup %.32s in format %d, readable from format %d on; this is fdsup %s, "
		"which reads formats %d to %d",
		version ? version : "?", (int)format, (int)readable_from, FDSUP_VERSION, STATE_OLDEST,
		STATE_FORMAT);
	return -EINVAL;
}

static int restore_own(
	struct supervisor *supervisor, const struct state *state, char error[STATE_ERROR_SIZE])
{
	struct state_record *own = state_find(state, "fdsup");
	supervisor->kept_notify_fd = supervisor->kept_admin_fd = -1;
	int r = state_restore_rows(rows, N_ROWS, supervisor, own->json, &own->fds, error);
	if (r == 0 && (!*supervisor->instance || supervisor->kept_notify_fd < 0)) {
		snprintf(error, STATE_ERROR_SIZE, "the supervisor's own record is incomplete");
		r = -EINVAL;
	}
	return r;
}

int saved_restore(
	struct supervisor *supervisor, const struct state *state, char error[STATE_ERROR_SIZE])
{
	size_t n_services = 0;
	struct restoring restoring = { supervisor, error };
	state_each(state, "service/", count_service, &n_services);
	snprintf(error, STATE_ERROR_SIZE, "the state is incomplete");
	int r = check_format(state, error);
	if (r == 0)
		r = saved_configs_load(supervisor, state, error);
	if (r == 0)
		r = restore_own(supervisor, state, error);
	if (r == 0)
		r = restore_acceptors(supervisor, state, error);
	if (r == 0)
		r = supervisor_reserve(supervisor, n_services + 1);
	if (r == 0)
		r = state_each(state, "service/", restore_service, &restoring);
	if (r == 0)
		saved_deaths_restore(supervisor, state);
	if (r == -ENOMEM)
		snprintf(error, STATE_ERROR_SIZE, "out of memory");
	return r;
}
