/*
 * A private folder to write configurations into, and loading them.
 *
 * Each test runs in its own process, in a folder of its own that is gone afterwards.
 */
#ifndef FDSUP_TESTS_CONFIG_FIXTURE_H
#define FDSUP_TESTS_CONFIG_FIXTURE_H

#include <criterion/criterion.h>
#include <errno.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/config.h"

static char folder[64];

static inline void enter_folder(void)
{
	umask(022);
	strcpy(folder, "/tmp/fdsup-config-XXXXXX");
	cr_assert(mkdtemp(folder));
	cr_assert_eq(chmod(folder, 0755), 0);
	cr_assert_eq(chdir(folder), 0);
	/* Only asked for without root. */
	setenv("XDG_RUNTIME_DIR", folder, 1);
}

static inline int remove_one(
	const char *path, const struct stat *status, int kind, struct FTW *where)
{
	(void)status, (void)kind, (void)where;
	return remove(path);
}

static inline void leave_folder(void)
{
	cr_assert_eq(chdir("/"), 0);
	nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* From root to a user without rights, for as long as the test needs it; else nothing. */
static inline void drop_root(void)
{
	if (geteuid() == 0) {
		cr_assert_eq(setegid(65534), 0);
		cr_assert_eq(seteuid(65534), 0);
	}
}

static inline void regain_root(void)
{
	if (getuid() == 0) {
		cr_assert_eq(seteuid(0), 0);
		cr_assert_eq(setegid(0), 0);
		/* The leak checker wants to look at us. */
		prctl(PR_SET_DUMPABLE, 1);
	}
}

static inline void write_bytes(const char *path, const void *bytes, size_t length)
{
	FILE *file = fopen(path, "w");
	cr_assert(file);
	cr_assert_eq(fwrite(bytes, 1, length, file), length);
	cr_assert_eq(fclose(file), 0);
}

static inline void write_file(const char *path, const char *text)
{
	write_bytes(path, text, strlen(text));
}

/* Loads main.conf, which must be good. The caller's to free. */
static inline struct config *load_good_file(void)
{
	struct config *config = NULL;
	struct config_errors errors;
	int r = config_load("main.conf", &config, &errors);
	for (size_t i = 0; i < errors.n; i++)
		cr_log_error("%s", errors.items[i]);
	cr_assert_eq(r, 0);
	cr_assert_eq(errors.n, 0);
	config_errors_free(&errors);
	return config;
}

static inline struct config *load_good(const char *text)
{
	write_file("main.conf", text);
	return load_good_file();
}

/* Loads main.conf, which must be refused. The caller's to free. */
static inline struct config_errors load_bad_file(void)
{
	struct config *config = NULL;
	struct config_errors errors;
	int r = config_load("main.conf", &config, &errors);
	cr_assert_eq(r, -EINVAL, "it was loaded");
	cr_assert_null(config);
	cr_assert_gt(errors.n, 0);
	return errors;
}

static inline bool has_error(const struct config_errors *errors, const char *part)
{
	for (size_t i = 0; i < errors->n; i++)
		if (strstr(errors->items[i], part))
			return true;
	return false;
}

/* One of the errors holds all the parts (a list that ends with NULL). */
static inline void assert_error_of(const struct config_errors *errors, ...)
{
	bool is_found = false;
	for (size_t i = 0; i < errors->n && !is_found; i++) {
		va_list parts;
		const char *part;
		is_found = true;
		va_start(parts, errors);
		while ((part = va_arg(parts, const char *)))
			is_found = is_found && strstr(errors->items[i], part);
		va_end(parts);
	}
	for (size_t i = 0; i < errors->n && !is_found; i++)
		cr_log_error("%s", errors->items[i]);
	cr_assert(is_found, "no such error");
}

/* The text is refused, with an error that holds both parts. */
static inline void assert_refused(const char *text, const char *part, const char *other_part)
{
	write_file("main.conf", text);
	struct config_errors errors = load_bad_file();
	bool is_found = false;
	for (size_t i = 0; i < errors.n; i++)
		is_found |= strstr(errors.items[i], part) && strstr(errors.items[i], other_part);
	for (size_t i = 0; i < errors.n && !is_found; i++)
		cr_log_error("%s", errors.items[i]);
	cr_expect(is_found, "%s: no error with \"%s\" and \"%s\"", text, part, other_part);
	config_errors_free(&errors);
}

/* A good service of each type, to be spoilt. */
#define EXEC(keys)   "services = { a = { port = 7777; command = [ \"/bin/cat\" ]; " keys " }; };"
#define DAEMON(keys) "services = { a = { command = [ \"/bin/cat\" ]; " keys " }; };"

#endif
