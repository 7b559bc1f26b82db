/*
 * What the user database says about a name, asked once a name (the answer may come from a server).
 */
#ifndef FDSUP_CONFIG_USERDB_H
#define FDSUP_CONFIG_USERDB_H

#include "config/account.h"

/* What the database said about a name, also when it did not know it. */
struct account_entry {
	char *name;             /* as asked */
	bool exists;            /* in the database; a number needs not */
	int error;              /* 0, or the errno of a look-up that failed */
	struct account account; /* of a group: only its gid */
};

/* NULL: no memory. The entry is valid until the next question. */
const struct account_entry *userdb_user(struct account_cache *cache, const char *user);
const struct account_entry *userdb_group(struct account_cache *cache, const char *group);

/* The strings of an empty account; "/" and "/bin/sh" where the database has none. 0 or -ENOMEM. */
int account_set_texts(
	struct account *account, const char *user, const char *home, const char *shell);

/* Replaces the groups, and leaves room for one more. 0 or -ENOMEM. */
int account_set_groups(struct account *account, const gid_t *groups, size_t n);

#endif
