#include "keeper/keeper.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "keeper/deposit.h"
#include "keeper/relief.h"
#include "wire/descriptor.h"

/* How long who takes over may take to read. */
enum { PATIENCE_MS = 5000 };

struct keeper {
	struct deposit deposit;
	int control_fd; /* of the supervisor, or who is about to become it; -1: nobody */
	int listen_fd;
	bool is_taken;  /* control_fd has not committed yet: if it goes, what was in force stays */
	bool is_over;
	bool has_failed; /* what is kept would not be true: then there is another sooner */
};

/* ---- speaking ---------------------------------------------------------------------------------- */

static int send_message(int fd, const void *message, size_t size, const int fds[], size_t n_fds)
{
	uint64_t end_ms = clock_now_ms() + PATIENCE_MS;
	int r;
	while ((r = descriptor_send(fd, message, size, fds, n_fds)) == -EAGAIN ||
		r == -ETOOMANYREFS) {
		struct pollfd room = { .fd = fd, .events = POLLOUT };
		if (clock_now_ms() >= end_ms)
			return -ETIMEDOUT;
		poll(&room, 1, 10);
	}
	return r;
}

static int tell(int fd, uint32_t kind, uint32_t number)
{
	const struct keeping_message message = {
		.kind = kind,
		.number = number,
		.pid = (uint32_t)getpid(),
	};
	return send_message(fd, &message, sizeof message, NULL, 0);
}

static int send_record(int fd, const struct record *record)
{
	static struct keeping_buffer buffer;
	size_t text_sent = 0, fds_sent = 0;
	int r;
	do {
		size_t length = record->length - text_sent, n_fds = record->n_fds - fds_sent;
		if (length > KEEPING_TEXT_MAX)
			length = KEEPING_TEXT_MAX;
		if (n_fds > KEEPING_FDS_MAX)
			n_fds = KEEPING_FDS_MAX;
		buffer.head = (struct keeping_message){
			.kind = KEEPING_PUT,
			.is_last = text_sent + length == record->length &&
				   fds_sent + n_fds == record->n_fds,
			.length = (uint32_t)length,
			.n_fds = (uint32_t)n_fds,
		};
		memcpy(buffer.head.key, record_key(record), strlen(record_key(record)) + 1);
		memcpy(buffer.text, record_text(record) + text_sent, length);
		r = send_message(fd, &buffer, sizeof buffer.head + length, record->fds + fds_sent,
			n_fds);
		text_sent += length;
		fds_sent += n_fds;
	} while (r == 0 && !buffer.head.is_last);
	return r;
}

static int send_next(void *context, const struct record *record)
{
	return send_record(*(const int *)context, record);
}

static int send_all(int fd, const struct deposit *deposit)
{
	int r = tell(fd, KEEPING_HERE, KEEPING_VERSION);
	if (r == 0)
		r = deposit_each(deposit, send_next, &fd);
	return r < 0 ? r : tell(fd, KEEPING_END, 0);
}

/* ---- listening --------------------------------------------------------------------------------- */

static void on_message(struct keeper *keeper, const struct keeping_buffer *message, const int fds[])
{
	const struct keeping_message *head = &message->head;
	switch (head->kind) {
	case KEEPING_PUT:
		if (deposit_put(&keeper->deposit, head, message->text, fds) < 0)
			keeper->has_failed = true; /* half of it is worse than nothing */
		break;
	case KEEPING_DROP:
		deposit_drop(&keeper->deposit, head->key);
		break;
	case KEEPING_SYNC:
		(void)tell(keeper->control_fd, KEEPING_SYNCED, head->number);
		break;
	case KEEPING_BEGIN:
		deposit_begin(&keeper->deposit);
		break;
	case KEEPING_COMMIT:
		deposit_commit(&keeper->deposit);
		keeper->is_taken = false;
		break;
	default: /* KEEPING_BYE */
		keeper->is_over = true;
	}
}

static bool is_whole(const struct keeping_buffer *buffer, const struct descriptor_message *message)
{
	return !message->is_cut && message->length >= sizeof buffer->head &&
	       message->length == sizeof buffer->head + buffer->head.length &&
	       message->n_fds == buffer->head.n_fds && !buffer->head.key[KEEPING_KEY_SIZE - 1];
}

static void on_gone(struct keeper *keeper)
{
	fd_close(&keeper->control_fd);
	deposit_cancel(&keeper->deposit);
	keeper->is_taken = false;
	keeper->is_over = deposit_is_empty(&keeper->deposit);
}

static void on_control(struct keeper *keeper)
{
	static struct keeping_buffer buffer;
	int fds[DESCRIPTOR_MAX];
	struct descriptor_message message = {
		.bytes = &buffer,
		.size = sizeof buffer,
		.fds = fds,
		.max_fds = DESCRIPTOR_MAX,
	};
	int r = descriptor_receive(keeper->control_fd, &message);
	if (r == -EAGAIN)
		return;
	if (r <= 0) {
		on_gone(keeper);
	} else if (is_whole(&buffer, &message)) {
		on_message(keeper, &buffer, fds);
		return;
	} else {
		keeper->has_failed = true; /* a descriptor was lost */
	}
	for (size_t i = 0; i < message.n_fds; i++)
		fd_close(&fds[i]);
}

/* The one way in: root, or whoever we run as, and only while nobody is there. */
static void on_taker(struct keeper *keeper)
{
	struct ucred peer;
	socklen_t size = sizeof peer;
	int buffer = 4 * 1024 * 1024;
	fd_auto int fd = accept4(keeper->listen_fd, NULL, NULL, SOCK_CLOEXEC);
	if (fd < 0 || keeper->control_fd >= 0 ||
		getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0 ||
		(peer.uid != 0 && peer.uid != geteuid()))
		return;
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof buffer);
	if (send_all(fd, &keeper->deposit) < 0)
		return;
	keeper->control_fd = fd_take(&fd);
	keeper->is_taken = true;
}

/* First whether the supervisor is there: the next one may be as quick as the news of the end. */
static void serve(struct keeper *keeper)
{
	struct pollfd polled[] = {
		{ .fd = keeper->control_fd, .events = POLLIN },
		{ .fd = keeper->listen_fd, .events = POLLIN },
	};
	int n = poll(polled, 2, keeper->control_fd < 0 ? RELIEF_EVERY_MS : -1);
	if (n > 0 && polled[0].revents) {
		on_control(keeper);
		return;
	}
	if (n > 0 && polled[1].revents)
		on_taker(keeper);
	if (keeper->control_fd < 0)
		relief_give(&keeper->deposit);
}

int keeper_run(int control_fd, int listen_fd)
{
	struct keeper keeper = { .control_fd = control_fd, .listen_fd = listen_fd };
	while (!keeper.is_over && !keeper.has_failed)
		serve(&keeper);
	deposit_clear(&keeper.deposit);
	fd_close(&keeper.control_fd);
	fd_close(&keeper.listen_fd);
	return keeper.has_failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
