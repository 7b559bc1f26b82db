#include <criterion/criterion.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "config/account.h"

static int find(struct account_cache *cache, const char *user, struct account *ret_account,
	char reason[ACCOUNT_REASON_SIZE])
{
	enum account_part part;
	struct account_request request = { .user = user };
	return account_find(cache, &request, ret_account, &part, reason);
}

/* Our own name in the database, or our number. */
static const char *own_name(char number[16])
{
	const struct passwd *self = getpwuid(geteuid());
	snprintf(number, 16, "%u", (unsigned)geteuid());
	return self ? self->pw_name : number;
}

Test(account, costs_one_question_for_five_hundred_services)
{
	struct account_cache cache = ACCOUNT_CACHE_INIT;
	char number[16], reason[ACCOUNT_REASON_SIZE];
	const char *name = own_name(number);
	for (int i = 0; i < 500; i++) {
		struct account account;
		cr_assert_eq(find(&cache, name, &account, reason), 0);
		cr_expect_eq(account.uid, geteuid());
		account_fini(&account);
	}
	cr_expect_eq(cache.n_lookups, 1);
	account_cache_fini(&cache);
}

Test(account, remembers_that_there_is_none)
{
	struct account_cache cache = ACCOUNT_CACHE_INIT;
	char reason[ACCOUNT_REASON_SIZE];
	struct account account = { .user = NULL };
	for (int i = 0; i < 500; i++)
		cr_assert_eq(find(&cache, "no-such-user", &account, reason), -EINVAL);
	cr_expect_str_eq(reason,
		"there is no user \"no-such-user\"; create it (useradd) or name another one");
	cr_expect_eq(cache.n_lookups, 1);
	cr_expect_null(account.user);
	account_cache_fini(&cache);
}

Test(account, is_ours_where_none_is_named)
{
	struct account_cache cache = ACCOUNT_CACHE_INIT;
	char reason[ACCOUNT_REASON_SIZE], number[16];
	struct account account;
	cr_assert_eq(find(&cache, NULL, &account, reason), 0);
	cr_expect_eq(account.uid, geteuid());
	cr_expect_eq(account.gid, getegid());
	cr_expect_str_eq(account.user, own_name(number));
	cr_expect(account.home && account.shell);
	account_fini(&account);
	account_cache_fini(&cache);
}

Test(account, can_be_a_number)
{
	struct account_cache cache = ACCOUNT_CACHE_INIT;
	char reason[ACCOUNT_REASON_SIZE], number[16];
	struct account by_name, by_number;
	const char *name = own_name(number);
	cr_assert_eq(find(&cache, name, &by_name, reason), 0);
	cr_assert_eq(find(&cache, number, &by_number, reason), 0);
	cr_expect(account_equal(&by_name, &by_number));
	account_fini(&by_name);
	account_fini(&by_number);
	struct account none = { .user = NULL };
	cr_expect_eq(find(&cache, "4294967295", &none, reason), -EINVAL);
	cr_expect_eq(find(&cache, "99999999999999999999", &none, reason), -EINVAL);
	cr_expect_eq(find(&cache, "-1", &none, reason), -EINVAL);
	account_cache_fini(&cache);
}

static bool has_group(const struct account *account, gid_t gid)
{
	for (size_t i = 0; i < account->n_groups; i++)
		if (account->groups[i] == gid)
			return true;
	return false;
}

Test(account, has_the_groups_of_the_database_or_exactly_those_written)
{
	if (geteuid() != 0)
		cr_skip_test("only root can choose groups");
	struct account_cache cache = ACCOUNT_CACHE_INIT;
	char reason[ACCOUNT_REASON_SIZE];
	struct account account;
	enum account_part part;
	char *names[] = { "adm", "7" };
	struct text_list groups = { names, 2 };
	struct account_request request = { "daemon", "nogroup", &groups };
	cr_assert_eq(account_find(&cache, &request, &account, &part, reason), 0);
	gid_t nogroup = getgrnam("nogroup")->gr_gid;
	cr_expect_eq(account.gid, nogroup);
	cr_expect_eq(account.n_groups, 3);
	cr_expect(has_group(&account, nogroup) && has_group(&account, 7) &&
		  has_group(&account, getgrnam("adm")->gr_gid));
	account_fini(&account);
	groups.n = 0;
	cr_assert_eq(account_find(&cache, &request, &account, &part, reason), 0);
	cr_expect_eq(account.n_groups, 1);
	account_fini(&account);
	request = (struct account_request){ .user = "daemon" };
	cr_assert_eq(account_find(&cache, &request, &account, &part, reason), 0);
	cr_expect(has_group(&account, getpwnam("daemon")->pw_gid));
	cr_expect_str_eq(account.home, getpwnam("daemon")->pw_dir);
	account_fini(&account);
	account_cache_fini(&cache);
}

Test(account, of_a_number_the_database_does_not_know_needs_a_group)
{
	if (geteuid() != 0)
		cr_skip_test("only root can run programs as others");
	struct account_cache cache = ACCOUNT_CACHE_INIT;
	char reason[ACCOUNT_REASON_SIZE];
	struct account account = { .user = NULL };
	enum account_part part;
	struct account_request request = { .user = "3999999999" };
	cr_expect_eq(account_find(&cache, &request, &account, &part, reason), -EINVAL);
	cr_expect_eq(part, ACCOUNT_GROUP);
	cr_expect(strstr(reason, "add the key group"), "%s", reason);
	request.group = "12";
	cr_assert_eq(account_find(&cache, &request, &account, &part, reason), 0);
	cr_expect_eq(account.uid, 3999999999U);
	cr_expect_eq(account.gid, 12);
	cr_expect_eq(account.n_groups, 1);
	cr_expect_str_eq(account.home, "/");
	account_fini(&account);
	account_cache_fini(&cache);
}
