#include "confine/calls.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "seccomp/filters.h"

enum { STEPS_MAX = 1024 };

/* The copy for this process. */
static void fill(const struct filter *filter, struct sock_filter steps[])
{
	memcpy(steps, filter->steps, filter->n * sizeof *steps);
	for (size_t i = 0; i < filter->n; i++)
		if (steps[i].k == FILTER_PID && BPF_CLASS(steps[i].code) == BPF_JMP)
			steps[i].k = (uint32_t)getpid();
}

static enum filter_kind kind_of(enum confine_role role)
{
	switch (role) {
	case CONFINE_GUARD:
		return FILTER_GUARD;
	case CONFINE_ACCEPTOR:
		return FILTER_ACCEPTOR;
	case CONFINE_ACCEPTOR_BY_HAND:
		return FILTER_ACCEPTOR_BY_HAND;
	case CONFINE_TAKER:
		break;
	}
	return confine_is_wide() ? FILTER_TAKER_WIDE : FILTER_TAKER;
}

static int restrict_to(const struct sock_filter *steps, size_t n)
{
	const struct sock_fprog program = { (unsigned short)n, (struct sock_filter *)steps };
	/* What is denied is told by the kernel, where it can: seccomp(2). */
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_LOG, &program) == 0)
		return CONFINEMENT_ACTIVE;
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0)
		return CONFINEMENT_ACTIVE;
	return -errno;
}

/* Apart from the rest: a guard, which has no pid in its filter, is to touch as little memory as it can. */
static __attribute__((noinline)) int restrict_filled(const struct filter *filter)
{
	struct sock_filter steps[STEPS_MAX];
	fill(filter, steps);
	return restrict_to(steps, filter->n);
}

int calls_restrict(enum confine_role role)
{
	struct filter filter = filter_of(kind_of(role));
	if (filter.n == 0 || filter.n > STEPS_MAX)
		return -EINVAL;
	return role == CONFINE_GUARD ? restrict_to(filter.steps, filter.n) : restrict_filled(&filter);
}
