/*
 * Signals that stop a channel. The handler only makes the channel's event readable, which wakes
 * whoever polls; what follows happens in the next fdsup_take.
 */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "fdsup/worker.h"
#include "library/channel.h"

/* One channel of the process; the handler reads event_fd and sets is_told. */
static struct {
	const struct fdsup_channel *_Atomic channel;
	atomic_int event_fd;
	atomic_bool is_told;
	sigset_t caught;
	struct sigaction before[NSIG];
} stopping;

static void on_signal(int number)
{
	int error = errno;
	uint64_t one = 1;
	(void)number;
	atomic_store(&stopping.is_told, true);
	/* It fails only when it is readable already. */
	ssize_t written = write(atomic_load(&stopping.event_fd), &one, sizeof one);
	(void)written;
	errno = error;
}

int fdsup_stop_on(struct fdsup_channel *channel, int signal_number)
{
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
	struct sigaction before;
	if (signal_number <= 0 || signal_number >= NSIG)
		return -EINVAL;
	if (stopping.channel && stopping.channel != channel)
		return -EBUSY;
	if (!stopping.channel) {
		sigemptyset(&stopping.caught);
		atomic_store(&stopping.is_told, false);
		atomic_store(&stopping.event_fd, channel->event_fd);
	}
	if (sigaction(signal_number, &action, &before) < 0)
		return -errno;
	if (!stopping.channel || !sigismember(&stopping.caught, signal_number))
		stopping.before[signal_number] = before;
	sigaddset(&stopping.caught, signal_number);
	stopping.channel = channel;
	return 0;
}

void channel_heed_signal(struct fdsup_channel *channel)
{
	if (stopping.channel == channel && atomic_load(&stopping.is_told))
		fdsup_stop(channel);
}

void channel_release_signals(const struct fdsup_channel *channel)
{
	if (stopping.channel != channel)
		return;
	for (int number = 1; number < NSIG; number++)
		if (sigismember(&stopping.caught, number) == 1)
			sigaction(number, &stopping.before[number], NULL);
	stopping.channel = NULL;
}
