/*
 * How this process is, told to whoever set NOTIFY_SOCKET: sd_notify(3). The protocol is one
 * datagram of text, documented for reimplementation.
 */
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "fdsup/worker.h"

enum { MESSAGE_MAX = 4096 };

static int make_address(const char *text, struct sockaddr_un *ret_name, socklen_t *ret_size)
{
	size_t length = strlen(text);
	if ((text[0] != '/' && text[0] != '@') || length < 2)
		return -EINVAL;
	if (length >= sizeof ret_name->sun_path)
		return -ENAMETOOLONG;
	*ret_name = (struct sockaddr_un){ .sun_family = AF_UNIX };
	memcpy(ret_name->sun_path, text, length);
	if (text[0] == '@')
		ret_name->sun_path[0] = 0;
	*ret_size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
	return 0;
}

int fdsup_notify(const char *format, ...)
{
	char message[MESSAGE_MAX];
	struct sockaddr_un name;
	socklen_t size;
	va_list arguments;
	const char *target = getenv("NOTIFY_SOCKET");
	if (!target || !*target)
		return 0;
	int r = make_address(target, &name, &size);
	if (r < 0)
		return r;
	va_start(arguments, format);
	int length = vsnprintf(message, sizeof message, format, arguments);
	va_end(arguments);
	if (length <= 0)
		return -EINVAL;
	if ((size_t)length >= sizeof message)
		return -EMSGSIZE;
	fd_auto int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	ssize_t sent = sendto(fd, message, (size_t)length, MSG_DONTWAIT | MSG_NOSIGNAL,
		(const struct sockaddr *)&name, size);
	return sent < 0 ? -errno : 1;
}

static unsigned long long number_in(const char *variable)
{
	const char *text = getenv(variable);
	char *end;
	if (!text || text[0] < '0' || text[0] > '9')
		return 0;
	errno = 0;
	unsigned long long number = strtoull(text, &end, 10);
	return errno || *end ? 0 : number;
}

uint64_t fdsup_watchdog_us(void)
{
	/* Without WATCHDOG_PID it is meant for every process that sees it. */
	if (getenv("WATCHDOG_PID") && number_in("WATCHDOG_PID") != (unsigned long long)getpid())
		return 0;
	return number_in("WATCHDOG_USEC");
}
