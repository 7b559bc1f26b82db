#include "supervisor/succession/succession.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/heap.h"
#include "base/log.h"
#include "process/orphans.h"
#include "supervisor/background.h"
#include "supervisor/deaths/death_record.h"
#include "supervisor/notify.h"
#include "supervisor/pid_file.h"
#include "supervisor/published.h"
#include "supervisor/reload/reload.h"
#include "supervisor/runtime_dir.h"
#include "supervisor/service/readiness.h"
#include "supervisor/service/service.h"
#include "supervisor/start_steps.h"
#include "supervisor/succession/adopt.h"
#include "supervisor/succession/keeper.h"
#include "supervisor/succession/unknown.h"
#include "supervisor/supervisor.h"
#include "supervisor/verbs/verbs.h"

static int restore(struct supervisor *supervisor)
{
	return adopt_restore(supervisor, supervisor->state);
}

static int resume_sockets(struct supervisor *supervisor)
{
	int notify_fd = fd_take(&supervisor->kept_notify_fd);
	int r = readiness_resume(supervisor, notify_fd);
	if (r == 0 && supervisor->kept_admin_fd >= 0)
		return verbs_serve(supervisor, fd_take(&supervisor->kept_admin_fd));
	return r < 0 ? r : start_open_admin(supervisor);
}

static int resume(struct supervisor *supervisor)
{
	return adopt_resume(supervisor, supervisor->state);
}

static void forget_state(struct supervisor *supervisor)
{
	state_free(supervisor->state);
	supervisor->state = NULL;
	heap_give_back();
}

int succession_after_exec(struct supervisor *supervisor)
{
	static int (*const steps[])(struct supervisor *supervisor) = {
		start_prepare, start_loop, restore, start_open_log, resume_sockets, resume,
	};
	struct state state;
	int r = adopt_read(supervisor, &state);
	if (r < 0)
		return r;
	supervisor->state = &state;
	for (size_t i = 0; i < sizeof steps / sizeof *steps && r == 0; i++)
		r = steps[i](supervisor);
	forget_state(supervisor);
	if (r < 0)
		return r;
	pid_file_keep(supervisor->pid_file);
	log_notice("fdsup %s has taken the place of fdsup %s: %zu service%s", FDSUP_VERSION,
		supervisor->version_before, supervisor->n_services,
		supervisor->n_services == 1 ? " goes on" : "s go on");
	published_write(supervisor);
	if (supervisor->has_hup)
		reload_request(supervisor, NULL, false);
	supervisor->has_hup = false;
	return 0;
}

static int mark_orphans(struct supervisor *supervisor)
{
	adopt_orphans(supervisor);
	return 0;
}

static int count_workers(const struct supervisor *supervisor)
{
	uint32_t n = 0;
	for (size_t i = 0; i < supervisor->n_services; i++)
		n += supervisor->services[i]->n_workers;
	return (int)n;
}

/*
 * Everything is as it was when the one before us died. What the file says by now is an ordinary
 * reload, when the loop runs.
 */
static int take_over(struct supervisor *supervisor)
{
	static int (*const steps[])(struct supervisor *supervisor) = {
		restore, mark_orphans, start_open_log, resume_sockets, start_write_pid_file, resume,
	};
	int64_t started_wall_ms = supervisor->started_wall_ms;
	uint64_t started_ms = supervisor->started_ms;
	struct config *ours = supervisor->config;
	int64_t their_start_wall_ms = 0;
	int r = 0;
	for (size_t i = 0; i < sizeof steps / sizeof *steps && r == 0; i++) {
		r = steps[i](supervisor);
		/* What cannot be read is not half taken over: nothing was touched yet. */
		if (r < 0 && i == 0) {
			supervisor->config = ours;
			return r;
		}
		if (i > 0)
			continue;
		/* We are another process, whatever it was before. */
		their_start_wall_ms = supervisor->started_wall_ms;
		supervisor->started_ms = started_ms;
		supervisor->started_wall_ms = started_wall_ms;
		supervisor->n_crashes++;
		orphans_adopt(supervisor->instance);
	}
	if (r < 0) { /* the keeper still has all of it, and nobody else knows of us */
		log_error("what the fdsup before has left goes on as it is: start fdsup again when this is "
			  "mended, or end it with fdsup --end");
		pid_file_remove();
		_exit(EXIT_FAILURE);
	}
	config_free(ours);
	supervisor->taken_over_wall_ms = started_wall_ms;
	death_record_fdsup(supervisor, supervisor->pid_before, their_start_wall_ms);
	adopt_hear_notes(supervisor, supervisor->state);
	unknown_end(supervisor);
	keeper_flush(supervisor);
	log_notice("fdsup %s has taken over what fdsup %s had when it died: %zu service%s, %d workers",
		FDSUP_VERSION, supervisor->version_before, supervisor->n_services,
		supervisor->n_services == 1 ? "" : "s", count_workers(supervisor));
	reload_request(supervisor, NULL, false);
	return 0;
}

/* There is no way back from a state that is half read but to begin anew, without it. */
static int begin_anew(struct supervisor *supervisor)
{
	const struct state_record *own = state_find(supervisor->state, "fdsup");
	const char *instance =
		own ? json_string_value(json_object_get(own->json, "instance")) : NULL;
	log_error("what the fdsup before has left is ended, and everything is started anew");
	keeper_end(supervisor);
	if (instance)
		adopt_end_left(instance);
	notify_export();
	background_export();
	execv(supervisor->program_path, supervisor->arguments);
	log_error("%s cannot be executed: %s; start it again", supervisor->program_path, strerror(errno));
	return -ENOEXEC;
}

/* 0: there was nothing; 1: it was taken over; -errno. */
int succession_look(struct supervisor *supervisor)
{
	struct state state;
	int r = keeper_take_over(supervisor, &state);
	if (r == -EMFILE || r == -ENOMEM) {
		log_error("what runs is not taken over: %s; give more (see ulimit -a) and start fdsup again; "
			  "until then all goes on",
			r == -EMFILE ? "descriptors are lacking" : strerror(-r));
		return r;
	}
	if (r < 0) {
		log_error("fdsup-keeper in %s does not hand over what it keeps: %s; if it was stopped, let it "
			  "go on (kill -CONT); else end it, and all services, with fdsup --end; then start "
			  "fdsup again",
			supervisor->config->runtime_dir, strerror(-r));
		return r;
	}
	if (r == 0)
		return 0;
	supervisor->state = &state;
	r = take_over(supervisor);
	if (r < 0)
		r = begin_anew(supervisor);
	forget_state(supervisor);
	return r < 0 ? r : 1;
}

void succession_leave(struct supervisor *supervisor)
{
	char instance[sizeof supervisor->instance];
	keeper_leave(supervisor);
	if (runtime_dir_read_instance(instance, sizeof instance) == 0)
		runtime_dir_leave();
}

/* Nobody keeps it, but processes of a supervisor that died with its keeper may still be there. */
int succession_end_left(struct supervisor *supervisor)
{
	char instance[sizeof supervisor->instance];
	unsigned n = runtime_dir_read_instance(instance, sizeof instance) == 0
			     ? adopt_end_left(instance)
			     : 0;
	if (n)
		log_warning("%u process%s that an fdsup before left behind, and nobody could take over, %s "
			    "ended",
			n, n == 1 ? "" : "es", n == 1 ? "was" : "were");
	return 0;
}

static int remove_name(void *context, struct state_record *record)
{
	(void)context;
	size_t i;
	json_t *listener;
	json_array_foreach(json_object_get(record->json, "listeners"), i, listener) {
		const json_t *name = json_object_get(listener, "name");
		const char *text = json_string_value(json_object_get(name, "text"));
		const struct unix_file file = {
			(dev_t)json_integer_value(json_object_get(name, "device")),
			(ino_t)json_integer_value(json_object_get(name, "inode")),
		};
		if (text)
			unix_file_remove(&file, text);
	}
	return 0;
}

int succession_end(struct supervisor *supervisor)
{
	char instance[sizeof supervisor->instance];
	struct state state;
	int r = start_lock(supervisor);
	if (r < 0)
		return r;
	r = keeper_take_over(supervisor, &state);
	if (r > 0) {
		state_each(&state, "service/", remove_name, NULL);
		state_free(&state);
	}
	keeper_end(supervisor);
	unsigned n = runtime_dir_read_instance(instance, sizeof instance) == 0
			     ? adopt_end_left(instance)
			     : 0;
	runtime_dir_clear(supervisor->config);
	runtime_dir_remove_sockets(supervisor->config);
	printf("%u process%s ended\n", n, n == 1 ? "" : "es");
	return 0;
}
