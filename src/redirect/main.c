/*
 * fdsup-redirect: forwards each connection that is handed to it to another address.
 *
 * A worker of its service like any other: it runs as the service's user, takes connections from the
 * queue and reports what becomes of them.
 */
#include <malloc.h>
#include <stdlib.h>

#include "redirect/redirect.h"

int main(int argc, char *argv[])
{
	struct options options;
	int status;
	if (!redirect_options_parse(&options, argc, argv, &status))
		return status;
	if (!arguments_apply(&options.common))
		return EXIT_FAILURE;
#ifdef M_ARENA_MAX
	mallopt(M_ARENA_MAX, 1); /* glibc: the thread that looks up names needs no heap of its own */
#endif
	int r = redirect_run(&options);
	if (r < 0)
		arguments_refuse_queue(&options.common, r);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
