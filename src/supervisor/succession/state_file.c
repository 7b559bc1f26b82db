/*
 * The state as a file in memory. Its lengths and its sum are checked before anything is believed:
 * half a state would be worse than none.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "supervisor/succession/state.h"

struct file_head {
	char magic[8];
	uint32_t n_records;
	uint32_t reserved;
	uint64_t size; /* of all behind the head */
	uint64_t sum;  /* over that */
};

/* Then the numbers of the descriptors, the text, and the bytes. */
struct record_head {
	char key[STATE_KEY_SIZE];
	uint32_t n_fds;
	uint32_t length;
	uint64_t n_bytes;
};

static const char magic[8] = "fdsupS2";

/* ---- writing --------------------------------------------------------------------------------- */

struct bytes {
	char *items;
	size_t n;
	size_t size;
};

static int append(struct bytes *bytes, const void *what, size_t n)
{
	if (bytes->n + n > bytes->size) {
		size_t size = bytes->n + n + bytes->size + 4096;
		char *items = realloc(bytes->items, size);
		if (!items)
			return -ENOMEM;
		bytes->items = items;
		bytes->size = size;
	}
	if (n)
		memcpy(bytes->items + bytes->n, what, n);
	bytes->n += n;
	return 0;
}

static int append_text(const char *text, size_t length, void *context)
{
	return append(context, text, length);
}

static int append_record(struct bytes *bytes, const struct state_record *record)
{
	struct record_head head = {
		.n_fds = (uint32_t)record->fds.n,
		.n_bytes = record->fds.n_bytes,
	};
	memcpy(head.key, record->key, sizeof head.key);
	size_t at = bytes->n;
	if (append(bytes, &head, sizeof head) < 0 ||
		append(bytes, record->fds.items, record->fds.n * sizeof(int)) < 0)
		return -ENOMEM;
	size_t before = bytes->n;
	if (json_dump_callback(record->json, append_text, bytes, JSON_COMPACT) < 0)
		return -ENOMEM;
	head.length = (uint32_t)(bytes->n - before);
	memcpy(bytes->items + at, &head, sizeof head);
	return append(bytes, record->fds.bytes, record->fds.n_bytes);
}

/* Eight bytes a step: there may be megabytes of them, and both programs stand still meanwhile. */
static uint64_t sum_of(const char *bytes, size_t n)
{
	uint64_t sum = UINT64_C(14695981039346656037), word;
	for (; n >= sizeof word; bytes += sizeof word, n -= sizeof word) {
		memcpy(&word, bytes, sizeof word);
		sum = (sum ^ word) * UINT64_C(1099511628211);
		sum ^= sum >> 32;
	}
	for (; n; bytes++, n--)
		sum = (sum ^ (unsigned char)*bytes) * UINT64_C(1099511628211);
	return sum;
}

int state_write(const struct state *state)
{
	struct bytes bytes = { 0 };
	struct file_head head = { .n_records = (uint32_t)state->n };
	int r = append(&bytes, &head, sizeof head);
	for (size_t i = 0; i < state->n && r == 0; i++)
		r = append_record(&bytes, &state->records[i]);
	fd_auto int fd = r == 0 ? memfd_create("fdsup-state", MFD_CLOEXEC) : -1;
	if (r == 0 && fd < 0)
		r = -errno;
	if (r == 0) {
		memcpy(head.magic, magic, sizeof magic);
		head.size = bytes.n - sizeof head;
		head.sum = sum_of(bytes.items + sizeof head, bytes.n - sizeof head);
		memcpy(bytes.items, &head, sizeof head);
		r = fd_write_all(fd, bytes.items, bytes.n);
		if (r == 0 && lseek(fd, 0, SEEK_SET) < 0)
			r = -errno;
	}
	free(bytes.items);
	return r < 0 ? r : fd_take(&fd);
}

/* ---- reading --------------------------------------------------------------------------------- */

static int refuse(char error[STATE_ERROR_SIZE], const char *what)
{
	snprintf(error, STATE_ERROR_SIZE, "the state cannot be read: %s", what);
	return -EINVAL;
}

static int read_record(
	struct state *state, const char **at, const char *end, char error[STATE_ERROR_SIZE])
{
	struct record_head head;
	if ((size_t)(end - *at) < sizeof head)
		return refuse(error, "a record is cut short");
	memcpy(&head, *at, sizeof head);
	*at += sizeof head;
	size_t left = (size_t)(end - *at), n_items = head.n_fds * sizeof(int);
	if (head.key[STATE_KEY_SIZE - 1] || head.n_fds > left / sizeof(int) ||
		head.length > left - n_items || head.n_bytes > left - n_items - head.length)
		return refuse(error, "a record is longer than the file");
	struct state_fds fds = {
		.items = malloc(n_items + 1),
		.n = head.n_fds,
		.bytes = head.n_bytes ? malloc(head.n_bytes) : NULL,
		.n_bytes = head.n_bytes,
		.n_bytes_max = head.n_bytes,
	};
	if (!fds.items || (head.n_bytes && !fds.bytes)) {
		free(fds.items);
		free(fds.bytes);
		return -ENOMEM;
	}
	memcpy(fds.items, *at, head.n_fds * sizeof(int));
	*at += head.n_fds * sizeof(int);
	json_error_t reason;
	json_t *json = json_loadb(*at, head.length, 0, &reason);
	*at += head.length;
	if (head.n_bytes)
		memcpy(fds.bytes, *at, head.n_bytes);
	*at += head.n_bytes;
	if (!json) {
		free(fds.items);
		free(fds.bytes);
		return refuse(error, "a record is no JSON");
	}
	return state_add(state, head.key, json, &fds);
}

static int read_records(const char *bytes, size_t size, struct state *state,
	char error[STATE_ERROR_SIZE])
{
	struct file_head head;
	memcpy(&head, bytes, sizeof head);
	if (memcmp(head.magic, magic, sizeof magic))
		return refuse(error, "it is not one of fdsup");
	if (head.size != size - sizeof head)
		return refuse(error, "its length is not what it says");
	if (head.sum != sum_of(bytes + sizeof head, size - sizeof head))
		return refuse(error, "its sum is wrong");
	const char *at = bytes + sizeof head;
	int r = 0;
	for (uint32_t i = 0; i < head.n_records && r == 0; i++)
		r = read_record(state, &at, bytes + size, error);
	return r;
}

int state_read(int fd, struct state *ret_state, char error[STATE_ERROR_SIZE])
{
	struct stat status;
	*ret_state = (struct state){ 0 };
	if (fstat(fd, &status) < 0 || (size_t)status.st_size < sizeof(struct file_head))
		return refuse(error, "there is none");
	size_t size = (size_t)status.st_size;
	char *bytes = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (bytes == MAP_FAILED)
		return refuse(error, strerror(errno));
	int r = read_records(bytes, size, ret_state, error);
	munmap(bytes, size);
	if (r == -ENOMEM)
		refuse(error, "out of memory");
	if (r < 0)
		state_free(ret_state);
	return r;
}
