#include "net/untouched.h"

#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

/* Of enum tcp_state: the client has sent a FIN. */
enum { STATE_CLOSE_WAIT = 8 };

bool connection_is_untouched(int connection)
{
	struct tcp_info info;
	socklen_t size = sizeof info;
	int unread, unsent;
	memset(&info, 0, sizeof info);
	if (getsockopt(connection, IPPROTO_TCP, TCP_INFO, &info, &size) < 0 ||
		size < offsetof(struct tcp_info, tcpi_bytes_sent) + sizeof info.tcpi_bytes_sent ||
		ioctl(connection, SIOCINQ, &unread) < 0 || ioctl(connection, SIOCOUTQ, &unsent) < 0)
		return false;
	/* A FIN counts as a byte that was received, and cannot be read. */
	uint64_t readable = info.tcpi_bytes_received - (info.tcpi_state == STATE_CLOSE_WAIT);
	return info.tcpi_bytes_sent == 0 && unsent == 0 && readable == (uint64_t)unread;
}
