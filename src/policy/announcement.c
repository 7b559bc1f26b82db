#include "policy/announcement.h"

#include <string.h>

enum announcement announcement_judge(size_t *n_before, const char *bytes, size_t n)
{
	if (n == 0)
		return ANNOUNCEMENT_ENDED;
	if (memchr(bytes, '\n', n))
		return ANNOUNCEMENT_READY;
	*n_before += n;
	return *n_before < ANNOUNCEMENT_MAX ? ANNOUNCEMENT_WAIT : ANNOUNCEMENT_LOST;
}
