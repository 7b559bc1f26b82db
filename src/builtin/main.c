/*
 * fdsup-builtin: echo, discard, chargen, daytime and time, as a worker of their services.
 */
#include "builtin/builtin.h"

#include <stdlib.h>

int main(int argc, char *argv[])
{
	struct options options;
	int status;
	if (!builtin_options_parse(&options, argc, argv, &status))
		return status;
	if (!arguments_apply(&options.common))
		return EXIT_FAILURE;
	return builtin_run(&options);
}
