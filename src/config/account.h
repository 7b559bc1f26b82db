/*
 * The user database: names and numbers to the account a program runs as.
 *
 * Asked only while a configuration is loaded (the answer may come from a server), and once for each
 * name: 500 services of one user cost one look-up.
 */
#ifndef FDSUP_CONFIG_ACCOUNT_H
#define FDSUP_CONFIG_ACCOUNT_H

#include <stdbool.h>
#include <stddef.h>

#include "config/config.h"

struct account_cache {
	struct account_entry *users;
	size_t n_users;
	struct account_entry *groups;
	size_t n_groups;
	size_t n_lookups; /* questions to the user database so far */
};

#define ACCOUNT_CACHE_INIT                                                                         \
	{                                                                                          \
		0                                                                                  \
	}

void account_cache_fini(struct account_cache *cache);

enum { ACCOUNT_REASON_SIZE = 256 };

/* Which key of a request was refused. */
enum account_part { ACCOUNT_USER, ACCOUNT_GROUP, ACCOUNT_GROUPS };

/* As written: names or numbers. */
struct account_request {
	const char *user;               /* NULL: whoever runs fdsup */
	const char *group;              /* NULL: that of the user */
	const struct text_list *groups; /* NULL: those of the user */
};

/*
 * 0 and *ret_account, the caller's to account_fini. -EINVAL: there is no such account, or this
 * process may not become it: the reason and remedy in `reason`, and whose fault in *ret_part.
 * -ENOMEM.
 */
int account_find(struct account_cache *cache, const struct account_request *request,
	struct account *ret_account, enum account_part *ret_part, char reason[ACCOUNT_REASON_SIZE]);

/* Whether the user database has this name. */
bool account_exists(struct account_cache *cache, const char *user);

/* The ids alone, as account_find. */
int account_find_uid(struct account_cache *cache, const char *user, uid_t *ret_uid,
	char reason[ACCOUNT_REASON_SIZE]);
int account_find_gid(struct account_cache *cache, const char *group, gid_t *ret_gid,
	char reason[ACCOUNT_REASON_SIZE]);

bool account_equal(const struct account *a, const struct account *b);

void account_fini(struct account *account);

#endif
