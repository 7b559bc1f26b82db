#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
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

Test(pack, what_services_have_in_common_is_kept_once)
{
	struct config *config = load();
	struct config *copy = config_copy(config);
	cr_expect_neq(config->services[0]->account, config->services[1]->account);
	cr_expect_eq(copy->services[0]->account, copy->services[1]->account);
	cr_expect_eq(copy->services[0]->file, copy->services[2]->file);
	cr_expect_str_eq(copy->services[0]->account->user, config->services[0]->account->user);
	config_free(config);
	config_free(copy);
}

/* a alone has an environment; of b and d all is the same but what makes one a daemon. */
Test(pack, parts_of_services_are_shared_where_all_of_them_is_the_same)
{
	struct config *config = load();
	struct config *copy = config_copy(config);
	const struct service_config *const *services = (const struct service_config *const *)copy->services;
	const struct service_config *a = services[0], *b = services[1], *d = services[2];
	cr_expect_neq(a->surroundings, b->surroundings);
	cr_expect_str_eq(a->surroundings->environment.items[1], "B=");
	cr_expect_eq(b->surroundings->environment.n, 0);
	cr_expect_eq(b->surroundings, d->surroundings);
	cr_expect_eq(a->surroundings->directory, b->surroundings->directory, "a text is shared alone");
	cr_expect_eq(a->admission, b->admission);
	cr_expect_eq(a->supervision, b->supervision);
	cr_expect_neq(b->supervision, d->supervision);
	cr_expect_eq(d->supervision->workers_min, 1);
	cr_expect_eq(a->limits, d->limits);
	config_free(config);
	config_free(copy);
}

Test(pack, what_does_not_fit_is_refused_whole_at_every_size)
{
	struct config *config = load();
	size_t size = sizeof(struct pack);
	bool does_fit = false;
	for (; !does_fit; size++) {
		struct pack *pack = pack_create(size);
		cr_assert_not_null(pack);
		does_fit = pack_fill(pack, config);
		cr_expect(does_fit == (pack_take(pack) != NULL));
		if (does_fit)
			config_free(pack->config), pack = NULL;
		else
			pack_destroy(pack);
	}
	cr_expect_gt(size, 500);
	config_free(config);
}

Test(pack, errors_travel_too)
{
	char *items[] = { "one", "two" };
	struct config_errors errors = { items, 2 };
	struct pack *pack = pack_create(256);
	cr_assert(pack_fill_errors(pack, &errors));
	cr_expect_eq(pack->errors->n, 2);
	cr_expect_str_eq(pack->errors->items[1], "two");
	cr_expect_null(pack_take(pack));
	pack_destroy(pack);
	/* One byte less than it takes. */
	size_t size = sizeof errors + sizeof items + sizeof "one" + sizeof "two" - 1;
	struct pack *small = pack_create(sizeof *small + size);
	cr_expect_not(pack_fill_errors(small, &errors));
	cr_expect_null(small->errors);
	pack_destroy(small);
}

Test(pack, another_process_can_fill_it_and_a_later_one_does_not_see_it)
{
	struct pack *pack = pack_create(1 << 20);
	pid_t pid = fork();
	if (pid == 0) {
		struct config *loaded = load();
		bool did_fit = pack_fill(pack, loaded);
		config_free(loaded);
		_exit(did_fit ? 0 : 1);
	}
	int status;
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert_eq(status, 0);
	struct config *config = pack_take(pack);
	cr_assert_not_null(config);
	cr_expect_str_eq(config->services[0]->command.items[1], "x y");
	pack_keep_from_children(pack);
	pid = fork();
	if (pid == 0)
		_exit(msync(pack, 4096, MS_ASYNC) < 0 && errno == ENOMEM ? 0 : 1);
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_expect_eq(status, 0, "it was inherited");
	config_free(config);
}
