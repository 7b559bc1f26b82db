/* Limits as fdsup writes them and fdsup-worker reads them, and what setting them does. */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "wire/limits.h"

Test(limits, what_is_written_is_read_again)
{
	struct resource_limit limits[LIMIT_KINDS] = {
		[LIMIT_NOFILE] = { 10, 20, true },
		[LIMIT_CORE] = { 0, LIMIT_UNLIMITED, true },
		[LIMIT_STACK] = { LIMIT_UNLIMITED, LIMIT_UNLIMITED, true },
	};
	struct resource_limit read[LIMIT_KINDS] = { 0 };
	char text[LIMITS_TEXT_SIZE];
	cr_assert_str_eq(limits_format(text, limits),
		"nofile=10:20,core=0:unlimited,stack=unlimited:unlimited");
	cr_assert_eq(limits_parse(text, read), 0);
	for (size_t i = 0; i < LIMIT_KINDS; i++) {
		cr_expect_eq(read[i].is_given, limits[i].is_given);
		cr_expect_eq(read[i].soft, limits[i].soft);
		cr_expect_eq(read[i].hard, limits[i].hard);
	}
}

Test(limits, all_of_the_largest_fit_and_none_are_an_empty_text)
{
	struct resource_limit limits[LIMIT_KINDS] = { 0 }, read[LIMIT_KINDS] = { 0 };
	char text[LIMITS_TEXT_SIZE];
	cr_assert_str_eq(limits_format(text, limits), "");
	for (size_t i = 0; i < LIMIT_KINDS; i++)
		limits[i] = (struct resource_limit){ UINT64_MAX - 1, UINT64_MAX - 1, true };
	cr_assert_eq(limits_parse(limits_format(text, limits), read), 0);
	cr_assert_eq(read[LIMIT_KINDS - 1].hard, UINT64_MAX - 1);
}

Test(limits, bad_texts_are_refused)
{
	static const char *const texts[] = { "", "nofile", "nofile=", "nofile=1", "nofile=2:1", "nofile=1:2:3",
		"files=1:2", "nofile=1:2;", "nofile=-1:2", "nofile= 1:2", "nofile=1:x", "nofile=1:2,core",
		"core=unlimited:1", "core=1:99999999999999999999", "nofile=1:unlimitedly" };
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		struct resource_limit limits[LIMIT_KINDS] = { 0 };
		cr_expect_eq(limits_parse(texts[i], limits), -EINVAL, "%s", texts[i]);
	}
}

/* In a child, since what is lowered stays so. */
static int in_child(int (*act)(void))
{
	int status;
	pid_t pid = fork();
	if (pid == 0) {
		if (geteuid() == 0 && setuid(65534) < 0)
			_exit(99);
		_exit(act());
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int set_and_read(void)
{
	const struct resource_limit limits[LIMIT_KINDS] = {
		[LIMIT_FSIZE] = { 10, 20, true },
		[LIMIT_CORE] = { 0, 5, true },
	};
	struct rlimit fsize, core, stack, before;
	getrlimit(RLIMIT_STACK, &before);
	if (limits_set(limits) != LIMIT_KINDS)
		return 1;
	getrlimit(RLIMIT_FSIZE, &fsize);
	getrlimit(RLIMIT_CORE, &core);
	getrlimit(RLIMIT_STACK, &stack);
	return !(fsize.rlim_cur == 10 && fsize.rlim_max == 20 && core.rlim_cur == 0 && core.rlim_max == 5 &&
		 stack.rlim_cur == before.rlim_cur && stack.rlim_max == before.rlim_max);
}

static int raise_in_vain(void)
{
	const struct resource_limit limits[LIMIT_KINDS] = {
		[LIMIT_FSIZE] = { 10, 20, true },
		[LIMIT_CORE] = { 0, 5, true },
	};
	struct rlimit one = { 1, 1 };
	setrlimit(RLIMIT_CORE, &one);
	return limits_raise(limits) == LIMIT_CORE && limits_set(limits) == LIMIT_CORE && errno == EPERM ? 0 : 1;
}

static int raise_nothing(void)
{
	const struct resource_limit limits[LIMIT_KINDS] = { [LIMIT_CORE] = { 0, 5, true } };
	struct rlimit many = { 7, 7 }, now;
	setrlimit(RLIMIT_CORE, &many);
	if (limits_raise(limits) != LIMIT_KINDS)
		return 1;
	getrlimit(RLIMIT_CORE, &now);
	return !(now.rlim_cur == 7 && now.rlim_max == 7);
}

Test(limits, those_that_are_given_are_set_and_no_others)
{
	cr_assert_eq(in_child(set_and_read), 0);
}

Test(limits, one_that_cannot_be_raised_is_named)
{
	cr_assert_eq(in_child(raise_in_vain), 0);
}

Test(limits, raising_lowers_nothing)
{
	cr_assert_eq(in_child(raise_nothing), 0);
}
