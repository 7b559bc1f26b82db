/*
 * fdsup-acceptor: accepts connections and hands them to workers. Two ways to run it, chosen by the
 * command line: under fdsup, which commands it, or by hand for one worker socket.
 */
#include "acceptor/acceptor.h"
#include "acceptor/byhand.h"
#include "acceptor/options.h"

int main(int argc, char *argv[])
{
	struct options options;
	int status = options_parse(&options, argc, argv);
	if (status >= 0)
		return status;
	if (options.control_fd >= 0)
		return acceptor_run(&options);
	return byhand_run(&options);
}
