#include "supervisor/succession/saved_configs.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fd.h"
#include "config/pack.h"
#include "config/texts_file.h"
#include "supervisor/reload/loading.h"
#include "supervisor/service/service.h"
#include "supervisor/supervisor.h"

/* ---- saving ------------------------------------------------------------------------------------ */

static int add_config(struct state *state, const struct config *config, bool is_current)
{
	struct state_fds fds = { 0 };
	char key[STATE_KEY_SIZE];
	snprintf(key, sizeof key, "texts/%" PRIu64, config->edition);
	if (state_find(state, key))
		return 0;
	json_t *json = json_pack("{s:I, s:b, s:o*}", "edition", (json_int_t)config->edition,
		"is_current", is_current, "fd", state_save_fd(config->pack->texts->fd, &fds));
	return state_add(state, key, json, &fds);
}

int saved_configs_add(const struct supervisor *supervisor, struct state *state)
{
	int r = add_config(state, supervisor->config, true);
	for (size_t i = 0; i < supervisor->n_services && r == 0; i++) {
		const struct pack *pack = supervisor->services[i]->config->pack;
		if (pack && pack->config->edition != supervisor->config->edition)
			r = add_config(state, pack->config, false);
	}
	return r;
}

/* ---- restoring --------------------------------------------------------------------------------- */

struct saved_configs {
	size_t n;
	struct edition {
		uint64_t number;
		struct config *config; /* owned, unless it is the supervisor's */
	} items[];
};

struct outcome {
	struct config *config;
	char *error;
};

static void on_loaded(void *context, struct config *config, const struct config_errors *errors)
{
	struct outcome *outcome = context;
	outcome->config = config;
	if (!config)
		snprintf(outcome->error, STATE_ERROR_SIZE,
			"the configuration that was in force: %.250s", errors->n ? errors->items[0] : "?");
}

/* A process that is but a check may load here, and what it finds is kept for its successor. */
static struct config *load_for_check(const struct texts *texts, int pack_fd, char *error)
{
	struct config *config = NULL;
	struct config_errors errors = { 0 };
	struct outcome outcome = { .error = error };
	if (config_load_texts(texts->items, texts->n, &config, &errors) < 0)
		config = NULL;
	on_loaded(&outcome, config, &errors);
	config_errors_free(&errors);
	struct pack *pack =
		config && pack_fd >= 0 ? pack_create_in(pack_fd, LOADING_PACK_SIZE) : NULL;
	if (pack && !pack_fill(pack, config))
		pack_destroy(pack);
	return config;
}

static struct config *take_pack(int pack_fd)
{
	struct pack *pack = pack_fd >= 0 ? pack_open(pack_fd) : NULL;
	if (!pack)
		return NULL;
	pack_keep_from_children(pack);
	return pack_take(pack);
}

static struct config *load_texts(struct supervisor *supervisor, const struct texts *texts,
	bool is_current, char error[STATE_ERROR_SIZE])
{
	struct outcome outcome = { .error = error };
	int pack_fd = is_current ? supervisor->pack_fd : -1;
	if (supervisor->is_check)
		return load_for_check(texts, pack_fd, error);
	outcome.config = take_pack(pack_fd);
	if (!outcome.config && loading_wait_texts(texts->items, texts->n, on_loaded, &outcome) < 0)
		snprintf(error, STATE_ERROR_SIZE,
			"there can be no process that loads the configuration: %s", strerror(errno));
	return outcome.config;
}

struct loading_all {
	struct supervisor *supervisor;
	char *error;
};

/* Takes the descriptor. False: no memory. */
static bool keep_texts(struct pack *pack, int fd)
{
	texts_file_release(pack->texts);
	pack->texts = texts_file_take(fd);
	return pack->texts != NULL;
}

static int load_edition(void *context, struct state_record *record)
{
	struct loading_all *all = context;
	struct supervisor *supervisor = all->supervisor;
	struct texts texts = { 0 };
	fd_auto int fd = -1;
	bool is_current = json_is_true(json_object_get(record->json, "is_current"));
	int r = state_restore_fd(json_object_get(record->json, "fd"), &record->fds, &fd);
	if (r == 0)
		r = texts_file_read(fd, &texts);
	struct config *config =
		r == 0 ? load_texts(supervisor, &texts, is_current, all->error) : NULL;
	texts_fini(&texts);
	if (!config)
		return r < 0 ? r : -EINVAL;
	config->edition = (uint64_t)json_integer_value(json_object_get(record->json, "edition"));
	supervisor->configs->items[supervisor->configs->n++] =
		(struct edition){ config->edition, config };
	if (is_current)
		supervisor->config = config;
	if (supervisor->is_check) {
		fd_take(&fd); /* the next record may name the same */
		return 0;
	}
	return keep_texts(config->pack, fd_take(&fd)) ? 0 : -ENOMEM;
}

int saved_configs_load(
	struct supervisor *supervisor, const struct state *state, char error[STATE_ERROR_SIZE])
{
	struct loading_all all = { supervisor, error };
	supervisor->configs =
		calloc(1, sizeof *supervisor->configs + state->n * sizeof *supervisor->configs->items);
	if (!supervisor->configs)
		return -ENOMEM;
	supervisor->config = NULL;
	int r = state_each(state, "texts/", load_edition, &all);
	return r == 0 && !supervisor->config ? -EINVAL : r;
}

int saved_configs_fix(struct supervisor *supervisor, const char *runtime_dir, const char *admin_socket)
{
	struct config *config = supervisor->config;
	size_t n_services = config->n_services;
	if (!strcmp(config->runtime_dir, runtime_dir) && !strcmp(config->admin_socket, admin_socket))
		return 0;
	/* Only the keys of the whole, with others for two of them. */
	char *own_runtime_dir = config->runtime_dir, *own_admin_socket = config->admin_socket;
	config->runtime_dir = (char *)runtime_dir;
	config->admin_socket = (char *)admin_socket;
	config->n_services = 0;
	struct config *copy = config_copy(config);
	config->runtime_dir = own_runtime_dir;
	config->admin_socket = own_admin_socket;
	config->n_services = n_services;
	if (!copy)
		return -ENOMEM;
	supervisor->config = copy;
	return 0;
}

struct service_config *saved_configs_take(
	struct supervisor *supervisor, uint64_t edition, const char *name)
{
	struct saved_configs *configs = supervisor->configs;
	for (size_t i = 0; i < configs->n; i++)
		if (configs->items[i].number == edition)
			return config_take_service(configs->items[i].config, name);
	return NULL;
}

void saved_configs_free(struct supervisor *supervisor)
{
	struct saved_configs *configs = supervisor->configs;
	for (size_t i = 0; configs && i < configs->n; i++) {
		struct config *config = configs->items[i].config;
		if (config != supervisor->config) {
			config_free(config);
			continue;
		}
		for (size_t j = 0; j < config->n_services; j++)
			service_config_free(config->services[j]);
		config->n_services = 0;
	}
	free(configs);
	supervisor->configs = NULL;
}
