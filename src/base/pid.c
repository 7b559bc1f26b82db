#include "base/pid.h"

#include <errno.h>
#include <signal.h>

bool pid_is_gone(pid_t pid)
{
	return pid > 0 && kill(pid, 0) < 0 && errno == ESRCH;
}
