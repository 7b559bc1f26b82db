#include "confine/landlock.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"

/*
 * As the kernel's linux/landlock.h has it, which on the systems that we build on is older than the
 * kernels that we run on. The numbers of these calls are the same on all architectures but Alpha.
 */
#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_restrict_self  446
#endif

enum { CREATE_RULESET_VERSION = 1 };

struct ruleset {
	uint64_t files;  /* rights that are denied where no rule allows them */
	uint64_t net;    /* ABI 4 */
	uint64_t scoped; /* ABI 6 */
};

/* Rights on files: bits 0 to 12 came with ABI 1. */
enum {
	FILE_EXECUTE = 1 << 0,
	FILE_WRITE = 1 << 1,
	FILE_READ = 1 << 2,
	FOLDER_READ = 1 << 3,
	FILE_ABI_1 = (1 << 13) - 1,
	FILE_REFER = 1 << 13,    /* ABI 2 */
	FILE_TRUNCATE = 1 << 14, /* ABI 3 */
	FILE_IOCTL = 1 << 15,    /* ABI 5: of devices */
};

enum { NET_BIND_TCP = 1, NET_CONNECT_TCP = 2 };
enum { SCOPE_ABSTRACT_UNIX = 1, SCOPE_SIGNAL = 2 };

static uint64_t file_rights(int abi, enum confine_role role)
{
	uint64_t rights = FILE_ABI_1;
	if (abi >= 2)
		rights |= FILE_REFER;
	if (abi >= 3)
		rights |= FILE_TRUNCATE;
	if (abi >= 5)
		rights |= FILE_IOCTL;
	/* Some look names up, for which the C library reads its files and loads its modules. */
	if (role == CONFINE_TAKER)
		rights &= ~(uint64_t)(FILE_READ | FOLDER_READ);
	return rights;
}

static struct ruleset choose_rights(int abi, enum confine_role role)
{
	struct ruleset ruleset = { .files = file_rights(abi, role) };
	if (abi >= 4)
		ruleset.net = NET_BIND_TCP | (role == CONFINE_TAKER ? 0 : NET_CONNECT_TCP);
	if (abi >= 6)
		ruleset.scoped = SCOPE_SIGNAL | (role == CONFINE_ACCEPTOR ? SCOPE_ABSTRACT_UNIX : 0);
	return ruleset;
}

/* Kernels before an ABI refuse a longer struct unless the rest of it is zero, which it is. */
static size_t size_for(int abi)
{
	if (abi >= 6)
		return sizeof(struct ruleset);
	return abi >= 4 ? offsetof(struct ruleset, scoped) : offsetof(struct ruleset, net);
}

int landlock_restrict(enum confine_role role)
{
	int abi = (int)syscall(SYS_landlock_create_ruleset, NULL, 0, CREATE_RULESET_VERSION);
	if (abi < 0)
		return -errno;
	struct ruleset ruleset = choose_rights(abi, role);
	fd_auto int fd = (int)syscall(SYS_landlock_create_ruleset, &ruleset, size_for(abi), 0);
	if (fd < 0 || syscall(SYS_landlock_restrict_self, fd, 0) < 0)
		return -errno;
	return abi;
}
