/*
 * Files that are broken in many ways: whatever they hold, loading ends with an answer, in time, and
 * a refusal has a reason. Run it under AddressSanitizer to see more.
 */
#include "fixture.h"

#include <dirent.h>
#include <limits.h>

TestSuite(corpus, .init = enter_folder, .fini = leave_folder, .timeout = 170);

static void load_any(const void *bytes, size_t length)
{
	struct config *config = NULL;
	struct config_errors errors;
	write_bytes("main.conf", bytes, length);
	int r = config_load("main.conf", &config, &errors);
	if (r == 0) {
		cr_expect_eq(errors.n, 0);
		config_free(config);
	} else {
		cr_expect_eq(r, -EINVAL);
		cr_expect_gt(errors.n, 0);
		cr_expect_null(config);
	}
	config_errors_free(&errors);
}

static char *read_whole(const char *path, size_t *ret_length)
{
	FILE *file = fopen(path, "r");
	cr_assert(file, "%s", path);
	char *bytes = malloc(2 << 20);
	*ret_length = fread(bytes, 1, 2 << 20, file);
	fclose(file);
	return bytes;
}

/* Calls `use` for each file of the corpus. */
static void each_file(void (*use)(const char *name, const char *bytes, size_t length))
{
	char path[PATH_MAX];
	const char *source = getenv("FDSUP_SOURCE");
	cr_assert(source, "FDSUP_SOURCE names the folder of the sources");
	snprintf(path, sizeof path, "%s/tests/corpus/config", source);
	DIR *stream = opendir(path);
	cr_assert(stream, "%s", path);
	const struct dirent *entry;
	size_t n = 0;
	while ((entry = readdir(stream))) {
		char file[PATH_MAX + 256];
		size_t length;
		if (entry->d_name[0] == '.')
			continue;
		snprintf(file, sizeof file, "%s/%s", path, entry->d_name);
		char *bytes = read_whole(file, &length);
		use(entry->d_name, bytes, length);
		free(bytes);
		n++;
	}
	closedir(stream);
	cr_assert_gt(n, 10);
}

static void expect_by_name(const char *name, const char *bytes, size_t length)
{
	struct config *config = NULL;
	struct config_errors errors;
	write_bytes("main.conf", bytes, length);
	int r = config_load("main.conf", &config, &errors);
	bool is_good = !strncmp(name, "good-", 5);
	cr_expect_eq(
		r, is_good ? 0 : -EINVAL, "%s: %s", name, errors.n ? errors.items[0] : "loaded");
	if (r == 0)
		config_free(config);
	config_errors_free(&errors);
}

Test(corpus, is_refused_but_for_what_is_called_good)
{
	each_file(expect_by_name);
}

static void cut_everywhere(const char *name, const char *bytes, size_t length)
{
	(void)name;
	for (size_t i = 0; i < length && i < 1500; i++)
		load_any(bytes, i);
}

Test(corpus, may_end_anywhere)
{
	each_file(cut_everywhere);
}

static unsigned next_random(void)
{
	static unsigned state = 20240229;
	state ^= state << 13;
	state ^= state >> 17;
	state ^= state << 5;
	return state;
}

/* Bytes that mean something to the language come up more often than others. */
static char random_byte(void)
{
	static const char telling[] = "{}[]();:=,\"\\/*#\n@-0129Lxe.";
	unsigned random = next_random();
	return random & 1 ? telling[random / 2 % (sizeof telling - 1)] : (char)(random >> 8);
}

static void mutate(const char *name, const char *bytes, size_t length)
{
	(void)name;
	if (length == 0 || length > 4000)
		return;
	for (int i = 0; i < 150; i++) {
		char copy[4001];
		size_t n = length;
		memcpy(copy, bytes, n);
		for (unsigned j = next_random() % 4 + 1; j > 0; j--) {
			size_t at = next_random() % n, other = next_random() % n;
			copy[at] = random_byte();
			copy[other] = copy[at];
		}
		load_any(copy, n);
	}
}

Test(corpus, may_have_any_byte_changed)
{
	each_file(mutate);
}

/* Each would take libconfig itself minutes, which CTest does not wait for, or end the process. */
Test(corpus, holds_nothing_that_takes_long)
{
	static const struct {
		const char *head, *piece, *tail;
	} cases[] = {
		{ "a = \"", "x", "\";" },
		{ "", "a = 1; ", "" },
		{ "", "a", " = 1;" },
		{ "a = [ ", "1, ", "1 ];" },
		{ "a = ", "( ", "" },
		{ "", "{ ", "" },
		{ "/*", "x\n", "*/ services = { };" },
		{ "#", "x", "\nservices = { };" },
		{ "a = ", "\"a\" ", ";" },
		{ "", "\n", "services = { };" },
		{ "services = {", "a = { ", "" },
		{ "a = ", "1", ";" },
		{ "a = \"", "\\", "\";" },
		{ "a = \"", "\\\"", "\";" },
		{ "@include \"", "/", "\"\n" },
		{ "services = { a = { command = [", "\"x\",", "\"x\" ]; }; };" },
		{ "services = { a = { command = \"", "'x' ", "\"; }; };" },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		size_t size = (1 << 20) - strlen(cases[i].tail), length = strlen(cases[i].piece);
		char *text = malloc(size + 64), *at = stpcpy(text, cases[i].head);
		while (at + length <= text + size)
			at = stpcpy(at, cases[i].piece);
		at = stpcpy(at, cases[i].tail);
		load_any(text, (size_t)(at - text));
		free(text);
	}
}
