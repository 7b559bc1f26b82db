/* What a program is confined by: read, shown, compared, and refused where it cannot be had. */
#include "fixture.h"

#include <errno.h>
#include <limits.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/capability.h"

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
					       "as = \"1G\"; cpu = \"2:1min\"; core = 0; "
					       "data = \"64M:128M\"; fsize = \"1K:1T\"; memlock = \"0:4K\"; };"));
	const struct resource_limit *limits = limits_of(config);
	expect_limit(limits[LIMIT_NOFILE], 100, 100);
	expect_limit(limits[LIMIT_NPROC], 5, 10);
	expect_limit(limits[LIMIT_AS], 1 << 30, 1 << 30);
	expect_limit(limits[LIMIT_CPU], 2, 60);
	expect_limit(limits[LIMIT_CORE], 0, 0);
	expect_limit(limits[LIMIT_DATA], 64 << 20, 128 << 20);
	expect_limit(limits[LIMIT_FSIZE], 1024, 1ULL << 40);
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

/* ---- capabilities and chroot ------------------------------------------------------------------ */

static void become_nobody(void)
{
	if (geteuid() == 0)
		cr_assert(chown(".", 65534, 65534) == 0 && setuid(65534) == 0);
}

Test(confinement, capabilities_have_names_with_and_without_cap)
{
	uint64_t all = CAPABILITY_BIT(10) | CAPABILITY_BIT(0);
	if ((capability_permitted() & all) != all)
		cr_skip_test("needs root");
	struct config *config = load_good(EXEC("capabilities = [ \"CAP_NET_BIND_SERVICE\", \"chown\" ];"));
	cr_expect_eq(config->services[0]->surroundings->capabilities, all | CAPABILITIES_GIVEN);
	config_free(config);
}

Test(confinement, an_empty_list_of_capabilities_is_one)
{
	struct config *config = load_good(EXEC("capabilities = [];"));
	cr_expect_eq(config->services[0]->surroundings->capabilities, CAPABILITIES_GIVEN);
	config_free(config);
	cr_expect_eq(change_to(EXEC(""), EXEC("capabilities = [];")), CHANGE_ROLL);
}

Test(confinement, what_we_have_not_we_cannot_give)
{
	become_nobody();
	assert_refused(EXEC("capabilities = [ \"net_raw\" ];"), "services.a.capabilities",
		"has not got \"net_raw\" itself");
	assert_refused(EXEC("chroot = \"/usr\";"), "services.a.chroot", "CAP_SYS_CHROOT");
}

/* A folder of this name with a program in it, and a link that leads there by an absolute path. */
static void make_root(const char *name)
{
	char path[64];
	cr_assert_eq(mkdir(name, 0755), 0);
	snprintf(path, sizeof path, "%s/bin", name);
	cr_assert_eq(mkdir(path, 0755), 0);
	snprintf(path, sizeof path, "%s/bin/tool", name);
	write_file(path, "#!/bin/tool");
	cr_assert_eq(chmod(path, 0755), 0);
	snprintf(path, sizeof path, "%s/link", name);
	cr_assert_eq(symlink("/bin", path), 0);
}

/* Without openat2(2), as under valgrind, links lead out of the root. */
static bool keeps_links_inside(void)
{
	return syscall(SYS_openat2, -1, "", NULL, 0) < 0 && errno != ENOSYS && errno != EPERM;
}

/* A service below the root in the current folder. */
static const char *rooted(const char *root, const char *command, const char *keys)
{
	static char text[PATH_MAX + 512];
	char here[PATH_MAX];
	cr_assert_not_null(getcwd(here, sizeof here));
	snprintf(text, sizeof text,
		"services = { a = { port = 7777; command = \"%s\"; chroot = \"%s/%s\"; %s }; };", command,
		here, root, keys);
	return text;
}

Test(confinement, a_command_is_looked_for_below_its_root)
{
	if (geteuid() != 0 || !keeps_links_inside())
		cr_skip_test("needs root, and openat2");
	make_root("root");
	struct config *config = load_good(rooted("root", "tool", ""));
	cr_expect_str_eq(config->services[0]->command_path, "/bin/tool");
	config_free(config);
	/* The link means the root's /bin, not ours. */
	config_free(load_good(rooted("root", "/link/tool", "directory = \"/link\";")));
	assert_refused(rooted("root", "/bin/cat", ""), "services.a.command", "in the chroot: No such file");
	assert_refused(rooted("root", "cat", ""), "services.a.command", "of the chroot; install it");
	assert_refused(rooted("root", "/link/cat", ""), "services.a.command", "in the chroot: No such file");
	assert_refused(
		rooted("root", "tool", "directory = \"/usr\";"), "services.a.directory", "in the chroot");
	assert_refused(rooted("none", "tool", ""), "services.a.chroot", "create it");
	assert_refused(rooted("root/bin/tool", "tool", ""), "services.a.chroot", "not a folder");
	assert_refused(rooted("root", "tool", "type = \"worker\"; ready = \"notify\";"), "services.a.ready",
		"NOTIFY_SOCKET");
	cr_assert_eq(system("rm -r root"), 0);
}

Test(confinement, a_root_that_the_user_may_write_to_is_none)
{
	if (geteuid() != 0)
		cr_skip_test("needs root");
	make_root("root");
	config_free(load_good(rooted("root", "tool", "user = 65534;")));
	cr_assert_eq(chmod("root", 0777), 0);
	assert_refused(rooted("root", "tool", "user = 65534;"), "services.a.chroot", "chmod go-w");
	config_free(load_good(rooted("root", "tool", "user = \"root\";")));
	cr_assert(chmod("root", 0755) == 0 && chown("root", 65534, 0) == 0);
	assert_refused(rooted("root", "tool", "user = 65534;"), "services.a.chroot", "chown root");
	cr_assert(chmod("root", 0775) == 0 && chown("root", 0, 8) == 0);
	assert_refused(rooted("root", "tool", "user = 65534; groups = [ \"8\" ];"), "services.a.chroot", "go-w");
	config_free(load_good(rooted("root", "tool", "user = 65534; groups = [ \"7\" ];")));
	cr_assert_eq(system("rm -r root"), 0);
}

/* ---- sandbox ---------------------------------------------------------------------------------- */

#define STRICT(keys) EXEC("sandbox = \"strict\"; " keys)

Test(confinement, what_could_be_executed_is_not_to_be_written)
{
	static const char *const own[] = { "/", "/usr", "/usr/", "/usr/share", "/usr/../usr/share", "/lib", "/etc",
		"/proc" };
	char text[512];
	for (size_t i = 0; i < sizeof own / sizeof *own; i++) {
		snprintf(text, sizeof text, STRICT("sandbox_write = [ \"/tmp\", \"%s\" ];"), own[i]);
		assert_refused(text, "services.a.sandbox_write[1]", "name the folders that it needs");
	}
	assert_refused(STRICT("directory = \"/usr/share\";"), "services.a.directory",
		"\"/usr/share\" lies in /usr or holds it");
	assert_refused(STRICT("sandbox_read = \"/var\"; sandbox_write = \"/var/tmp\";"),
		"services.a.sandbox_write[0]", "of sandbox_read");
	assert_refused(STRICT("sandbox_read = \"/var/tmp\"; sandbox_write = \"/var\";"),
		"services.a.sandbox_write[0]", "of sandbox_read");
	/* A link is where it leads. */
	cr_assert_eq(symlink("/usr/share", "link"), 0);
	snprintf(text, sizeof text, STRICT("sandbox_write = \"%s/link\";"), folder);
	assert_refused(text, "services.a.sandbox_write[0]", "lies in /usr");
}

Test(confinement, what_is_elsewhere_may_be_written_or_is_a_place_that_is_meant)
{
	char text[512];
	snprintf(text, sizeof text,
		STRICT("directory = \"%s\"; sandbox_read = \"/var/tmp\"; sandbox_write = [ \"/tmp\", "
		       "\"/etc/hosts\", \"/dev/null\" ];"),
		folder);
	config_free(load_good(text));
	config_free(load_good(EXEC("sandbox = \"basic\"; directory = \"/usr/share\";")));
}

Test(confinement, the_folders_of_a_root_are_its_own)
{
	if (geteuid() != 0 || !keeps_links_inside())
		cr_skip_test("needs root, and openat2");
	make_root("root");
	cr_assert(mkdir("root/data", 0755) == 0 && mkdir("root/bin/data", 0755) == 0);
	config_free(load_good(rooted("root", "tool", "sandbox = \"strict\"; sandbox_write = \"/data\";")));
	assert_refused(rooted("root", "tool", "sandbox = \"strict\"; sandbox_write = \"/link/data\";"),
		"services.a.sandbox_write[0]", "lies in /bin");
	cr_assert_eq(system("rm -r root"), 0);
}
