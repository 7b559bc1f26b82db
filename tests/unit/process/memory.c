#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "process/memory.h"

Test(memory, grows_with_what_is_used)
{
	enum { MORE = 32 << 20 };
	uint64_t before, after;
	cr_assert_eq(memory_resident(getpid(), &before), 0);
	char *bytes = malloc(MORE);
	memset(bytes, 1, MORE);
	cr_assert_eq(memory_resident(getpid(), &after), 0);
	cr_expect_gt(bytes[MORE - 1], 0);
	cr_expect_geq(after, before + MORE / 2);
	free(bytes);
}

Test(memory, of_nobody_is_not_known)
{
	uint64_t bytes;
	pid_t pid = fork();
	if (pid == 0)
		_exit(0);
	cr_assert_eq(waitpid(pid, NULL, 0), pid);
	cr_expect_lt(memory_resident(pid, &bytes), 0);
}
