#include "acceptor/acceptor.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sysexits.h>
#include <unistd.h>

#include "acceptor/bequest.h"
#include "acceptor/commands.h"
#include "acceptor/following.h"
#include "acceptor/listing.h"
#include "acceptor/logbuffer.h"
#include "acceptor/losses.h"
#include "acceptor/options.h"
#include "acceptor/service.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/text.h"
#include "confine/confine.h"

/* Messages handled in one turn of the loop. */
enum { CONTROL_BATCH = 64 };

static const double rest_s = 1.0;
static const double guard_pause_s = 1.0;
static const uint64_t shortage_quiet_ns = UINT64_C(5000000000);

void acceptor_stop(struct acceptor *acceptor, int exit_status)
{
	acceptor->exit_status = exit_status;
	ev_break(acceptor->loop, EVBREAK_ALL);
}

static void settle_all(struct acceptor *acceptor)
{
	uint64_t now_ns = clock_now_ns();
	for (uint32_t row = 0; row < acceptor->n_rows; row++)
		if (acceptor->services[row])
			service_settle(acceptor->services[row], now_ns);
}

static void log_shortage(int error)
{
	struct rlimit limit = { 0 };
	getrlimit(RLIMIT_NOFILE, &limit);
	if (error == EMFILE)
		log_error("no descriptor is left to accept with (limit %llu): accepting pauses "
			  "for a second at a time; raise the limit (LimitNOFILE= of the unit, or "
			  "ulimit -n)",
			(unsigned long long)limit.rlim_cur);
	else if (error == ENFILE)
		log_error("the system has no descriptor left (ENFILE): accepting pauses for a "
			  "second at a time; raise fs.file-max");
	else if (error == ENOSPC)
		log_error("%u connections are live, as many as one acceptor follows: accepting "
			  "pauses for a second at a time; raise acceptors, or set max_connections",
			LEDGER_MAX);
	else
		log_error("no memory to accept with: %s; accepting pauses for a second at a time",
			strerror(error));
}

void acceptor_rest(struct acceptor *acceptor, int error)
{
	if (acceptor->is_short)
		return;
	if (!acceptor->shortage_ns) {
		log_shortage(error);
		acceptor->shortage_ns = clock_now_ns();
	}
	acceptor->is_short = true;
	ev_timer_stop(acceptor->loop, &acceptor->shortage_timer);
	ev_timer_set(&acceptor->shortage_timer, rest_s, 0);
	ev_timer_start(acceptor->loop, &acceptor->shortage_timer);
	settle_all(acceptor);
}

/* First the end of a rest; then, if no other followed, the end of the episode. */
static void on_shortage_timer(struct ev_loop *loop, ev_timer *timer, int revents)
{
	(void)revents;
	struct acceptor *acceptor = timer->data;
	if (acceptor->is_short) {
		acceptor->is_short = false;
		ev_timer_set(timer, (double)shortage_quiet_ns / 1e9, 0);
		ev_timer_start(loop, timer);
		settle_all(acceptor);
		return;
	}
	char lasted[TEXT_DURATION_SIZE];
	uint64_t ms = (clock_now_ns() - acceptor->shortage_ns - shortage_quiet_ns) / 1000000;
	log_notice("accepting again without shortage, which lasted %s",
		text_format_duration(lasted, ms));
	acceptor->shortage_ns = 0;
}

void acceptor_open_reserve(struct acceptor *acceptor)
{
	for (size_t i = 0; i < CONTROL_FDS_MAX; i++)
		acceptor->reserve_fds[i] = fd_copy(acceptor->control.socket);
}

void acceptor_close_reserve(struct acceptor *acceptor)
{
	for (size_t i = 0; i < CONTROL_FDS_MAX; i++)
		fd_close(&acceptor->reserve_fds[i]);
}

void acceptor_set_estate(struct acceptor *acceptor, int out_fd)
{
	struct traces *traces = acceptor->guard.traces;
	fd_close(&acceptor->estate_fd);
	acceptor->estate_fd = out_fd;
	if (traces)
		atomic_store(&traces->out, out_fd);
}

bool acceptor_has_reserve(const struct acceptor *acceptor)
{
	return acceptor->reserve_fds[0] >= 0;
}

uint64_t acceptor_connection_id(struct acceptor *acceptor, int connection)
{
	uint64_t cookie;
	socklen_t length = sizeof cookie;
	if (getsockopt(connection, SOL_SOCKET, SO_COOKIE, &cookie, &length) == 0)
		return cookie;
	return ++acceptor->last_id;
}

/* Without a free descriptor, one in the message is lost: recvmsg(2), MSG_CTRUNC. */
static int receive_one(struct acceptor *acceptor)
{
	union control_message message;
	int fds[CONTROL_FDS_MAX];
	struct descriptor_message received = {
		.bytes = &message,
		.size = sizeof message,
		.fds = fds,
		.max_fds = CONTROL_FDS_MAX,
	};
	int r = descriptor_receive(acceptor->control.socket, &received);
	if (r <= 0)
		return r;
	if (received.is_cut)
		received.length = 0; /* fits nothing in the catalogue */
	commands_handle(acceptor, &message, received.length, fds, received.n_fds);
	return 1;
}

static void watch_control(struct acceptor *acceptor)
{
	int events = EV_READ | (channel_has_backlog(&acceptor->control) ? EV_WRITE : 0);
	if (acceptor->control_io.events == events)
		return;
	ev_io_stop(acceptor->loop, &acceptor->control_io);
	ev_io_set(&acceptor->control_io, acceptor->control.socket, events);
	ev_io_start(acceptor->loop, &acceptor->control_io);
}

void acceptor_tell_supervisor(struct acceptor *acceptor, const void *message, size_t size)
{
	acceptor_tell_supervisor_with(acceptor, message, size, -1);
}

void acceptor_tell_supervisor_with(
	struct acceptor *acceptor, const void *message, size_t size, int fd)
{
	if (channel_send(&acceptor->control, message, size, &fd, fd >= 0) < 0)
		acceptor_stop(acceptor, EX_OK); /* it is gone */
	else
		watch_control(acceptor);
}

static void on_control(struct ev_loop *loop, ev_io *io, int revents)
{
	(void)loop;
	struct acceptor *acceptor = io->data;
	if (revents & EV_WRITE && channel_flush(&acceptor->control) < 0) {
		acceptor_stop(acceptor, EX_OK);
		return;
	}
	int r = 1;
	/* Nothing is accepted in between, so that what they free is for the messages alone. */
	acceptor_close_reserve(acceptor);
	for (int i = 0; i < CONTROL_BATCH && r == 1 && acceptor->exit_status < 0; i++)
		r = receive_one(acceptor);
	acceptor_open_reserve(acceptor);
	if (r <= 0 && r != -EAGAIN)
		acceptor_stop(acceptor, EX_OK); /* the supervisor is gone */
	else if (acceptor->exit_status < 0)
		watch_control(acceptor);
}

static void on_log_writable(struct ev_loop *loop, ev_io *io, int revents)
{
	(void)revents;
	ev_io_stop(loop, io);
	logbuffer_flush();
}

/* Too short for a timer of the loop, which counts milliseconds. */
static void rest(uint32_t rest_us)
{
	const struct timespec time = { .tv_nsec = (long)rest_us * 1000 };
	if (rest_us)
		ppoll(NULL, 0, &time, NULL);
}

static void on_turn(struct ev_loop *loop, ev_prepare *prepare, int revents)
{
	(void)revents;
	struct acceptor *acceptor = prepare->data;
	score_set(acceptor->board->head.alive_ns, clock_now_ns());
	if (!ev_is_active(&acceptor->log_io))
		logbuffer_flush();
	if (logbuffer_is_stuck())
		ev_io_start(loop, &acceptor->log_io);
	rest(pace_take(&acceptor->pace));
}

static void on_guard_timer(struct ev_loop *loop, ev_timer *timer, int revents)
{
	(void)loop, (void)revents;
	struct control_number message = { .kind = CONTROL_UNGUARDED };
	acceptor_tell_supervisor(timer->data, &message, sizeof message);
}

/* There will be another acceptor with another guard; if that one ends as soon, not at once. */
static void on_guard_gone(struct ev_loop *loop, ev_io *io, int revents)
{
	(void)revents;
	struct acceptor *acceptor = io->data;
	ev_io_stop(loop, io);
	log_error("the guard of this acceptor has ended: another acceptor takes its place, with a guard");
	ev_timer_start(loop, &acceptor->guard_timer);
}

static void watch_guard(struct acceptor *acceptor)
{
	ev_io_init(&acceptor->guard_io, on_guard_gone, acceptor->guard.pidfd, EV_READ);
	ev_timer_init(&acceptor->guard_timer, on_guard_timer, guard_pause_s, 0);
	acceptor->guard_io.data = acceptor->guard_timer.data = acceptor;
	if (acceptor->guard.traces)
		ev_io_start(acceptor->loop, &acceptor->guard_io);
}

static void start_watchers(struct acceptor *acceptor)
{
	ev_io_init(&acceptor->control_io, on_control, acceptor->control.socket, EV_READ);
	ev_io_init(&acceptor->log_io, on_log_writable, STDERR_FILENO, EV_WRITE);
	ev_prepare_init(&acceptor->turn, on_turn);
	ev_init(&acceptor->shortage_timer, on_shortage_timer);
	acceptor->control_io.data = acceptor->turn.data = acceptor->shortage_timer.data = acceptor;
	/* Why a connection is ended is known before its end is. */
	ev_set_priority(&acceptor->control_io, EV_MAXPRI);
	ev_io_start(acceptor->loop, &acceptor->control_io);
	ev_prepare_start(acceptor->loop, &acceptor->turn);
}

/* Copies may take a half of all descriptors: accepting comes first. */
static uint32_t max_copies(void)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return 0;
	return (uint32_t)(limit.rlim_cur < LEDGER_MAX ? limit.rlim_cur / 2 : LEDGER_MAX);
}

/* Once in the life of an acceptor, and what it lacks is for `fdsupctl status -v` to say. */
static void open_ledger(struct acceptor *acceptor, int notices_given, uint32_t max_notices)
{
	fd_auto int notices_fd = notices_given;
	uint32_t parts = 0;
	ledger_init(&acceptor->ledger, acceptor->seed);
	int r = survey_open(&acceptor->survey, acceptor->loop);
	if (r == 0)
		parts |= SCORE_LEDGER_LOOK_UPS;
	else
		log_debug("the kernel does not answer questions about connections: %s", strerror(-r));
	/* A kernel that cannot be asked has no notices either: both are of the module tcp_diag. */
	if (r == 0 && notices_fd >= 0)
		acceptor->following = following_open(acceptor, fd_take(&notices_fd), max_notices);
	if (acceptor->following)
		parts |= SCORE_LEDGER_NOTICES;
	score_set(acceptor->board->head.ledger_parts, parts);
}

static int start(struct acceptor *acceptor, const struct options *options)
{
	fd_auto int notices_fd = options->notices_fd;
	fd_auto int scoreboard_fd = options->scoreboard_fd;
	unsigned long limit_before;
	channel_init(&acceptor->control, options->control_fd);
	int r = scoreboard_map(scoreboard_fd, &acceptor->board);
	if (r < 0) {
		log_error("descriptor %d is no scoreboard: %s", scoreboard_fd, strerror(-r));
		return EX_USAGE;
	}
	/* The terminal's Ctrl-C is for the supervisor, who ends us in order. */
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	(void)fd_raise_limit(&limit_before);
	acceptor->n_copies_max = max_copies();
	if (getrandom(&acceptor->seed, sizeof acceptor->seed, GRND_NONBLOCK) < 0)
		acceptor->seed = clock_now_ns();
	r = losses_measure_queue_unit();
	acceptor->loop = ev_loop_new(EVFLAG_AUTO | EVFLAG_NOENV);
	if (r < 0 || !acceptor->loop) {
		log_error(
			"cannot start: %s", r < 0 ? strerror(-r) : "the event loop cannot be made");
		return EX_OSERR;
	}
	acceptor->queue_unit = (unsigned)r;
	open_ledger(acceptor, fd_take(&notices_fd), (uint32_t)options->max_notices);
	lapse_open(acceptor);
	acceptor_open_reserve(acceptor);
	start_watchers(acceptor);
	watch_guard(acceptor);
	heir_init(acceptor);
	/* What needs a file or a new socket has it by now; no stranger has been heard yet. */
	struct control_ready ready = { .kind = CONTROL_READY, .version = CONTROL_VERSION };
	confine(CONFINE_ACCEPTOR, &ready.confinement);
	ready.guard = acceptor->guard.error;
	return channel_send(&acceptor->control, &ready, sizeof ready, NULL, 0) < 0 ? EX_OK : -1;
}

/* The next acceptor takes it from there, limits and all; where there is none, see service_abandon. */
static void leave(struct acceptor *acceptor)
{
	struct traces *traces = acceptor->guard.traces;
	if (!traces)
		return;
	heir_give_way(acceptor);
	acceptor->has_left = bequest_leave(traces, 0) == 0;
}

static void finish(struct acceptor *acceptor)
{
	leave(acceptor);
	for (uint32_t row = 0; row < acceptor->n_rows; row++)
		if (acceptor->services[row])
			service_abandon(acceptor->services[row]);
	if (acceptor->loop) {
		lapse_close(acceptor);
		heir_close(acceptor);
		ev_io_stop(acceptor->loop, &acceptor->guard_io);
		ev_timer_stop(acceptor->loop, &acceptor->guard_timer);
	}
	outliving_close(acceptor);
	following_close(acceptor->following);
	survey_close(&acceptor->survey);
	listing_end(acceptor);
	free(acceptor->services);
	ledger_fini(&acceptor->ledger);
	channel_fini(&acceptor->control);
	acceptor_close_reserve(acceptor);
	scoreboard_unmap(acceptor->board);
	if (acceptor->loop)
		ev_loop_destroy(acceptor->loop);
	fd_close(&acceptor->estate_fd);
	guard_end(&acceptor->guard);
	logbuffer_flush();
}

int acceptor_run(const struct options *options)
{
	struct acceptor acceptor = {
		.control = CHANNEL_INIT, .reserve_fds = { -1, -1, -1 }, .zone = { .n = 1 },
		.guard = GUARD_INIT, .estate_fd = -1, .heir.in.fd = -1,
	};
	guard_start(&acceptor.guard);
	logbuffer_open(STDERR_FILENO);
	acceptor.exit_status = start(&acceptor, options);
	if (acceptor.exit_status < 0)
		ev_run(acceptor.loop, 0);
	finish(&acceptor);
	return acceptor.exit_status;
}
