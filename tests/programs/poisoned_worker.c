/*
 * A worker that a client can kill: it answers each connection with its process, unless the file that
 * it is told of exists. Then it dies with the connection that it has taken and not touched.
 */
#include <fdsup/worker.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

static void serve(struct fdsup_channel *channel, const struct fdsup_connection *connection, int fd)
{
	struct fdsup_result result = { .bytes_out = 0 };
	fdsup_taken(channel, connection);
	dprintf(fd, "%d\n", getpid());
	close(fd);
	fdsup_finished(channel, connection, &result);
}

int main(int argc, char *argv[])
{
	struct fdsup_channel *channel;
	struct fdsup_connection connection;
	int fd;
	if (argc != 2 || fdsup_open(&channel) < 0)
		return 2;
	while ((fd = fdsup_wait(channel, &connection, -1)) >= 0) {
		if (access(argv[1], F_OK) == 0)
			raise(SIGKILL);
		serve(channel, &connection, fd);
	}
	fdsup_close(channel);
	return 0;
}
