#include "wire/connections.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

int connections_map(int fd, const struct connection_row **ret_rows, size_t *ret_n)
{
	static const int needed = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
	struct stat status;
	int seals = fcntl(fd, F_GET_SEALS);
	if (seals < 0 || (seals & needed) != needed || fstat(fd, &status) < 0 ||
		(size_t)status.st_size % sizeof **ret_rows)
		return -EINVAL;
	size_t n = (size_t)status.st_size / sizeof **ret_rows;
	const struct connection_row *rows = NULL;
	if (n) {
		rows = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_SHARED, fd, 0);
		if (rows == MAP_FAILED)
			return -errno;
	}
	*ret_rows = rows;
	*ret_n = n;
	return 0;
}

void connections_unmap(const struct connection_row *rows, size_t n)
{
	if (rows)
		munmap((void *)rows, n * sizeof *rows);
}
