#include "base/capability.h"

#include <errno.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* capget(2): version 3, which has two words of 32 bits a set. */
enum { VERSION = 0x20080522, WORDS = 2, WORD_BITS = 32 };

struct header {
	uint32_t version;
	int pid; /* 0: we */
};

struct sets {
	uint32_t effective;
	uint32_t permitted;
	uint32_t inheritable;
};

static int get(struct sets sets[WORDS])
{
	struct header header = { .version = VERSION };
	return (int)syscall(SYS_capget, &header, sets);
}

uint64_t capability_permitted(void)
{
	struct sets sets[WORDS];
	if (get(sets) < 0)
		return 0;
	return (uint64_t)sets[1].permitted << WORD_BITS | sets[0].permitted;
}

int capability_has_any(void)
{
	struct sets sets[WORDS];
	if (get(sets) < 0)
		return -errno;
	for (int i = 0; i < WORDS; i++)
		if (sets[i].effective || sets[i].permitted || sets[i].inheritable)
			return 1;
	return 0;
}

int capability_bound(uint64_t kept)
{
	/* The first number that the kernel does not know is behind the last one. */
	for (int number = 0; number < CAPABILITIES_MAX; number++) {
		int is_there = prctl(PR_CAPBSET_READ, number, 0, 0, 0);
		if (is_there < 0)
			break;
		if (is_there && !(kept & CAPABILITY_BIT(number)) &&
			prctl(PR_CAPBSET_DROP, number, 0, 0, 0) < 0)
			return -1;
	}
	return 0;
}

/* What is not both permitted and inheritable leaves the ambient set by itself. */
static int raise_ambient(uint64_t kept)
{
	for (int number = 0; number < CAPABILITIES_MAX; number++)
		if (kept & CAPABILITY_BIT(number) &&
			prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, number, 0, 0) < 0)
			return -1;
	return 0;
}

int capability_hold(uint64_t kept)
{
	struct header header = { .version = VERSION };
	struct sets sets[WORDS];
	for (int i = 0; i < WORDS; i++) {
		uint32_t word = (uint32_t)(kept >> (i * WORD_BITS));
		sets[i] = (struct sets){ word, word, word };
	}
	if (syscall(SYS_capset, &header, sets) < 0)
		return -1;
	return raise_ambient(kept);
}
