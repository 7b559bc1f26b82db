#include "config/account.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/problems.h"
#include "config/userdb.h"

static int refuse(char reason[ACCOUNT_REASON_SIZE], const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static int refuse(char reason[ACCOUNT_REASON_SIZE], const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(reason, ACCOUNT_REASON_SIZE, format, arguments);
	va_end(arguments);
	return -EINVAL;
}

bool account_exists(struct account_cache *cache, const char *user)
{
	const struct account_entry *entry = userdb_user(cache, user);
	return entry && entry->exists;
}

static int refuse_unknown(const struct account_entry *entry, const char *noun, const char *command,
	char reason[ACCOUNT_REASON_SIZE])
{
	char name[QUOTE_SIZE];
	quote(name, entry->name);
	if (entry->error)
		return refuse(reason,
			"the %s %s could not be looked up: %s; mend the user database", noun, name,
			strerror(entry->error));
	return refuse(reason, "there is no %s %s; create it (%s) or name another one", noun, name,
		command);
}

int account_find_uid(struct account_cache *cache, const char *user, uid_t *ret_uid,
	char reason[ACCOUNT_REASON_SIZE])
{
	const struct account_entry *entry = userdb_user(cache, user);
	if (!entry)
		return -ENOMEM;
	if (entry->error || !entry->account.user)
		return refuse_unknown(entry, "user", "useradd", reason);
	*ret_uid = entry->account.uid;
	return 0;
}

int account_find_gid(struct account_cache *cache, const char *group, gid_t *ret_gid,
	char reason[ACCOUNT_REASON_SIZE])
{
	const struct account_entry *entry = userdb_group(cache, group);
	if (!entry)
		return -ENOMEM;
	if (!entry->exists)
		return refuse_unknown(entry, "group", "groupadd", reason);
	*ret_gid = entry->account.gid;
	return 0;
}

static int copy_account(struct account *ret_account, const struct account *source)
{
	struct account copy = { .uid = source->uid, .gid = source->gid };
	int r = account_set_texts(&copy, source->user, source->home, source->shell);
	if (r == 0)
		r = account_set_groups(&copy, source->groups, source->n_groups);
	if (r < 0)
		account_fini(&copy);
	else
		*ret_account = copy;
	return r;
}

static bool has_group(const struct account *account, gid_t gid)
{
	for (size_t i = 0; i < account->n_groups; i++)
		if (account->groups[i] == gid)
			return true;
	return false;
}

static int set_group(struct account_cache *cache, const char *group, struct account *account,
	char reason[ACCOUNT_REASON_SIZE])
{
	gid_t gid = 0;
	char name[QUOTE_SIZE];
	if (!group && account->gid == (gid_t)-1)
		return refuse(reason,
			"the user database does not know user %s, so neither its group; add the "
			"key "
			"group",
			account->user);
	if (!group)
		return 0;
	int r = account_find_gid(cache, group, &gid, reason);
	if (r < 0)
		return r;
	if (geteuid() != 0 && gid != getegid())
		return refuse(reason,
			"only root can give programs the group %s; start fdsup as root or remove "
			"the "
			"key",
			quote(name, group));
	account->gid = gid;
	return 0;
}

static int set_groups(struct account_cache *cache, const struct text_list *groups,
	struct account *account, char reason[ACCOUNT_REASON_SIZE])
{
	if (!groups)
		return 0;
	if (geteuid() != 0)
		return refuse(reason,
			"only root can choose groups; start fdsup as root or remove the key");
	gid_t *gids = malloc((groups->n + 1) * sizeof *gids);
	int r = gids ? 0 : -ENOMEM;
	for (size_t i = 0; i < groups->n && r == 0; i++)
		r = account_find_gid(cache, groups->items[i], &gids[i], reason);
	if (r == 0)
		r = account_set_groups(account, gids, groups->n);
	free(gids);
	return r;
}

/* The gid of a program is among its groups: setgroups(2) takes the list as it is. */
static int add_own_group(struct account *account)
{
	if (has_group(account, account->gid))
		return 0;
	account->groups[account->n_groups] = account->gid;
	return account_set_groups(account, account->groups, account->n_groups + 1);
}

static int set_user(struct account_cache *cache, const char *user, struct account *ret_account,
	char reason[ACCOUNT_REASON_SIZE])
{
	char own[16], name[QUOTE_SIZE];
	uid_t uid = geteuid();
	snprintf(own, sizeof own, "%u", (unsigned)uid);
	const struct account_entry *entry = userdb_user(cache, user ? user : own);
	if (!entry)
		return -ENOMEM;
	if (entry->error || !entry->account.user)
		return refuse_unknown(entry, "user", "useradd", reason);
	if (uid != 0 && entry->account.uid != uid)
		return refuse(reason,
			"only root can run programs as user %s; start fdsup as root or remove the "
			"key",
			quote(name, user));
	return copy_account(ret_account, &entry->account);
}

int account_find(struct account_cache *cache, const struct account_request *request,
	struct account *ret_account, enum account_part *ret_part, char reason[ACCOUNT_REASON_SIZE])
{
	struct account account = { 0 };
	*ret_part = ACCOUNT_USER;
	int r = set_user(cache, request->user, &account, reason);
	if (r == 0) {
		*ret_part = ACCOUNT_GROUP;
		r = set_group(cache, request->group, &account, reason);
	}
	if (r == 0) {
		*ret_part = ACCOUNT_GROUPS;
		r = set_groups(cache, request->groups, &account, reason);
	}
	if (r == 0)
		r = add_own_group(&account);
	if (r < 0)
		account_fini(&account);
	else
		*ret_account = account;
	return r;
}

bool account_equal(const struct account *a, const struct account *b)
{
	if (a->uid != b->uid || a->gid != b->gid || a->n_groups != b->n_groups ||
		!a->user != !b->user)
		return false;
	if (!a->user)
		return true;
	return !strcmp(a->user, b->user) && !strcmp(a->home, b->home) &&
	       !strcmp(a->shell, b->shell) &&
	       (a->n_groups == 0 || !memcmp(a->groups, b->groups, a->n_groups * sizeof *a->groups));
}

void account_fini(struct account *account)
{
	free(account->user);
	free(account->home);
	free(account->shell);
	free(account->groups);
	*account = (struct account){ 0 };
}
