#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/pack.h"

static const char text[] =
	"runtime_dir = \"/tmp/x\";\n"
	"log = { to = \"/tmp/x.log\"; };\n"
	"admin = { status = [ \"root\", \"@root\" ]; };\n"
	"services = {\n"
	"  a = { address = [ \"127.0.0.1\", \"::1\" ]; port = 8080; command = [ \"/bin/echo\", \"x y\" ];\n"
	"        environment = [ \"A=1\", \"B=\" ]; description = \"first\"; };\n"
	"  b = { address = [ \"unix:/run/b\", \"unix:@b\" ]; command = \"/bin/cat\"; };\n"
	"  d = { type = \"daemon\"; command = \"/bin/sleep 1\"; };\n"
	"};\n";

static struct config *load(void)
{
	char path[] = "/tmp/fdsup-pack-XXXXXX";
	int fd = mkstemp(path);
	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, text, sizeof text - 1), (ssize_t)sizeof text - 1);
	close(fd);
	struct config *config;
	struct config_errors errors;
	int r = config_load(path, &config, &errors);
	unlink(path);
	cr_assert_eq(r, 0, "%s", errors.n ? errors.items[0] : "");
	config_errors_free(&errors);
	return config;
}

Test(pack, a_copy_is_equal_and_independent)
{
	struct config *config = load();
	struct config *copy = config_copy(config);
	cr_assert_not_null(copy);
	struct config *second = config_copy(copy);
	config_free(copy);
	cr_assert_not_null(second);
	cr_assert_eq(second->n_services, 3);
	for (size_t i = 0; i < 3; i++) {
		const struct service_config *service = second->services[i];
		cr_expect_eq(service_config_compare(config->services[i], service), CHANGE_NONE);
		cr_expect_null(service->command.items[service->command.n]);
	}
	cr_expect_str_eq(second->log_file, "/tmp/x.log");
	cr_expect_eq(second->n_status_uids, config->n_status_uids);
	cr_expect_str_eq(second->services[0]->description, "first");
	cr_expect_eq(second->services[0]->n_listen, 2);
	cr_expect_str_eq(second->services[1]->listen[0].path, "/run/b");
	cr_expect_str_eq(second->services[1]->listen[1].path, "@b");
	cr_expect_neq(second->services[1]->listen[0].path, config->services[1]->listen[0].path);
	config_free(config);
	config_free(second);
}

Test(pack, a_service_that_was_taken_outlives_its_configuration)
{
	struct config *config = load();
	struct config *copy = config_copy(config);
	config_free(config);
	struct service_config *service = config_take_service(copy, "a");
	config_free(copy);
	cr_expect_str_eq(service->command.items[1], "x y");
	service_config_free(service);
}

Test(pack, what_does_not_fit_is_refused_whole_at_every_size)
{
	struct config *config = load();
	struct pack count = { 0 };
	cr_assert_not_null(config_pack(&count, config));
	cr_assert_gt(count.used, 500);
	char *memory = aligned_alloc(_Alignof(max_align_t), (count.used + 63) & ~(size_t)63);
	for (size_t size = 0; size < count.used; size++) {
		struct pack pack = { .base = memory, .size = size };
		cr_expect_null(config_pack(&pack, config), "%zu of %zu bytes", size, count.used);
	}
	struct pack whole = { .base = memory, .size = count.used };
	cr_expect_not_null(config_pack(&whole, config));
	free(memory);
	config_free(config);
}

Test(pack, errors_travel_too)
{
	char *items[] = { "one", "two" };
	struct config_errors errors = { items, 2 };
	_Alignas(max_align_t) char memory[256];
	struct pack pack = { .base = memory, .size = sizeof memory };
	struct config_errors *packed = config_errors_pack(&pack, &errors);
	cr_assert_not_null(packed);
	cr_expect_eq(packed->n, 2);
	cr_expect_str_eq(packed->items[1], "two");
	struct pack small = { .base = memory, .size = 39 };
	cr_expect_null(config_errors_pack(&small, &errors));
}
