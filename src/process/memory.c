#include "process/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/fd.h"

int memory_resident(pid_t pid, uint64_t *ret_bytes)
{
	char path[32], text[128];
	unsigned long long n_pages;
	snprintf(path, sizeof path, "/proc/%d/statm", (int)pid);
	fd_auto int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ssize_t n = read(fd, text, sizeof text - 1);
	if (n < 0)
		return -errno;
	text[n] = 0;
	/* Size, then resident: proc(5). */
	if (sscanf(text, "%*u %llu", &n_pages) != 1)
		return -EBADMSG;
	*ret_bytes = n_pages * (uint64_t)sysconf(_SC_PAGESIZE);
	return 0;
}
