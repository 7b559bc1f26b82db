#include "base/landlock.h"

#include <errno.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The same on all architectures but Alpha. */
#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_add_rule       445
#define SYS_landlock_restrict_self  446
#endif

enum { CREATE_RULESET_VERSION = 1, RULE_PATH_BENEATH = 1 };

enum { FILE_LEVEL_1 = (1 << 13) - 1 };

struct path_beneath {
	uint64_t allowed;
	int parent_fd;
} __attribute__((packed));

int landlock_level(void)
{
	static int level;
	if (level == 0) {
		level = (int)syscall(SYS_landlock_create_ruleset, NULL, 0, CREATE_RULESET_VERSION);
		if (level < 0)
			level = -errno;
	}
	return level;
}

uint64_t landlock_file_rights(int level)
{
	uint64_t rights = level >= 1 ? FILE_LEVEL_1 : 0;
	if (level >= 2)
		rights |= LANDLOCK_FILE_REFER;
	if (level >= 3)
		rights |= LANDLOCK_FILE_TRUNCATE;
	if (level >= 5)
		rights |= LANDLOCK_FILE_IOCTL;
	return rights;
}

int landlock_open(struct landlock_rights rights)
{
	int fd = (int)syscall(SYS_landlock_create_ruleset, &rights, sizeof rights, 0);
	return fd < 0 ? -errno : fd;
}

int landlock_allow(int rules_fd, int fd, uint64_t file_rights)
{
	struct path_beneath rule = { .allowed = file_rights, .parent_fd = fd };
	int r = (int)syscall(SYS_landlock_add_rule, rules_fd, RULE_PATH_BENEATH, &rule, 0);
	return r < 0 ? -errno : 0;
}

int landlock_enter(int rules_fd)
{
	return (int)syscall(SYS_landlock_restrict_self, rules_fd, 0);
}
