#include "process/landlock.h"

#include <errno.h>
#include <linux/landlock.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What headers of Linux 6.1 have not. */
#ifndef LANDLOCK_ACCESS_FS_REFER
#define LANDLOCK_ACCESS_FS_REFER (1ULL << 13)
#endif
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14)
#endif
#ifndef LANDLOCK_ACCESS_FS_IOCTL_DEV
#define LANDLOCK_ACCESS_FS_IOCTL_DEV (1ULL << 15)
#endif
#ifndef LANDLOCK_SCOPE_SIGNAL
#define LANDLOCK_SCOPE_SIGNAL (1ULL << 1)
#endif

/* struct landlock_ruleset_attr of Linux 6.12. An older kernel takes it, if what it does not know is 0. */
struct ruleset {
	uint64_t access_fs;
	uint64_t access_net;
	uint64_t scoped;
};

/* Levels at which the kernel learned about something. */
enum { LEVEL_REFER = 2, LEVEL_TRUNCATE = 3, LEVEL_IOCTL = 5, LEVEL_SCOPE = 6 };

enum {
	READ_BITS = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR,
	DEVICE_BITS = LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_BLOCK,
	MAKE_BITS = LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |
		    LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |
		    LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |
		    LANDLOCK_ACCESS_FS_MAKE_SYM,
	/* Of a file that is no folder; the kernel refuses rules for it that say more. */
	FILE_BITS = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE |
		    LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_TRUNCATE |
		    LANDLOCK_ACCESS_FS_IOCTL_DEV,
};

int landlock_level(void)
{
	static int level = -1;
	if (level < 0) {
		level = (int)syscall(
			SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
		level = level < 0 ? 0 : level;
	}
	return level;
}

static uint64_t write_bits(void)
{
	uint64_t bits = LANDLOCK_ACCESS_FS_WRITE_FILE | MAKE_BITS;
	if (landlock_level() >= LEVEL_REFER)
		bits |= LANDLOCK_ACCESS_FS_REFER;
	if (landlock_level() >= LEVEL_TRUNCATE)
		bits |= LANDLOCK_ACCESS_FS_TRUNCATE;
	return bits;
}

static uint64_t all_bits(void)
{
	uint64_t bits = LANDLOCK_ACCESS_FS_EXECUTE | READ_BITS | DEVICE_BITS | write_bits();
	return landlock_level() >= LEVEL_IOCTL ? bits | LANDLOCK_ACCESS_FS_IOCTL_DEV : bits;
}

static int open_rules(struct ruleset ruleset)
{
	int fd = (int)syscall(SYS_landlock_create_ruleset, &ruleset, sizeof ruleset, 0);
	return fd < 0 ? -errno : fd; /* close-on-exec from birth */
}

int landlock_open_of_all(void)
{
	uint64_t scoped = landlock_level() >= LEVEL_SCOPE ? LANDLOCK_SCOPE_SIGNAL : 0;
	return open_rules((struct ruleset){ .access_fs = all_bits(), .scoped = scoped });
}

int landlock_open_of_writing(void)
{
	return open_rules((struct ruleset){ .access_fs = write_bits() | DEVICE_BITS });
}

static uint64_t bits_of(unsigned uses)
{
	uint64_t bits = 0;
	if (uses & LANDLOCK_READ)
		bits |= READ_BITS;
	if (uses & LANDLOCK_EXECUTE)
		bits |= LANDLOCK_ACCESS_FS_EXECUTE;
	if (uses & LANDLOCK_WRITE)
		bits |= write_bits();
	if (uses & LANDLOCK_ALL)
		bits |= write_bits() | DEVICE_BITS;
	return bits;
}

int landlock_allow(int rules_fd, int fd, unsigned uses)
{
	struct stat status;
	struct landlock_path_beneath_attr rule = { .allowed_access = bits_of(uses), .parent_fd = fd };
	if (fstat(fd, &status) < 0)
		return -errno;
	if (!S_ISDIR(status.st_mode))
		rule.allowed_access &= FILE_BITS;
	int r = (int)syscall(SYS_landlock_add_rule, rules_fd, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
	return r < 0 ? -errno : 0;
}

int landlock_enter(int rules_fd)
{
	return (int)syscall(SYS_landlock_restrict_self, rules_fd, 0);
}
