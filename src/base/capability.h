/*
 * Capabilities (capabilities(7)) as bits of a number: bit 0 is CAP_CHOWN.
 *
 * Bare system calls: what changes something is done between vfork and exec, and fdsup-worker is linked
 * with a C library that knows no linux/capability.h.
 */
#ifndef FDSUP_BASE_CAPABILITY_H
#define FDSUP_BASE_CAPABILITY_H

#include <stdbool.h>
#include <stdint.h>

/* Those that fdsup itself needs for one thing or another; the numbers are the kernel's. */
enum {
	CAPABILITY_SETPCAP = 8,
	CAPABILITY_SYS_CHROOT = 18,
	CAPABILITY_SYS_RESOURCE = 24,
	CAPABILITIES_MAX = 63, /* how many may ever be told apart */
};

#define CAPABILITY_BIT(number) (UINT64_C(1) << (number))

/* Those that are permitted to us. */
uint64_t capability_permitted(void);

/* Whether there is any to use, to raise or to inherit: 1, 0 or -errno. */
int capability_has_any(void);

/*
 * Takes all others out of the bounding set: no program that we execute can have them, root's neither.
 * Needs CAPABILITY_SETPCAP. 0 or -1 with errno.
 */
int capability_bound(uint64_t kept);

/*
 * We have these from now on and no others, and so has what we execute, whoever its user is (the ambient
 * set). They must be permitted. 0 or -1 with errno.
 */
int capability_hold(uint64_t kept);

#endif
