/*
 * fdsup-relay: hands the connections of its service on to a worker that somebody else runs and that
 * listens on a Unix socket.
 *
 * A worker of its service like any other: it takes connections from the queue, which holds them as
 * long as the worker of others cannot be reached, and reports what becomes of them.
 */
#include <stdlib.h>

#include "relay/relay.h"

int main(int argc, char *argv[])
{
	struct options options;
	int status;
	if (!relay_options_parse(&options, argc, argv, &status))
		return status;
	if (!arguments_apply(&options.common))
		return EXIT_FAILURE;
	int r = relay_run(&options);
	if (r < 0)
		arguments_refuse_queue(&options.common, r);
	return r == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
