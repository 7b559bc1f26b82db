/*
 * From a path to a configuration: the main file, then the folders it includes, then what can only
 * be seen when all services are there. An error stops nothing but what depends on it, so that one
 * run tells them all.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"
#include "config/builtin_ports.h"
#include "config/global.h"
#include "config/include.h"
#include "config/list.h"
#include "config/overlap.h"
#include "config/sequence.h"
#include "config/pieces.h"
#include "config/service.h"
#include "config/settings.h"
#include "wire/control.h"

struct loader {
	struct problems problems;
	struct config *config;
	size_t room; /* of config->services */
	struct lookups lookups;
	struct seen seen;
	struct service_config *template; /* a service that sets nothing itself */
	struct draft defaults;           /* fields: the template */
	const struct config_text *texts; /* to be read instead of the files; NULL: the files are */
	size_t n_texts;
};

/* ---- reading ----------------------------------------------------------------------------------- */

static void keep_text(struct loader *loader, const struct pieces *pieces)
{
	struct config *config = loader->config;
	struct config_text *texts =
		realloc(config->texts, (config->n_texts + 1) * sizeof *config->texts);
	if (texts) {
		config->texts = texts;
		texts[config->n_texts++] =
			(struct config_text){ strdup(pieces->path), strdup(pieces->text) };
	}
	if (!texts || !texts[config->n_texts - 1].path || !texts[config->n_texts - 1].text)
		loader->problems.is_out_of_memory = true;
}

/* Takes the descriptor. */
static int read_pieces(struct loader *loader, struct pieces *pieces, const char *path, int fd)
{
	int r = pieces_read(pieces, path, fd, &loader->problems);
	if (r == 0)
		keep_text(loader, pieces);
	return r;
}

/* A text as a file that can be read; -1 after a problem. */
static int open_text(struct loader *loader, const struct config_text *text)
{
	fd_auto int fd = memfd_create("fdsup-configuration", MFD_CLOEXEC);
	size_t length = strlen(text->text);
	if (fd >= 0 && write(fd, text->text, length) == (ssize_t)length && lseek(fd, 0, SEEK_SET) == 0)
		return fd_take(&fd);
	problem_add(&loader->problems, text->path, 0, NULL, "cannot be kept in memory: %s",
		strerror(errno));
	return -1;
}

/* ---- services ---------------------------------------------------------------------------------- */

static int append_service(struct loader *loader, struct service_config *service)
{
	struct config *config = loader->config;
	if (config->n_services == loader->room) {
		size_t room = loader->room ? loader->room * 2 : 16;
		struct service_config **services =
			realloc(config->services, room * sizeof *services);
		if (!services)
			return -ENOMEM;
		config->services = services;
		loader->room = room;
	}
	config->services[config->n_services++] = service;
	return 0;
}

/* Adds a problem for a name that could not be shown or sent to an acceptor. */
static bool check_name(struct draft *draft, const char *name)
{
	if (strchr(name, '*')) {
		draft_problem(draft, NULL, "the name of a service cannot hold \"*\"; rename it");
		return false;
	}
	if (strlen(name) >= CONTROL_NAME_SIZE) {
		draft_problem(draft, NULL, "the name has %zu bytes; at most %d are allowed",
			strlen(name), CONTROL_NAME_SIZE - 1);
		return false;
	}
	return true;
}

/* A service with the values of defaults = { }, placed in the configuration. NULL: no memory. */
static struct service_config *add_service(
	struct loader *loader, const struct draft *draft, const char *name)
{
	struct service_config *service = service_copy(loader->template);
	if (!service)
		return NULL;
	service->name = strdup(name);
	service->file = strdup(draft->file);
	service->line = draft->line;
	if (!service->name || !service->file || append_service(loader, service) < 0) {
		service_config_free(service);
		return NULL;
	}
	return service;
}

static void load_service(struct loader *loader, const char *file, unsigned line_offset,
	const config_setting_t *setting)
{
	const char *name = config_setting_name(setting);
	char path[CONTROL_NAME_SIZE + 32];
	snprintf(path, sizeof path, "services.%s", name);
	struct draft draft = loader->defaults; /* and its origins */
	draft.place = PLACE_SERVICE;
	draft.path = path;
	draft.file = file;
	draft.line = line_offset + config_setting_source_line(setting);
	draft.line_offset = line_offset;
	if (!check_name(&draft, name))
		return;
	if (!config_setting_is_group(setting)) {
		draft_problem(
			&draft, NULL, "a service is a group; write %s = { command = ...; };", name);
		return;
	}
	draft.fields = add_service(loader, &draft, name);
	if (!draft.fields) {
		loader->problems.is_out_of_memory = true;
		return;
	}
	settings_read(setting, &draft);
	service_complete(&draft, &loader->lookups);
}

static void load_services(struct loader *loader, const struct pieces *pieces)
{
	for (size_t i = 0; i < pieces_count(pieces); i++) {
		config_t tree;
		unsigned line_offset;
		if (pieces_parse(pieces, i, &loader->problems, &tree, &line_offset) < 0)
			continue;
		const config_setting_t *services = config_lookup(&tree, "services");
		for (int j = 0; services && j < config_setting_length(services); j++)
			load_service(loader, pieces->path, line_offset,
				config_setting_get_elem((config_setting_t *)services, (unsigned)j));
		config_destroy(&tree);
	}
}

/* What an included file holds besides services is an error. */
static void load_included(void *context, const char *path, int fd)
{
	struct loader *loader = context;
	struct pieces pieces;
	config_t tree;
	if (read_pieces(loader, &pieces, path, fd) < 0)
		return;
	if (pieces_parse_head(&pieces, &loader->problems, &tree) == 0) {
		struct draft draft = {
			.place = PLACE_INCLUDED,
			.path = "",
			.file = path,
			.problems = &loader->problems,
		};
		settings_read(config_root_setting(&tree), &draft);
		config_destroy(&tree);
		load_services(loader, &pieces);
	}
	pieces_fini(&pieces);
}

static void load_defaults(struct loader *loader, const config_t *tree)
{
	const config_setting_t *defaults = config_lookup(tree, "defaults");
	if (defaults && config_setting_is_group(defaults))
		settings_read(defaults, &loader->defaults);
}

/* What the folders held when they were read. */
static void load_included_texts(struct loader *loader)
{
	for (size_t i = 1; i < loader->n_texts; i++) {
		int fd = open_text(loader, &loader->texts[i]);
		if (fd >= 0)
			load_included(loader, loader->texts[i].path, fd);
	}
}

/* No error: services may come later. But "a.con" is not read either. */
static void warn_of_empty(struct loader *loader, const char *folder, unsigned line)
{
	char shown[QUOTE_SIZE], *text;
	if (asprintf(&text,
		    "%s:%u: include: no file of the folder %s is read: none has a name that ends in "
		    "\".conf\"",
		    loader->config->file, line, quote(shown, folder)) < 0)
		text = NULL;
	if (text_list_take(&loader->config->warnings, text) < 0)
		loader->problems.is_out_of_memory = true;
}

static void load_includes(struct loader *loader, const config_t *tree)
{
	const config_setting_t *setting = config_lookup(tree, "include");
	struct text_list folders = { 0 };
	/* What is no list of texts was told by settings_read. */
	if (setting && settings_strings(setting, &folders) == -ENOMEM)
		loader->problems.is_out_of_memory = true;
	for (size_t i = 0; i < folders.n; i++) {
		unsigned line = config_setting_source_line(setting);
		if (include_folder(folders.items[i], loader->config->file, line, &loader->seen,
			    &loader->problems, load_included, loader) == 0)
			warn_of_empty(loader, folders.items[i], line);
	}
	text_list_fini(&folders);
}

static void check_not_empty(struct loader *loader, const config_t *tree)
{
	if (!config_lookup(tree, "services") && !config_lookup(tree, "include"))
		problem_add(&loader->problems, loader->config->file, 0, NULL,
			"there are no services; add services = { NAME = { port = 8080; command = [ "
			"\"/path/of/program\" ]; }; };");
}

static void load_globals(struct loader *loader, const config_t *tree)
{
	struct draft draft = {
		.fields = loader->config,
		.place = PLACE_GLOBAL,
		.path = "",
		.file = loader->config->file,
		.problems = &loader->problems,
	};
	settings_read(config_root_setting(tree), &draft);
	global_complete(&draft, &loader->lookups.accounts);
}

static int open_main(struct loader *loader)
{
	const char *path = loader->config->file;
	struct file_identity identity;
	int fd = source_open(AT_FDCWD, path, path, &loader->problems, &identity);
	if (fd >= 0 && seen_add(&loader->seen, identity) < 0)
		loader->problems.is_out_of_memory = true;
	return fd;
}

static void load_main(struct loader *loader)
{
	const char *path = loader->config->file;
	struct pieces pieces;
	config_t tree;
	int fd = loader->texts ? open_text(loader, &loader->texts[0]) : open_main(loader);
	if (fd < 0 || read_pieces(loader, &pieces, path, fd) < 0)
		return;
	if (pieces_parse_head(&pieces, &loader->problems, &tree) == 0) {
		load_globals(loader, &tree);
		check_not_empty(loader, &tree);
		load_defaults(loader, &tree);
		load_services(loader, &pieces);
		if (loader->texts)
			load_included_texts(loader);
		else
			load_includes(loader, &tree);
		config_destroy(&tree);
	}
	pieces_fini(&pieces);
}

static int compare_services(const void *a, const void *b)
{
	const struct service_config *const *left = a, *const *right = b;
	int order = strcmp((*left)->name, (*right)->name);
	return order ? order : strcmp((*left)->file, (*right)->file);
}

/* Within one file the guard has seen to it that no name is given twice. */
static void check_names(struct loader *loader)
{
	const struct config *config = loader->config;
	for (size_t i = 1; i < config->n_services; i++) {
		const struct service_config *first = config->services[i - 1];
		const struct service_config *second = config->services[i];
		char path[CONTROL_NAME_SIZE + 32];
		snprintf(path, sizeof path, "services.%s", second->name);
		if (!strcmp(first->name, second->name))
			problem_add(&loader->problems, second->file, second->line, path,
				"is declared in %s:%u as well; remove or rename one of the two",
				first->file, first->line);
	}
}

/* Each is a word on the command line of each such service (fdsup-builtin(8)). */
static void check_builtin_ports(struct loader *loader)
{
	const struct config *config = loader->config;
	struct builtin_ports ports = { 0 };
	for (size_t i = 0; i < config->n_services; i++) {
		const struct service_config *service = config->services[i];
		char path[CONTROL_NAME_SIZE + 32];
		if (builtin_ports_add(&ports, service) == 0)
			continue;
		snprintf(path, sizeof path, "services.%s.port", service->name);
		problem_add(&loader->problems, service->file, service->line, path,
			"the builtin services have more than %d UDP ports; use fewer, or the same "
			"port at several addresses",
			BUILTIN_PORTS_MAX);
	}
}

/* Workers' reports say nothing of traffic. */
static void check_lapses(struct loader *loader)
{
	const struct config *config = loader->config;
	for (size_t i = 0; i < config->n_services && config->ledger == LEDGER_BY_REPORTS; i++) {
		const struct service_config *service = config->services[i];
		const char *key = service->admission->silence_timeout      ? "silence_timeout"
				  : service->admission->first_byte_timeout ? "first_byte_timeout"
									   : NULL;
		char path[CONTROL_NAME_SIZE + 40];
		if (!key)
			continue;
		snprintf(path, sizeof path, "services.%s.%s", service->name, key);
		problem_add(&loader->problems, service->file, service->line, path,
			"ledger = \"reports\" knows nothing of traffic; write ledger = \"kernel\", or 0 here");
	}
}

static void load_all(struct loader *loader)
{
	struct config *config = loader->config;
	load_main(loader);
	if (config->n_services > 0)
		qsort(config->services, config->n_services, sizeof *config->services,
			compare_services);
	check_names(loader);
	overlap_check(config, &loader->problems);
	sequence_check(config, &loader->problems);
	check_builtin_ports(loader);
	check_lapses(loader);
}

static int loader_init(struct loader *loader, const char *path)
{
	lookups_init(&loader->lookups);
	loader->lookups.programs.is_trusting = loader->texts != NULL;
	loader->config = calloc(1, sizeof *loader->config);
	loader->template = calloc(1, sizeof *loader->template);
	if (!loader->config || !loader->template)
		return -ENOMEM;
	loader->config->file = strdup(path);
	if (!loader->config->file || global_set_defaults(loader->config) < 0 ||
		service_set_defaults(loader->template) < 0)
		return -ENOMEM;
	loader->problems.main_file = loader->config->file;
	loader->defaults = (struct draft){
		.fields = loader->template,
		.place = PLACE_DEFAULTS,
		.path = "defaults",
		.file = loader->config->file,
		.problems = &loader->problems,
		.is_trusting = loader->texts != NULL,
	};
	return 0;
}

static void loader_fini(struct loader *loader)
{
	lookups_fini(&loader->lookups);
	seen_fini(&loader->seen);
	service_config_free(loader->template);
	config_free(loader->config);
}

static int load(struct loader *loader, const char *path, struct config **ret_config,
	struct config_errors *errors)
{
	*errors = (struct config_errors){ 0 };
	int r = loader_init(loader, path);
	if (r == 0) {
		load_all(loader);
		bool is_wrong = problems_are_there(&loader->problems);
		r = problems_tell(&loader->problems, errors);
		if (r == 0 && is_wrong)
			r = -EINVAL;
	}
	if (r == 0) {
		*ret_config = loader->config;
		loader->config = NULL;
	}
	loader_fini(loader);
	return r;
}

int config_load(const char *path, struct config **ret_config, struct config_errors *errors)
{
	struct loader loader = { 0 };
	return load(&loader, path, ret_config, errors);
}

int config_load_texts(const struct config_text *texts, size_t n_texts, struct config **ret_config,
	struct config_errors *errors)
{
	struct loader loader = { .texts = texts, .n_texts = n_texts };
	return load(&loader, texts[0].path, ret_config, errors);
}
