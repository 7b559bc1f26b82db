#include "builtin/builtin.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "builtin/stream.h"
#include "builtin/udp.h"

/* For one more connection: only itself. */
enum { ROOM_FOR_ONE = 1 };

/* Of the taker that is a builtin's first member. */
static struct builtin *builtin_of(struct taker *taker)
{
	return (struct builtin *)taker;
}

static void take(struct taker *taker, const struct handoff *record, int connection, void *memory)
{
	stream_start(memory, builtin_of(taker), record, connection);
}

static void stop(struct taker *taker)
{
	while (taker->first)
		stream_end((struct stream *)taker->first, SIGTERM);
}

static bool start_udp(struct builtin *builtin)
{
	int fd = -1;
	int r = udp_start(builtin, &fd);
	if (r < 0)
		log_error("--udp %d: %s: it must be a bound UDP socket, which fdsup gives to its "
			  "workers",
			fd, r == -EPROTOTYPE ? "not a UDP socket" : strerror(-r));
	return r == 0;
}

int builtin_run(const struct options *options)
{
	static const struct taker_methods methods = { .take = take, .stop = stop };
	const struct taker_settings settings = {
		.queue_fd = options->common.queue_fd,
		.slots_fd = options->common.slots_fd,
		.n_room = ROOM_FOR_ONE,
		.n_memory = sizeof(struct stream),
		.idle_exit_ms = options->common.idle_exit_ms,
	};
	struct builtin builtin = { .options = options };
	int r = taker_open(&builtin.taker, &methods, &settings);
	if (r < 0) {
		arguments_refuse_queue(&options->common, r);
		return EXIT_FAILURE;
	}
	bool is_started = start_udp(&builtin);
	if (is_started)
		taker_run(&builtin.taker);
	udp_stop(&builtin);
	taker_close(&builtin.taker);
	return is_started ? EXIT_SUCCESS : EXIT_FAILURE;
}
