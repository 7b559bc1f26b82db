/* A configuration from the texts that it was loaded from before. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "config/pack.h"
#include "config/texts_file.h"

static char folder[] = "/tmp/fdsup-texts-XXXXXX";

static void write_file(const char *name, const char *text, mode_t mode)
{
	char path[128];
	snprintf(path, sizeof path, "%s/%s", folder, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, mode);
	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static void remove_all(void)
{
	char command[160];
	snprintf(command, sizeof command, "rm -rf %s", folder);
	cr_assert_eq(system(command), 0);
}

static struct config *load(void)
{
	char text[512], path[128], program[128];
	cr_assert_not_null(mkdtemp(folder));
	snprintf(path, sizeof path, "%s/d", folder);
	cr_assert_eq(mkdir(path, 0755), 0);
	snprintf(program, sizeof program, "%s/program", folder);
	write_file("program", "#!/bin/sh\n", 0755);
	snprintf(text, sizeof text,
		"include = \"d\";\nservices = { a = { port = 8080; directory = \"%s/d\"; command = \"%s\"; }; };\n",
		folder, program);
	write_file("main.conf", text, 0644);
	write_file("d/1.conf", "services = { b = { type = \"daemon\"; command = \"/bin/cat\"; }; };\n", 0644);
	write_file("d/2.conf", "# \xe4 is no UTF-8\nservices = { c = { port = 1; command = \"/bin/cat\"; }; };\n",
		0644);
	struct config *config = NULL;
	struct config_errors errors;
	snprintf(path, sizeof path, "%s/main.conf", folder);
	int r = config_load(path, &config, &errors);
	cr_assert_eq(r, 0, "%s", errors.n ? errors.items[0] : "");
	config_errors_free(&errors);
	return config;
}

static struct config *load_again(const struct config *config)
{
	struct config *again = NULL;
	struct config_errors errors;
	int r = config_load_texts(config->texts, config->n_texts, &again, &errors);
	cr_assert_eq(r, 0, "%s", errors.n ? errors.items[0] : "");
	config_errors_free(&errors);
	return again;
}

static void compare(const struct config *config, const struct config *again)
{
	cr_assert_eq(again->n_services, config->n_services);
	for (size_t i = 0; i < config->n_services; i++) {
		cr_expect_eq(
			service_config_compare(config->services[i], again->services[i]), CHANGE_NONE);
		cr_expect_str_eq(config->services[i]->file, again->services[i]->file);
		cr_expect_eq(config->services[i]->line, again->services[i]->line);
	}
}

static void compare_texts(
	const struct config *config, const struct config_text *texts, size_t n_texts)
{
	cr_assert_eq(n_texts, 3);
	cr_assert_eq(config->n_texts, 3);
	for (size_t i = 0; i < 3; i++) {
		cr_expect_str_eq(config->texts[i].path, texts[i].path);
		cr_expect_str_eq(config->texts[i].text, texts[i].text);
	}
}

/* Neither files nor programs are looked at again: they may be gone. */
Test(texts, give_the_same_configuration_whatever_the_files_are_now)
{
	struct config *config = load();
	struct config *again = load_again(config);
	compare(config, again);
	config_free(again);
	remove_all();
	again = load_again(config);
	compare(config, again);
	compare_texts(config, again->texts, again->n_texts);
	config_free(again);
	config_free(config);
}

Test(texts, travel_in_a_file)
{
	struct config *config = load();
	remove_all();
	struct texts_file *file = texts_file_create();
	struct texts texts;
	cr_assert_not_null(file);
	cr_assert_eq(texts_file_write(file->fd, config), 0);
	cr_assert_eq(texts_file_read(file->fd, &texts), 0);
	compare_texts(config, texts.items, texts.n);
	texts_fini(&texts);
	texts_file_release(file);
	config_free(config);
}

Test(texts, a_file_that_is_cut_is_an_error)
{
	struct texts_file *file = texts_file_create();
	struct texts texts;
	cr_assert_not_null(file);
	cr_expect_eq(texts_file_read(file->fd, &texts), -EINVAL, "empty");
	texts_fini(&texts);
	cr_assert_eq(write(file->fd, "path", 5), 5);
	cr_expect_eq(texts_file_read(file->fd, &texts), -EINVAL, "a path without a text");
	texts_fini(&texts);
	cr_assert_eq(write(file->fd, "text", 4), 4);
	cr_expect_eq(texts_file_read(file->fd, &texts), -EINVAL, "a text without its end");
	texts_fini(&texts);
	texts_file_release(file);
}

/* It is there once, and as long as any of them. */
Test(texts, the_file_is_shared_by_copies)
{
	struct config *config = load();
	remove_all();
	struct config *packed = config_copy(config);
	packed->pack->texts = texts_file_create();
	int fd = packed->pack->texts->fd;
	struct config *copy = config_copy(packed);
	cr_expect_eq(packed->n_texts, 0);
	cr_expect_eq(copy->pack->texts, packed->pack->texts);
	config_free(packed);
	cr_expect_geq(fcntl(fd, F_GETFD), 0);
	config_free(copy);
	cr_expect_eq(fcntl(fd, F_GETFD), -1);
	config_free(config);
}

/* What one process packs in a file another takes, pointers and all. */
Test(texts, a_pack_in_a_file_is_taken_by_another_process)
{
	enum { SIZE = 1 << 20 };
	struct config *config = load();
	remove_all();
	int fd = memfd_create("pack", 0);
	pid_t pid = fork();
	if (pid == 0) {
		struct pack *pack = pack_create_in(fd, SIZE);
		_exit(pack && pack_fill(pack, config) ? 0 : 1);
	}
	int status;
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert_eq(status, 0);
	struct pack *pack = pack_open(fd);
	cr_assert_not_null(pack, "%s", strerror(errno));
	cr_expect_null(pack_open(fd), "its place is taken");
	struct config *taken = pack_take(pack);
	compare(config, taken);
	config_free(taken);
	uint64_t wrong = 1;
	cr_assert_eq(pwrite(fd, &wrong, sizeof wrong, 0), (ssize_t)sizeof wrong);
	cr_expect_null(pack_open(fd), "it is of another program");
	cr_expect_eq(errno, EINVAL);
	close(fd);
	config_free(config);
}
