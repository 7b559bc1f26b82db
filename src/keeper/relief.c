#include "keeper/relief.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "wire/descriptor.h"

enum { PIPE_HALF = 32 * 1024, NOTE_MAX = 4096 };

static bool is_read_end(int fd)
{
	struct stat status;
	return fstat(fd, &status) == 0 && S_ISFIFO(status.st_mode) &&
	       (fcntl(fd, F_GETFL) & (O_ACCMODE | O_NONBLOCK)) == (O_RDONLY | O_NONBLOCK);
}

static void relieve_pipe(int fd)
{
	static char dropped[PIPE_HALF];
	int n;
	if (ioctl(fd, FIONREAD, &n) == 0 && n >= PIPE_HALF)
		(void)!read(fd, dropped, sizeof dropped);
}

static bool is_notify_socket(int fd)
{
	return fd_socket_option(fd, SO_DOMAIN) == AF_UNIX && fd_socket_option(fd, SO_TYPE) == SOCK_DGRAM;
}

/* Ended by a NUL; returns that. With printf(3) this program would be larger by a third. */
static char *write_number(char *end, unsigned number)
{
	if (number >= 10)
		end = write_number(end, number / 10);
	*end++ = (char)('0' + number % 10);
	*end = 0;
	return end;
}

static void name_note(char key[KEEPING_KEY_SIZE], unsigned number)
{
	write_number(stpcpy(key, "note/"), number);
}

/* "note/N": the process id and what it said. The oldest goes where there are too many. */
static void keep_note(struct deposit *deposit, pid_t pid, const char *text, size_t length)
{
	static unsigned n_notes;
	struct keeping_message message = { .kind = KEEPING_PUT, .is_last = 1 };
	char note[NOTE_MAX + 32];
	char *said = stpcpy(write_number(note, (unsigned)pid), " ");
	memcpy(said, text, length);
	message.length = (uint32_t)((size_t)(said - note) + length);
	name_note(message.key, n_notes);
	(void)deposit_put(deposit, &message, note, NULL);
	name_note(message.key, n_notes++ - RELIEF_NOTES_MAX);
	deposit_drop(deposit, message.key);
}

static void relieve_socket(struct deposit *deposit, int fd)
{
	char text[NOTE_MAX];
	struct descriptor_message message = { .bytes = text, .size = sizeof text };
	while (descriptor_receive(fd, &message) == 1)
		if (message.sender.pid)
			keep_note(deposit, message.sender.pid, text, message.length);
}

static int relieve(void *context, const struct record *record)
{
	for (size_t i = 0; i < record->n_fds; i++) {
		if (is_read_end(record->fds[i]))
			relieve_pipe(record->fds[i]);
		else if (is_notify_socket(record->fds[i]))
			relieve_socket(context, record->fds[i]);
	}
	return 0;
}

void relief_give(struct deposit *deposit)
{
	deposit_each(deposit, relieve, deposit);
}
