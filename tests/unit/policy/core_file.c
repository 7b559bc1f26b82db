#include "policy/core_file.h"

#include <criterion/criterion.h>
#include <signal.h>

enum { DUMPED = 0x80 };

static char text[CORE_TEXT_SIZE];

static struct core_facts facts_of(int status, const char *pattern)
{
	return (struct core_facts){
		.status = status,
		.pid = 4711,
		.uid = 33,
		.pattern = pattern,
		.limit = UINT64_MAX,
		.limit_key = "limits.core",
		.program = "/usr/local/sbin/a-name-that-is-long",
		.directory = "/srv/app",
	};
}

Test(core_file, an_end_that_leaves_none_is_not_spoken_of)
{
	static const int statuses[] = { 0, 3 << 8, SIGTERM, SIGKILL };
	for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
		struct core_facts facts = facts_of(statuses[i], "core");
		cr_expect_not(core_explain(text, &facts));
		cr_expect_str_empty(text);
	}
}

Test(core_file, where_it_is_follows_from_the_pattern)
{
	static const struct {
		const char *pattern, *path;
	} cases[] = {
		{ "core", "/srv/app/core" },
		{ "core.%p", "/srv/app/core.4711" },
		{ "/var/crash/%e.%u.%s.%%", "/var/crash/a-name-that-is-.33.11.%" },
		{ "/var/crash/%t-%h", "/var/crash/%t-%h" },
		{ "|/usr/lib/systemd/systemd-coredump %P %u", "given to /usr/lib/systemd/systemd-coredump" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct core_facts facts = facts_of(SIGSEGV | DUMPED, cases[i].pattern);
		cr_expect(core_explain(text, &facts));
		cr_expect_str_eq(text, cases[i].path, "%s", text);
	}
	struct core_facts facts = facts_of(SIGSEGV | DUMPED, "core");
	facts.uses_pid = true;
	facts.directory = "/";
	core_explain(text, &facts);
	cr_expect_str_eq(text, "/core.4711");
}

Test(core_file, why_there_is_none_names_what_to_change)
{
	struct core_facts facts = facts_of(SIGABRT, "core");
	facts.limit = 0;
	cr_expect_not(core_explain(text, &facts));
	cr_expect_str_eq(text, "none: RLIMIT_CORE is 0; raise limits.core");
	facts.pattern = "";
	core_explain(text, &facts);
	cr_expect_str_eq(text, "none: kernel.core_pattern is empty");
	facts.pattern = "core";
	facts.limit = 1;
	core_explain(text, &facts);
	cr_expect(strstr(text, "cannot be written in /srv/app"));
	cr_expect(strstr(text, "suid_dumpable"));
	facts.pattern = "|/usr/bin/x";
	core_explain(text, &facts);
	cr_expect(strstr(text, "handler"));
}
