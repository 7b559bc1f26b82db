#include "supervisor/notify.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"

static struct sockaddr_un address;
static socklen_t address_length;

void notify_init(void)
{
	const char *path = getenv("NOTIFY_SOCKET");
	if (path && (*path == '/' || *path == '@') && strlen(path) < sizeof address.sun_path) {
		address.sun_family = AF_UNIX;
		strcpy(address.sun_path, path);
		address_length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
		if (*path == '@')
			address.sun_path[0] = 0;
	}
	unsetenv("NOTIFY_SOCKET");
}

void notify_export(void)
{
	char path[sizeof address.sun_path + 1] = "";
	size_t length = address_length ? address_length - offsetof(struct sockaddr_un, sun_path) : 0;
	memcpy(path, address.sun_path, length);
	if (length && !path[0])
		path[0] = '@';
	if (length)
		setenv("NOTIFY_SOCKET", path, 1);
}

void notify_send(const char *state)
{
	if (!address_length)
		return;
	fd_auto int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd >= 0)
		(void)!sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&address,
			address_length);
}

void notify_reloading(void)
{
	char text[80];
	snprintf(text, sizeof text, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64, clock_now_ns() / 1000);
	notify_send(text);
}
