/*
 * fdsup-completion SHELL prints the completion for bash, zsh or fish. It runs at build time only.
 */
#include <stdio.h>
#include <string.h>

#include "completion/completion.h"
#include "policy/service_state.h"
#include "supervisor/options.h"

void completion_print_states(FILE *out)
{
	for (int state = 0; state < STATE_COUNT; state++)
		fprintf(out, "%s%s", state ? " " : "", service_state_name((enum service_state)state));
}

int main(int argc, char **argv)
{
	const char *shell = argc == 2 ? argv[1] : "";
	if (!strcmp(shell, "bash"))
		completion_bash(stdout, options_long);
	else if (!strcmp(shell, "zsh"))
		completion_zsh(stdout, options_long);
	else if (!strcmp(shell, "fish"))
		completion_fish(stdout, options_long);
	else
		return fputs("usage: fdsup-completion bash|zsh|fish\n", stderr), 64;
	return ferror(stdout) || fflush(stdout);
}
