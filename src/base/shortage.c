#include "base/shortage.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/cgroup.h"
#include "base/fd.h"
#include "base/text.h"

enum { SHORTAGE_SIZE = 384 };

static struct {
	size_t used;
	char bytes[SHORTAGE_SIZE];
} text;

/* What does not fit is left out as a whole. */
static void add(const char *limit, unsigned long long bytes, const char *remedy)
{
	char size[TEXT_SIZE_SIZE];
	size_t room = sizeof text.bytes - text.used;
	int n = snprintf(text.bytes + text.used, room, "%s%s is %s: raise it (%s)", text.used ? "; " : "", limit,
		text_format_size(size, bytes), remedy);
	if (n > 0 && (size_t)n < room)
		text.used += (size_t)n;
	else
		text.bytes[text.used] = 0;
}

static void add_rlimits(void)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
		add("RLIMIT_AS", limit.rlim_cur, "ulimit -v, LimitAS");
	if (getrlimit(RLIMIT_DATA, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
		add("RLIMIT_DATA", limit.rlim_cur, "ulimit -d, LimitDATA");
}

/* False: there is none, or it says "max". */
static bool read_number(const char *folder, const char *name, unsigned long long *ret)
{
	char path[PATH_MAX + 32], number[32] = "", *end;
	snprintf(path, sizeof path, "%s/%s", folder, name);
	fd_auto int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, number, sizeof number - 1) <= 0)
		return false;
	*ret = strtoull(number, &end, 10);
	return end != number;
}

/* Of all groups above ours the first that is nearly used up. */
static void add_group(void)
{
	char path[PATH_MAX];
	if (cgroup_find(path) < 0)
		return;
	for (char *end = path + strlen(path); end; end = strrchr(path, '/')) {
		unsigned long long max, current;
		*end = 0;
		if (*path && read_number(path, "memory.max", &max) &&
			read_number(path, "memory.current", &current) && current >= max - max / 8) {
			add("memory.max of the control group", max, "MemoryMax, or the container's limit");
			return;
		}
	}
}

static const char *find(void)
{
	text.used = 0;
	text.bytes[0] = 0;
	add_rlimits();
	add_group();
	return text.used ? text.bytes : "no limit is set: the machine has none left";
}

const char *shortage_of_limit(const char *name, unsigned long long bytes)
{
	char size[TEXT_SIZE_SIZE];
	if (bytes == 0)
		return find();
	snprintf(text.bytes, sizeof text.bytes, "%s is %s: raise it", name, text_format_size(size, bytes));
	return text.bytes;
}

const char *shortage_explain_limit(int error, const char *name, unsigned long long bytes)
{
	static char whole[SHORTAGE_SIZE + 64];
	if (error != ENOMEM)
		return strerror(error);
	snprintf(whole, sizeof whole, "%s (%s)", strerror(error), shortage_of_limit(name, bytes));
	return whole;
}

const char *shortage_explain(int error)
{
	return shortage_explain_limit(error, NULL, 0);
}
