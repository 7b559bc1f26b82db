#include "process/file_rules.h"

#include <errno.h>
#include <sys/stat.h>

#include "base/landlock.h"

enum { LEVEL_SCOPE = 6 };

enum {
	READ_BITS = LANDLOCK_FILE_READ | LANDLOCK_FILE_READ_FOLDER,
	DEVICE_BITS = LANDLOCK_FILE_MAKE_CHAR | LANDLOCK_FILE_MAKE_BLOCK,
	/* Of a file that is no folder; the kernel refuses rules for it that say more. */
	FILE_BITS = LANDLOCK_FILE_EXECUTE | LANDLOCK_FILE_WRITE | LANDLOCK_FILE_READ |
		    LANDLOCK_FILE_TRUNCATE | LANDLOCK_FILE_IOCTL,
};

static uint64_t all_bits(void)
{
	return landlock_file_rights(landlock_level());
}

/* Devices are made by nobody who merely writes. */
static uint64_t write_bits(void)
{
	return all_bits() & ~(uint64_t)(READ_BITS | DEVICE_BITS | LANDLOCK_FILE_EXECUTE |
					LANDLOCK_FILE_IOCTL);
}

int file_rules_open_of_all(void)
{
	uint64_t scope = landlock_level() >= LEVEL_SCOPE ? LANDLOCK_SCOPED_SIGNAL : 0;
	return landlock_open((struct landlock_rights){ .file = all_bits(), .scope = scope });
}

int file_rules_open_of_writing(void)
{
	return landlock_open((struct landlock_rights){ .file = write_bits() | DEVICE_BITS });
}

static uint64_t bits_of(unsigned uses)
{
	uint64_t bits = 0;
	if (uses & FILE_USE_READ)
		bits |= READ_BITS;
	if (uses & FILE_USE_EXECUTE)
		bits |= LANDLOCK_FILE_EXECUTE;
	if (uses & FILE_USE_WRITE)
		bits |= write_bits();
	if (uses & FILE_USE_ALL)
		bits |= write_bits() | DEVICE_BITS;
	return bits;
}

int file_rules_allow(int rules_fd, int fd, unsigned uses)
{
	struct stat status;
	uint64_t bits = bits_of(uses);
	if (fstat(fd, &status) < 0)
		return -errno;
	if (!S_ISDIR(status.st_mode))
		bits &= FILE_BITS;
	return landlock_allow(rules_fd, fd, bits);
}
