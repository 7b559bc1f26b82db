#include "supervisor/succession/saved_deaths.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "supervisor/supervisor.h"

const char saved_deaths_key[] = "deaths";

static json_t *save(struct death_list *list, struct state_fds *fds)
{
	const char *text = death_list_save(list);
	return text ? state_save_bytes(text, strlen(text), fds) : NULL;
}

int saved_deaths_add(struct supervisor *supervisor, struct state *state)
{
	struct state_fds fds = { 0 };
	json_t *json = json_object();
	json_object_set_new(json, "workers", save(&supervisor->deaths, &fds));
	json_object_set_new(json, "commands", save(&supervisor->command_deaths, &fds));
	return state_add(state, saved_deaths_key, json, &fds);
}

/* ---- in files ---------------------------------------------------------------------------------- */

static void add_file(json_t *json, const char *name, struct death_list *list, struct state_fds *fds)
{
	const char *text = death_list_save(list);
	if (!text)
		return;
	fd_auto int fd = memfd_create("fdsup-deaths", MFD_CLOEXEC);
	if (fd < 0 || fd_write_all(fd, text, strlen(text)) < 0)
		return;
	json_t *place = state_save_fd(fd, fds);
	if (!place)
		return;
	fd_take(&fd);
	json_object_set_new(json, name, place);
}

json_t *saved_deaths_in_files(struct supervisor *supervisor, struct state_fds *fds)
{
	json_t *json = json_object();
	add_file(json, "workers_file", &supervisor->deaths, fds);
	add_file(json, "commands_file", &supervisor->command_deaths, fds);
	death_list_forget_text(&supervisor->deaths);
	death_list_forget_text(&supervisor->command_deaths);
	if (json_object_size(json))
		return json;
	json_decref(json);
	return NULL;
}

static void restore_file(struct death_list *list, struct state_record *record, const char *name)
{
	fd_auto int fd = -1;
	struct stat status;
	if (state_restore_fd(json_object_get(record->json, name), &record->fds, &fd) < 0 || fd < 0 ||
		fstat(fd, &status) < 0 || status.st_size <= 0)
		return;
	void *text = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (text == MAP_FAILED)
		return;
	death_list_restore(list, text, (size_t)status.st_size);
	munmap(text, (size_t)status.st_size);
}

/* ---- back -------------------------------------------------------------------------------------- */

static void restore(struct death_list *list, const struct state_record *record, const char *name)
{
	const json_t *place = json_object_get(record->json, name);
	const char *text;
	size_t length;
	if (place && state_restore_bytes(place, &record->fds, &text, &length) == 0)
		death_list_restore(list, text, length);
}

void saved_deaths_restore(struct supervisor *supervisor, const struct state *state)
{
	struct state_record *record = state_find(state, saved_deaths_key);
	if (!record)
		return;
	restore(&supervisor->deaths, record, "workers");
	restore(&supervisor->command_deaths, record, "commands");
	restore_file(&supervisor->deaths, record, "workers_file");
	restore_file(&supervisor->command_deaths, record, "commands_file");
}
