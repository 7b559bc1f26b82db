#include "wire/estate.h"

#include <errno.h>
#include <sys/socket.h>

#include "wire/channel.h"

/* FNV-1a: a change of service is to be noticed, not to be prevented. */
uint32_t estate_name(const char *service)
{
	uint32_t hash = 2166136261u;
	for (const char *c = service; *c; c++)
		hash = (hash ^ (uint8_t)*c) * 16777619u;
	return hash;
}

int estate_open(int ret_ends[2])
{
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ret_ends) < 0)
		return -errno;
	channel_deepen(&(struct channel){ .socket = ret_ends[0] });
	return 0;
}
