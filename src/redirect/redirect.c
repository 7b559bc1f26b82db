#include "redirect/redirect.h"

#include <errno.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "redirect/link.h"

/*
 * For one more connection: itself, the one to the target, a pipe, two for a look-up. What is short
 * beyond that is waited for (dial.h) or done without (pipes.h).
 */
enum { ROOM_FOR_ONE = 6 };

/* Of the taker that is a redirect's first member. */
static struct redirect *redirect_of(struct taker *taker)
{
	return (struct redirect *)taker;
}

static void take(struct taker *taker, const struct handoff *record, int connection, void *memory)
{
	link_start(memory, redirect_of(taker), record, connection);
}

static void stop(struct taker *taker)
{
	while (taker->first)
		link_stop((struct link *)taker->first);
}

void redirect_on_failed(struct redirect *redirect, const char *cause)
{
	if (trouble_failed(&redirect->trouble, clock_now_ms()))
		log_error("cannot connect to %s: %s; its clients are disconnected, each new one "
			  "tries again",
			redirect->options->target.text, cause);
}

void redirect_on_connected(struct redirect *redirect)
{
	char lasted[TEXT_DURATION_SIZE];
	size_t n_failed;
	uint64_t lasted_ms;
	if (trouble_succeeded(&redirect->trouble, clock_now_ms(), &n_failed, &lasted_ms))
		log_notice("%s can be connected to again; %zu connections failed in %s",
			redirect->options->target.text, n_failed,
			text_format_duration(lasted, lasted_ms));
}

static unsigned long nofile_limit(void)
{
	struct rlimit limit;
	return getrlimit(RLIMIT_NOFILE, &limit) == 0 ? (unsigned long)limit.rlim_cur : 256;
}

int redirect_run(const struct options *options)
{
	static const struct taker_methods methods = { .take = take, .stop = stop };
	const struct taker_settings settings = {
		.queue_fd = options->common.queue_fd,
		.slots_fd = options->common.slots_fd,
		.n_room = ROOM_FOR_ONE,
		.n_memory = sizeof(struct link),
		.idle_exit_ms = options->common.idle_exit_ms,
	};
	struct redirect redirect = { .options = options };
	int r = taker_open(&redirect.taker, &methods, &settings);
	if (r < 0)
		return r;
	pipes_init(&redirect.pipes, nofile_limit());
	resolver_init(&redirect.resolver, redirect.taker.loop, &options->target);
	taker_run(&redirect.taker);
	resolver_fini(&redirect.resolver);
	pipes_fini(&redirect.pipes);
	taker_close(&redirect.taker);
	return 0;
}
