/* What a program is confined by: read, shown, compared, and refused where it cannot be had. */
#include "fixture.h"

#include <sys/resource.h>
#include <unistd.h>

TestSuite(confinement, .init = enter_folder, .fini = leave_folder, .timeout = 60);

static const struct resource_limit *limits_of(const struct config *config)
{
	return config->services[0]->limits;
}

static void expect_limit(struct resource_limit limit, uint64_t soft, uint64_t hard)
{
	cr_expect(limit.is_given);
	cr_expect_eq(limit.soft, soft, "%llu", (unsigned long long)limit.soft);
	cr_expect_eq(limit.hard, hard, "%llu", (unsigned long long)limit.hard);
}

Test(confinement, limits_are_numbers_sizes_and_times)
{
	struct config *config = load_good(EXEC("limits = { nofile = 100; nproc = \"5:10\"; "
					       "as = \"1G\"; cpu = \"1500ms:1min\"; core = 0; "
					       "data = \"64M:128M\"; fsize = \"1K\"; memlock = \"0:4K\"; };"));
	const struct resource_limit *limits = limits_of(config);
	expect_limit(limits[LIMIT_NOFILE], 100, 100);
	expect_limit(limits[LIMIT_NPROC], 5, 10);
	expect_limit(limits[LIMIT_AS], 1 << 30, 1 << 30);
	expect_limit(limits[LIMIT_CPU], 2, 60);
	expect_limit(limits[LIMIT_CORE], 0, 0);
	expect_limit(limits[LIMIT_DATA], 64 << 20, 128 << 20);
	expect_limit(limits[LIMIT_FSIZE], 1024, 1024);
	expect_limit(limits[LIMIT_MEMLOCK], 0, 4096);
	cr_expect_not(limits[LIMIT_STACK].is_given);
	config_free(config);
}

Test(confinement, a_limit_may_be_unlimited_where_it_is)
{
	struct rlimit now;
	cr_assert_eq(getrlimit(RLIMIT_AS, &now), 0);
	if (now.rlim_max != RLIM_INFINITY)
		cr_skip_test("the address space is limited here");
	struct config *config = load_good(EXEC("limits = { as = \"1G:unlimited\"; };"));
	expect_limit(limits_of(config)[LIMIT_AS], 1 << 30, LIMIT_UNLIMITED);
	config_free(config);
}

Test(confinement, no_limit_above_our_own_hard_limit_without_the_right_to_raise_it)
{
	struct rlimit now = { 1 << 20, 1 << 20 };
	if (geteuid() == 0)
		cr_assert(chown(".", 65534, 65534) == 0 && setuid(65534) == 0);
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &now), 0);
	config_free(load_good(EXEC("limits = { fsize = \"1M\"; };")));
	assert_refused(EXEC("limits = { fsize = \"512K:2M\"; };"), "services.a.limits.fsize",
		"write at most 1048576");
	assert_refused(EXEC("limits = { fsize = \"unlimited\"; };"), "services.a.limits.fsize",
		"CAP_SYS_RESOURCE");
}

static enum config_change change_to(const char *before, const char *after)
{
	struct config *a = load_good(before), *b = load_good(after);
	enum config_change change = service_config_compare(a->services[0], b->services[0]);
	config_free(a);
	config_free(b);
	return change;
}

Test(confinement, another_limit_rolls_and_the_same_one_does_nothing)
{
	const char *one = EXEC("limits = { core = \"1M:2M\"; nofile = 100; };");
	cr_expect_eq(change_to(one, one), CHANGE_NONE);
	cr_expect_eq(change_to(one, EXEC("limits = { core = \"1M:3M\"; nofile = 100; };")), CHANGE_ROLL);
	cr_expect_eq(change_to(one, EXEC("limits = { core = \"1M:2M\"; };")), CHANGE_ROLL);
	cr_expect_eq(change_to(EXEC(""), EXEC("limits = { core = 0; };")), CHANGE_ROLL);
}
