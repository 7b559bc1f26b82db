#include "config/userdb.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A number is an id: the database need not know it. (uid_t)-1 means "no change" to set*id. */
static bool parse_id_number(const char *text, unsigned *ret_id)
{
	size_t length = strspn(text, "0123456789");
	if (length == 0 || text[length] || length > 10)
		return false;
	unsigned long long id = strtoull(text, NULL, 10);
	if (id >= UINT32_MAX)
		return false;
	*ret_id = (unsigned)id;
	return true;
}

int account_set_groups(struct account *account, const gid_t *groups, size_t n)
{
	gid_t *copy = malloc((n + 1) * sizeof *copy);
	if (!copy)
		return -ENOMEM;
	if (n > 0)
		memcpy(copy, groups, n * sizeof *copy);
	free(account->groups);
	account->groups = copy;
	account->n_groups = n;
	return 0;
}

int account_set_texts(
	struct account *account, const char *user, const char *home, const char *shell)
{
	account->user = strdup(user);
	account->home = strdup(home && home[0] ? home : "/");
	account->shell = strdup(shell && shell[0] ? shell : "/bin/sh");
	return account->user && account->home && account->shell ? 0 : -ENOMEM;
}

/* The groups of the user in the database. They may become more between the two questions. */
static int load_groups(struct account *account)
{
	int n = 32;
	while (n <= 65536) {
		gid_t *groups = malloc((size_t)n * sizeof *groups);
		int room = n;
		if (!groups)
			return -ENOMEM;
		if (getgrouplist(account->user, account->gid, groups, &n) >= 0) {
			int r = account_set_groups(account, groups, (size_t)n);
			free(groups);
			return r;
		}
		free(groups);
		n = n > room ? n : room * 2;
	}
	return -EINVAL;
}

/* Our own groups, which a process without root keeps whatever the database says. */
static int load_own_groups(struct account *account)
{
	int n = getgroups(0, NULL);
	gid_t *groups = n < 0 ? NULL : malloc(((size_t)n + 1) * sizeof *groups);
	if (!groups)
		return -ENOMEM;
	n = getgroups(n, groups);
	bool has_own = false;
	for (int i = 0; i < n; i++)
		has_own |= groups[i] == account->gid;
	if (n >= 0 && !has_own)
		groups[n++] = account->gid;
	int r = n < 0 ? -EINVAL : account_set_groups(account, groups, (size_t)n);
	free(groups);
	return r;
}

static bool is_self(const struct account *account)
{
	return geteuid() != 0 && account->uid == geteuid();
}

/* Fills the entry from the database. 0 or -ENOMEM. */
static int load_user(struct account_entry *entry)
{
	size_t size = 16384;
	char *buffer = malloc(size);
	struct passwd record, *found = NULL;
	unsigned id;
	if (!buffer)
		return -ENOMEM;
	bool is_number = parse_id_number(entry->name, &id);
	int error = is_number ? getpwuid_r(id, &record, buffer, size, &found)
			      : getpwnam_r(entry->name, &record, buffer, size, &found);
	int r = 0;
	struct account *account = &entry->account;
	if (found) {
		entry->exists = true;
		account->uid = found->pw_uid;
		account->gid = found->pw_gid;
		r = account_set_texts(account, found->pw_name, found->pw_dir, found->pw_shell);
	} else if (is_number) {
		account->uid = id;
		account->gid = geteuid() == id ? getegid() : (gid_t)-1;
		r = account_set_texts(account, entry->name, NULL, NULL);
	} else {
		entry->error = error == ENOENT || error == ESRCH || error == EBADF ? 0 : error;
	}
	free(buffer);
	if (r == 0 && is_self(account) && account->user) {
		account->gid = getegid();
		r = load_own_groups(account);
	} else if (r == 0 && found) {
		r = load_groups(account);
	}
	if (r == -EINVAL)
		entry->error = E2BIG;
	return r == -ENOMEM ? r : 0;
}

static int load_group(struct account_entry *entry)
{
	size_t size = 1 << 20; /* a group lists all its members */
	char *buffer = malloc(size);
	struct group record, *found = NULL;
	unsigned id;
	if (!buffer)
		return -ENOMEM;
	if (parse_id_number(entry->name, &id)) {
		entry->exists = true;
		entry->account.gid = id;
	} else {
		entry->error = getgrnam_r(entry->name, &record, buffer, size, &found);
		entry->exists = found;
		if (entry->error == ENOENT || entry->error == ESRCH || entry->error == EBADF)
			entry->error = 0;
		if (found)
			entry->account.gid = found->gr_gid;
	}
	free(buffer);
	return 0;
}

/* The entry of this name, from the cache or by asking. NULL: no memory. */
static const struct account_entry *find_entry(struct account_cache *cache,
	struct account_entry **entries, size_t *n, int (*load)(struct account_entry *),
	const char *name)
{
	for (size_t i = 0; i < *n; i++)
		if (!strcmp((*entries)[i].name, name))
			return &(*entries)[i];
	struct account_entry *grown = realloc(*entries, (*n + 1) * sizeof *grown);
	if (!grown)
		return NULL;
	*entries = grown;
	struct account_entry *entry = &grown[*n];
	*entry = (struct account_entry){ .name = strdup(name) };
	cache->n_lookups++;
	if (!entry->name || load(entry) < 0) {
		free(entry->name);
		account_fini(&entry->account);
		return NULL;
	}
	++*n;
	return entry;
}

const struct account_entry *userdb_user(struct account_cache *cache, const char *user)
{
	return find_entry(cache, &cache->users, &cache->n_users, load_user, user);
}

const struct account_entry *userdb_group(struct account_cache *cache, const char *group)
{
	return find_entry(cache, &cache->groups, &cache->n_groups, load_group, group);
}

static void entries_fini(struct account_entry *entries, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(entries[i].name);
		account_fini(&entries[i].account);
	}
	free(entries);
}

void account_cache_fini(struct account_cache *cache)
{
	entries_fini(cache->users, cache->n_users);
	entries_fini(cache->groups, cache->n_groups);
	*cache = (struct account_cache)ACCOUNT_CACHE_INIT;
}
