/* The descriptors of this process: how many there are, and how to have none free. */
#ifndef FDSUP_TESTS_UNIT_WIRE_DESCRIPTORS_H
#define FDSUP_TESTS_UNIT_WIRE_DESCRIPTORS_H

#include <criterion/criterion.h>
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

/* The same before and after, or something leaked. */
static inline size_t count_descriptors(void)
{
	size_t n = 0;
	DIR *directory = opendir("/proc/self/fd");
	cr_assert_not_null(directory);
	while (readdir(directory))
		n++;
	closedir(directory);
	return n;
}

/* Sets the soft limit and returns the one before. */
static inline rlim_t limit_descriptors(rlim_t soft)
{
	struct rlimit limit;
	const char *preload = getenv("LD_PRELOAD");
	if (preload && strstr(preload, "vgpreload"))
		cr_skip_test("valgrind keeps limits to itself: the kernel would not know of it");
	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	rlim_t before = limit.rlim_cur;
	limit.rlim_cur = soft;
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	return before;
}

#endif
