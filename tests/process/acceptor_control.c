/* How a real acceptor obeys its supervisor, and what it does when the supervisor talks nonsense. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "support/acceptor_rig.h"
#include "wire/descriptor.h"

static struct rig rig;

static void setup(void)
{
	rig_start(&rig);
}

static void teardown(void)
{
	rig_stop(&rig);
}

TestSuite(acceptor_control, .init = setup, .fini = teardown, .timeout = 60);

static uint16_t serve(uint32_t row)
{
	struct control_service settings = rig_settings(row);
	return rig_serve(&rig, &settings);
}

static void send_listener(enum control_kind kind, uint32_t row, uint32_t id, int fd)
{
	struct control_listener message = { .kind = kind, .service = row, .listener = id };
	rig_send(&rig, &message, sizeof message, fd);
}

static void expect_nonsense(const char *what)
{
	cr_expect_eq(rig_wait_end(&rig), EX_SOFTWARE, "%s", what);
	cr_expect(strstr(rig.log, "makes no sense"), "%s: %s", what, rig.log);
}

Test(acceptor_control, ends_when_the_supervisor_does)
{
	serve(1);
	shutdown(rig.control, SHUT_RDWR);
	cr_expect_eq(rig_wait_end(&rig), 0);
}

Test(acceptor_control, pauses_and_resumes)
{
	struct handoff record;
	uint16_t port = serve(1);
	rig_send_number(&rig, CONTROL_PAUSE, 1);
	rig_sync(&rig);
	cr_expect_eq(rig_score(&rig, 1, paused), SCORE_PAUSED_ADMIN);
	cr_expect_neq(rig_score(&rig, 1, paused_ns), 0);
	int client = rig_connect(port, NULL);
	rig_sync(&rig);
	cr_expect(rig_queue_is_empty(&rig, 1));
	rig_send_number(&rig, CONTROL_RESUME, 1);
	close(rig_take(&rig, 1, &record));
	close(client);
}

Test(acceptor_control, closes_a_listener_without_touching_connections)
{
	struct handoff record;
	uint16_t port = serve(1);
	int client = rig_connect(port, NULL);
	rig_wait_score(&rig, 1, handed, 1u);
	send_listener(CONTROL_LISTENER_CLOSE, 1, 1001, -1);
	rig_sync(&rig);
	int late = rig_connect(port, NULL); /* the rig's copy still listens */
	rig_sync(&rig);
	close(rig_take(&rig, 1, &record));
	cr_expect(rig_queue_is_empty(&rig, 1));
	cr_expect_eq(rig_score(&rig, 1, live), 1);
	close(client);
	close(late);
}

Test(acceptor_control, refuses_visibly_what_it_holds_of_a_forgotten_service)
{
	struct handoff record;
	struct control_service settings = rig_settings(1);
	settings.max_per_source = 1;
	uint16_t port = rig_serve(&rig, &settings);
	int one = rig_connect(port, NULL), two = rig_connect(port, NULL);
	int connection = rig_take(&rig, 1, &record);
	rig_wait_score(&rig, 1, held, 1u);
	send_listener(CONTROL_LISTENER_CLOSE, 1, 1001, -1);
	rig_send_number(&rig, CONTROL_FORGET, 1);
	cr_expect_eq(rig_client_end(two), 0);
	rig_sync(&rig);
	cr_expect_eq(rig_score(&rig, 1, refused), 1);
	cr_expect_eq(rig_score(&rig, 1, live), 0);
	cr_expect(strstr(rig_wait_log(&rig, "REFUSED"), "reason=stopped"));
	close(connection);
	close(one);
	close(two);
}

Test(acceptor_control, takes_a_row_again_after_it_was_forgotten)
{
	struct handoff record;
	serve(1);
	rig_send_number(&rig, CONTROL_FORGET, 1);
	rig_sync(&rig);
	for (int i = 0; i < 2; i++)
		close(rig.services[1].queue[i]);
	close(rig.services[1].listener);
	scoreboard_clear(rig.board, 1);
	int client = rig_connect(serve(1), NULL);
	close(rig_take(&rig, 1, &record));
	close(client);
}

Test(acceptor_control, passes_on_what_it_holds_when_the_supervisor_dies)
{
	struct handoff record;
	struct control_service settings = rig_settings(1);
	settings.max_per_source = 1;
	uint16_t port = rig_serve(&rig, &settings);
	int one = rig_connect(port, NULL), two = rig_connect(port, NULL);
	close(rig_take(&rig, 1, &record));
	rig_wait_score(&rig, 1, held, 1u);
	/* And whoever might have followed it: nobody reads what the acceptor would leave. */
	fd_close(&rig.estate[0]);
	fd_close(&rig.estate[1]);
	shutdown(rig.control, SHUT_RDWR);
	cr_expect_eq(rig_wait_end(&rig), 0);
	close(rig_take(&rig, 1, &record));
	cr_expect_eq(rig_score(&rig, 1, held), 0);
	cr_expect_eq(rig_score(&rig, 1, live), 2);
	close(one);
	close(two);
}

static void send_empty_name(void)
{
	struct control_service settings = rig_settings(3);
	memset(settings.name, 'x', sizeof settings.name);
	rig_send(&rig, &settings, sizeof settings, rig.services[1].queue[0]);
}

static void send_service_without_queue(void)
{
	struct control_service settings = rig_settings(3);
	settings.has_queue = 1;
	rig_send(&rig, &settings, sizeof settings, -1);
}

/* The service has one. */
static void send_unwanted_queue(void)
{
	struct control_number message = { CONTROL_QUEUE, 1 };
	rig_send(&rig, &message, sizeof message, rig.services[1].queue[0]);
}

static void send_second_queue(void)
{
	struct control_service settings = rig_settings(1);
	rig_send(&rig, &settings, sizeof settings, rig.services[1].queue[0]);
}

static void send_row_outside(void)
{
	struct control_service settings = rig_settings(SCOREBOARD_SLOTS);
	rig_send(&rig, &settings, sizeof settings, rig.services[1].queue[0]);
}

static void send_unknown_service(void)
{
	send_listener(CONTROL_LISTENER, 7, 1, rig.services[1].listener);
}

static void send_duplicate_listener(void)
{
	send_listener(CONTROL_LISTENER, 1, 1001, rig.services[1].listener);
}

static void send_socket_that_does_not_listen(void)
{
	send_listener(CONTROL_LISTENER, 1, 5, rig.services[1].queue[0]);
}

static void send_unknown_listener(void)
{
	send_listener(CONTROL_LISTENER_CLOSE, 1, 5, -1);
}

static void send_unwanted_descriptor(void)
{
	struct control_number message = { .kind = CONTROL_SYNC, .number = 1 };
	rig_send(&rig, &message, sizeof message, rig.services[1].queue[0]);
}

static void send_short_message(void)
{
	struct control_service settings = rig_settings(1);
	rig_send(&rig, &settings, sizeof settings - 1, -1);
}

static void send_tiny_message(void)
{
	rig_send(&rig, "x", 1, -1);
}

static void send_long_message(void)
{
	char bytes[4096] = { CONTROL_SYNC };
	rig_send(&rig, bytes, sizeof bytes, -1);
}

static void send_own_kind(void)
{
	rig_send_number(&rig, CONTROL_READY, 1);
}

static void send_unknown_kind(void)
{
	rig_send_number(&rig, (enum control_kind)4711, 1);
}

Test(acceptor_control, ends_at_nonsense_with_a_status_that_says_so)
{
	static const struct {
		const char *name;
		void (*send)(void);
	} kinds[] = {
		{ "name without end", send_empty_name },
		{ "service without queue", send_service_without_queue },
		{ "second queue", send_second_queue },
		{ "unwanted queue", send_unwanted_queue },
		{ "row outside", send_row_outside },
		{ "unknown service", send_unknown_service },
		{ "duplicate listener", send_duplicate_listener },
		{ "not listening", send_socket_that_does_not_listen },
		{ "unknown listener", send_unknown_listener },
		{ "unwanted descriptor", send_unwanted_descriptor },
		{ "short message", send_short_message },
		{ "tiny message", send_tiny_message },
		{ "long message", send_long_message },
		{ "own kind", send_own_kind },
		{ "unknown kind", send_unknown_kind },
	};
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		serve(1);
		kinds[i].send();
		expect_nonsense(kinds[i].name);
		rig_stop(&rig);
		rig_start(&rig);
	}
}

/* CPU time of the acceptor in milliseconds. */
static unsigned long cpu_ms(void)
{
	char path[64], text[1024];
	unsigned long user = 0, system = 0;
	snprintf(path, sizeof path, "/proc/%d/stat", rig.pid);
	FILE *file = fopen(path, "r");
	cr_assert(file && fgets(text, sizeof text, file));
	fclose(file);
	cr_assert_eq(
		sscanf(strrchr(text, ')'), ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu",
			&user, &system),
		2);
	return (user + system) * 1000 / (unsigned long)sysconf(_SC_CLK_TCK);
}

Test(acceptor_control, rests_without_descriptors_and_recovers_by_itself)
{
	struct handoff record;
	uint16_t port = serve(1);
	struct rlimit limit = { 3, 4096 };
	cr_assert_eq(prlimit(rig.pid, RLIMIT_NOFILE, &limit, NULL), 0);
	int client = rig_connect(port, NULL);
	const char *line = rig_wait_log(&rig, "no descriptor is left");
	cr_expect(strstr(line, "raise the limit"), "%s", line);
	rig_wait_score(&rig, 1, paused, (unsigned)SCORE_PAUSED_DESCRIPTORS);
	unsigned long before_ms = cpu_ms();
	uint64_t begin_ns = clock_now_ns();
	while (clock_now_ns() - begin_ns < UINT64_C(1500000000)) {
		rig_sync(&rig);
		usleep(100000);
	}
	cr_expect_leq(cpu_ms() - before_ms, 200, "it spins");
	limit.rlim_cur = 1024;
	cr_assert_eq(prlimit(rig.pid, RLIMIT_NOFILE, &limit, NULL), 0);
	close(rig_take(&rig, 1, &record));
	rig_wait_score(&rig, 1, paused, 0u);
	close(client);
}

Test(acceptor_control, a_service_may_bring_its_first_listener_along)
{
	uint16_t port;
	int queue[2];
	struct handoff record;
	struct control_service settings = rig_settings(2);
	int listener = rig_listen("127.0.0.1", &port);
	settings.listener = 77;
	settings.has_queue = 1;
	cr_assert_eq(handoff_queue_open(settings.queue_depth, queue), 0);
	const int fds[CONTROL_FDS_MAX] = { queue[0], listener };
	cr_assert_eq(descriptor_send(rig.control, &settings, sizeof settings, fds, 2), 0);
	int client = rig_connect(port, NULL), connection;
	struct pollfd polled = { .fd = queue[1], .events = POLLIN };
	cr_assert_eq(poll(&polled, 1, RIG_PATIENCE_MS), 1);
	cr_assert_eq(handoff_receive(queue[1], &record, &connection), 1);
	struct control_listener close_it = { CONTROL_LISTENER_CLOSE, 2, 77 };
	cr_assert_eq(descriptor_send(rig.control, &close_it, sizeof close_it, NULL, 0), 0);
	rig_sync(&rig);
	close(connection), close(client), close(listener), close(queue[0]), close(queue[1]);
}

static void await_message(int fd, short events)
{
	struct pollfd polled = { .fd = fd, .events = events };
	cr_assert_eq(poll(&polled, 1, RIG_PATIENCE_MS), 1);
}

/* Without rig_sync, which would read what it asks. */
static void await_pause(uint32_t row, uint32_t paused)
{
	for (int ms = 0; ms < RIG_PATIENCE_MS && rig_score(&rig, row, paused) != paused; ms++)
		usleep(1000);
	cr_expect_eq(rig_score(&rig, row, paused), paused);
}

Test(acceptor_control, asks_for_a_queue_when_the_first_client_comes)
{
	uint16_t port;
	int queue[2], connection;
	struct handoff record;
	union control_message asked;
	struct descriptor_message message = { .bytes = &asked, .size = sizeof asked };
	struct control_service settings = rig_settings(2);
	struct control_number queue_message = { CONTROL_QUEUE, 2 };
	int listener = rig_listen("127.0.0.1", &port);
	settings.listener = 77;
	cr_assert_eq(descriptor_send(rig.control, &settings, sizeof settings, &listener, 1), 0);
	rig_sync(&rig);
	int first = rig_connect(port, NULL), second = rig_connect(port, NULL);
	await_message(rig.control, POLLIN);
	cr_assert_eq(descriptor_receive(rig.control, &message), 1);
	cr_expect_eq(asked.kind, CONTROL_NEED_QUEUE);
	cr_expect_eq(asked.number.number, 2);
	await_pause(2, SCORE_PAUSED_NO_QUEUE);
	cr_assert_eq(handoff_queue_open(settings.queue_depth, queue), 0);
	cr_assert_eq(
		descriptor_send(rig.control, &queue_message, sizeof queue_message, &queue[0], 1), 0);
	for (int i = 0; i < 2; i++) {
		await_message(queue[1], POLLIN);
		cr_assert_eq(handoff_receive(queue[1], &record, &connection), 1);
		close(connection);
	}
	await_pause(2, 0);
	close(first), close(second), close(listener), close(queue[0]), close(queue[1]);
	/* It may have asked once more in between. */
	while (descriptor_receive(rig.control, &message) == 1)
		cr_expect_eq(asked.kind, CONTROL_NEED_QUEUE);
}

Test(acceptor_control, sleeps_when_there_is_nothing_to_do)
{
	serve(1);
	uint64_t alive_ns = score_get(rig.board->head.alive_ns);
	cr_expect_neq(alive_ns, 0);
	uint64_t begin_ns = clock_now_ns();
	while (clock_now_ns() - begin_ns < UINT64_C(1500000000))
		usleep(100000);
	uint64_t later_ns = score_get(rig.board->head.alive_ns);
	cr_expect_leq(later_ns - alive_ns, UINT64_C(100000000), "the loop turned without cause");
	rig_sync(&rig);
	/* It tells that it turned before it waits again, which may be after its answer. */
	for (int ms = 0; ms < RIG_PATIENCE_MS && score_get(rig.board->head.alive_ns) <= begin_ns; ms++)
		usleep(1000);
	cr_expect_gt(score_get(rig.board->head.alive_ns), begin_ns);
}
