/*
 * What a supervisor that died has left with its keeper: record after record is read, and put together.
 */
#include "supervisor/succession/keeper.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "supervisor/succession/keeper_parts.h"
#include "supervisor/succession/shorthand.h"
#include "supervisor/supervisor.h"
#include "wire/keeping.h"

enum { TAKE_MS = 5000, CONNECT_TRIES = 40, CONNECT_PAUSE_MS = 25 };

static int connect_keeper(const struct sockaddr_un *name)
{
	fd_auto int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (const struct sockaddr *)name, sizeof *name) < 0)
		return -errno;
	return fd_take(&fd);
}

/* 1: a message; 0: the end; -errno. */
static int receive_part(int socket, struct keeping_buffer *buffer, int *fds, size_t *ret_n_fds)
{
	struct pollfd polled = { .fd = socket, .events = POLLIN };
	struct descriptor_message message = {
		.bytes = buffer,
		.size = sizeof *buffer,
		.fds = fds,
		.max_fds = DESCRIPTOR_MAX,
	};
	if (poll(&polled, 1, TAKE_MS) <= 0)
		return -ETIMEDOUT;
	int r = descriptor_receive(socket, &message);
	*ret_n_fds = message.n_fds;
	bool is_wrong = r == 1 && (message.is_cut || message.length < sizeof buffer->head ||
					  message.length != sizeof buffer->head + buffer->head.length);
	for (size_t i = 0; is_wrong && i < message.n_fds; i++)
		fd_close(&fds[i]);
	if (is_wrong) /* where no descriptor is free the kernel leaves them out */
		return message.is_out_of_fds ? -EMFILE : -EBADMSG;
	return r;
}

/* A record that is being put together. */
struct parts {
	char *text;
	size_t length;
	struct state_fds fds;
};

static int add_part(struct parts *parts, const struct keeping_buffer *buffer, const int *fds, size_t n)
{
	char *text = realloc(parts->text, parts->length + buffer->head.length + 1);
	if (text)
		parts->text = text;
	int *all = realloc(parts->fds.items, (parts->fds.n + n + 1) * sizeof *all);
	if (all)
		parts->fds.items = all;
	if (!text || !all)
		return -ENOMEM;
	memcpy(text + parts->length, buffer->text, buffer->head.length);
	parts->length += buffer->head.length;
	for (size_t i = 0; i < n; i++)
		all[parts->fds.n++] = fds[i];
	return 0;
}

/* What a program has told of itself meanwhile: a text as it was. */
static json_t *read_note(const char *text, size_t length)
{
	json_t *json = json_stringn(text, length);
	return json ? json : json_string("");
}

static int read_text(const char *key, const struct parts *parts, json_t **ret_json)
{
	char *full;
	size_t length;
	if (!strncmp(key, "note/", 5)) {
		*ret_json = read_note(parts->text, parts->length);
		return *ret_json ? 0 : -ENOMEM;
	}
	int r = shorthand_read(parts->text, parts->length, &full, &length);
	if (r < 0)
		return r;
	*ret_json = json_loadb(full, length, 0, NULL);
	free(full);
	return *ret_json ? 0 : -EBADMSG;
}

static int end_record(struct state *state, struct parts *parts, const char *key)
{
	json_t *json;
	int r = read_text(key, parts, &json);
	if (r == 0)
		r = state_add(state, key, json, &parts->fds);
	free(parts->text);
	parts->text = NULL;
	parts->length = 0;
	return r;
}

static bool is_readable(uint32_t version)
{
	return version >= KEEPING_OLDEST && version <= KEEPING_VERSION;
}

/* 0, KEEPING_END when that was the last, or -errno. Takes the descriptors. */
static int on_part(struct keeper *keeper, struct state *state, struct parts *parts,
	const struct keeping_buffer *buffer, int fds[], size_t n_fds)
{
	const struct keeping_message *head = &buffer->head;
	int r = 0;
	switch (head->kind) {
	case KEEPING_HERE:
		keeper->child.pid = (pid_t)head->pid;
		return is_readable(head->number) ? 0 : -EPROTO;
	case KEEPING_PUT:
		r = add_part(parts, buffer, fds, n_fds);
		if (r < 0)
			break;
		return head->is_last ? end_record(state, parts, head->key) : 0;
	case KEEPING_END:
		return KEEPING_END;
	}
	for (size_t i = 0; i < n_fds; i++)
		fd_close(&fds[i]);
	return r;
}

static int receive_records(struct keeper *keeper, struct state *state)
{
	static struct keeping_buffer buffer;
	struct parts parts = { 0 };
	int fds[DESCRIPTOR_MAX], r, done = 0;
	size_t n_fds;
	while (done == 0 && (r = receive_part(keeper->channel.socket, &buffer, fds, &n_fds)) == 1)
		done = on_part(keeper, state, &parts, &buffer, fds, n_fds);
	for (size_t i = 0; i < parts.fds.n; i++)
		fd_close(&parts.fds.items[i]);
	free(parts.fds.items);
	free(parts.text);
	if (done)
		return done == KEEPING_END ? 0 : done;
	return r == 0 ? -ECONNRESET : r;
}

/* It learns of the death of its supervisor a moment after the lock is free. */
static int connect_until_served(struct keeper *keeper, struct state *state)
{
	struct sockaddr_un name;
	int r = -ECONNRESET;
	keeper_name_socket(keeper->supervisor, &name);
	for (int i = 0; i < CONNECT_TRIES && r == -ECONNRESET; i++) {
		int fd = connect_keeper(&name);
		if (fd < 0)
			return fd;
		channel_fini(&keeper->channel);
		channel_init(&keeper->channel, fd);
		r = receive_records(keeper, state);
		if (r == -ECONNRESET)
			poll(NULL, 0, CONNECT_PAUSE_MS);
	}
	return r;
}

/* The keeper has them in no order: services come in that of their beginning, and what was told, too. */
static int compare_keys(const void *a, const void *b)
{
	return strverscmp(((const struct state_record *)a)->key, ((const struct state_record *)b)->key);
}

int keeper_take_over(struct supervisor *supervisor, struct state *ret_state)
{
	struct keeper *keeper = keeper_make(supervisor);
	*ret_state = (struct state){ .owns_fds = true };
	supervisor->keeper = keeper;
	int r = keeper ? connect_until_served(keeper, ret_state) : -ENOMEM;
	if (r == 0 && ret_state->n == 0) { /* it died before it could deposit anything */
		keeper_end(supervisor);
		return 0;
	}
	if (r == 0) {
		qsort(ret_state->records, ret_state->n, sizeof *ret_state->records, compare_keys);
		keeper->child.is_adopted = true;
		keeper->child.pidfd = (int)syscall(SYS_pidfd_open, keeper->child.pid, 0);
		return 1;
	}
	state_free(ret_state);
	bool is_absent = r == -ENOENT || r == -ECONNREFUSED || r == -ENOTDIR;
	if (!is_absent)
		return r;
	channel_fini(&keeper->channel);
	free(keeper);
	supervisor->keeper = NULL;
	return 0;
}
