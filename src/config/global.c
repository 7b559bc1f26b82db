#include "config/global.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "config/value.h"

int global_set_defaults(struct config *config)
{
	int r = 0;
	for (size_t i = 0; i < config_keys_n && r == 0; i++)
		if (config_keys[i].has_field && (config_keys[i].places & PLACE_GLOBAL))
			r = value_set_default(&config_keys[i], key_field(&config_keys[i], config));
	return r;
}

static void note_result(struct draft *draft, int r)
{
	if (r == -ENOMEM)
		draft->problems->is_out_of_memory = true;
}

static int set_text(char **text, const char *format, const char *argument)
{
	if (asprintf(text, format, argument) >= 0)
		return 0;
	*text = NULL;
	return -ENOMEM;
}

static void derive_runtime_dir(struct draft *draft)
{
	struct config *config = draft->fields;
	const char *base = getenv("XDG_RUNTIME_DIR");
	if (config->runtime_dir || draft_has(draft, "runtime_dir"))
		return;
	if (geteuid() == 0)
		note_result(draft, set_text(&config->runtime_dir, "%s", "/run/fdsup"));
	else if (base && base[0] == '/')
		note_result(draft, set_text(&config->runtime_dir, "%s/fdsup", base));
	else
		draft_problem(draft, "runtime_dir",
			"there is no default, as XDG_RUNTIME_DIR is not set; add runtime_dir = "
			"\"/path/of/a/folder\"");
}

static void derive_admin_socket(struct draft *draft)
{
	struct config *config = draft->fields;
	if (config->admin_socket && config->admin_socket[0] == '@')
		draft_problem(draft, "admin.socket",
			"an abstract name has no permissions; write an absolute path");
	if (config->admin_socket || draft_has(draft, "admin.socket") || !config->runtime_dir)
		return;
	note_result(draft, set_text(&config->admin_socket, "%s/admin.sock", config->runtime_dir));
	size_t room = sizeof((struct sockaddr_un *)0)->sun_path;
	if (config->admin_socket && strlen(config->admin_socket) >= room)
		draft_problem(draft, "runtime_dir",
			"with it the path of admin.socket has %zu bytes, and the address of a Unix "
			"socket holds %zu; shorten it or set admin.socket",
			strlen(config->admin_socket), room - 1);
}

/* Without root the acceptors run as we do, whatever the key says: the same file serves both. */
static void find_acceptor(struct draft *draft, struct account_cache *accounts)
{
	struct config *config = draft->fields;
	char reason[ACCOUNT_REASON_SIZE];
	enum account_part part;
	bool is_root = geteuid() == 0;
	if (!config->acceptor_user && is_root && !draft_has(draft, "acceptor_user"))
		note_result(draft, set_text(&config->acceptor_user, "%s",
					   account_exists(accounts, "fdsup") ? "fdsup" : "nobody"));
	struct account_request request = { .user = is_root ? config->acceptor_user : NULL };
	int r = account_find(accounts, &request, &config->acceptor_account, &part, reason);
	note_result(draft, r);
	if (r == -EINVAL)
		draft_problem(draft, "acceptor_user", "%s", reason);
	else if (r == 0 && is_root && config->acceptor_account.uid == 0)
		draft_problem(draft, "acceptor_user",
			"the acceptor reads what strangers send and must not be root; name another "
			"user");
}

/* Both lists of one right. */
struct permitted {
	uid_t **uids;
	size_t *n_uids;
	gid_t **gids;
	size_t *n_gids;
};

static int permit(unsigned **ids, size_t *n, unsigned id)
{
	for (size_t i = 0; i < *n; i++)
		if ((*ids)[i] == id)
			return 0;
	unsigned *grown = realloc(*ids, (*n + 1) * sizeof *grown);
	if (!grown)
		return -ENOMEM;
	*ids = grown;
	grown[(*n)++] = id;
	return 0;
}

static void permit_names(struct draft *draft, struct account_cache *accounts, const char *key,
	const struct text_list *names, const struct permitted *permitted)
{
	char reason[ACCOUNT_REASON_SIZE];
	for (size_t i = 0; i < names->n; i++) {
		const char *name = names->items[i];
		unsigned id = 0;
		int r;
		if (!strcmp(name, "*"))
			continue;
		if (name[0] == '@') {
			r = account_find_gid(accounts, name + 1, &id, reason);
			if (r == 0)
				r = permit(permitted->gids, permitted->n_gids, id);
		} else {
			r = account_find_uid(accounts, name, &id, reason);
			if (r == 0)
				r = permit(permitted->uids, permitted->n_uids, id);
		}
		note_result(draft, r);
		if (r == -EINVAL)
			draft_item_problem(draft, key, i, "%s", reason);
	}
}

static void permit_ourselves(struct draft *draft, const struct permitted *permitted)
{
	note_result(draft, permit(permitted->uids, permitted->n_uids, 0));
	note_result(draft, permit(permitted->uids, permitted->n_uids, geteuid()));
}

static bool has_everybody(const struct text_list *names)
{
	for (size_t i = 0; i < names->n; i++)
		if (!strcmp(names->items[i], "*"))
			return true;
	return false;
}

/* Who may change things may look, too. */
static void resolve_permissions(struct draft *draft, struct account_cache *accounts)
{
	struct config *config = draft->fields;
	struct permitted control = { &config->control_uids, &config->n_control_uids,
		&config->control_gids, &config->n_control_gids };
	struct permitted status = { &config->status_uids, &config->n_status_uids,
		&config->status_gids, &config->n_status_gids };
	if (has_everybody(&config->admin_control))
		draft_problem(draft, "admin.control",
			"\"*\" would let every user of this machine stop services; name users or "
			"\"@group\"");
	config->is_status_public = has_everybody(&config->admin_status);
	permit_ourselves(draft, &control);
	permit_ourselves(draft, &status);
	permit_names(draft, accounts, "admin.control", &config->admin_control, &control);
	permit_names(draft, accounts, "admin.control", &config->admin_control, &status);
	permit_names(draft, accounts, "admin.status", &config->admin_status, &status);
}

/* Found here, and not by the start after the next crash. */
static void check_log_folder(struct draft *draft, const char *path)
{
	char shown[QUOTE_SIZE];
	struct stat status;
	size_t length = (size_t)(strrchr(path, '/') - path);
	char folder[PATH_MAX];
	snprintf(folder, sizeof folder, "%.*s", length ? (int)length : 1, path);
	if (stat(folder, &status) < 0 || !S_ISDIR(status.st_mode))
		draft_problem(draft, "log.to", "there is no directory %s; make it, or write another path",
			quote(shown, folder));
}

static void settle_log(struct draft *draft)
{
	struct config *config = draft->fields;
	const char *to = config->log_to ? config->log_to : "stderr";
	char shown[QUOTE_SIZE];
	const char *path = !strncmp(to, "file:", 5) ? to + 5 : to;
	if (!strcmp(to, "stderr")) {
		config->log_target = LOG_TO_STDERR;
	} else if (!strcmp(to, "syslog")) {
		config->log_target = LOG_TO_SYSLOG;
	} else if (path[0] == '/') {
		config->log_target = LOG_TO_FILE;
		note_result(draft, set_text(&config->log_file, "%s", path));
		check_log_folder(draft, path);
	} else {
		draft_problem(draft, "log.to",
			"%s is unknown; write \"stderr\", \"syslog\" or the absolute path of a "
			"file",
			quote(shown, to));
	}
}

void global_complete(struct draft *draft, struct account_cache *accounts)
{
	derive_runtime_dir(draft);
	derive_admin_socket(draft);
	find_acceptor(draft, accounts);
	resolve_permissions(draft, accounts);
	settle_log(draft);
}
