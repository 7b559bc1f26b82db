#include "config/privileges.h"

#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

uint64_t privileges_permitted(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
	if (syscall(SYS_capget, &header, data) < 0)
		return 0;
	return (uint64_t)data[1].permitted << 32 | data[0].permitted;
}

bool privileges_has(int capability)
{
	return privileges_permitted() >> capability & 1;
}
