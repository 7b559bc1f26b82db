/* Completion in the words of zsh. */
#include "completion/completion.h"

#include <string.h>

#include "ctl/options.h"
#include "ctl/table.h"

/* Within single quotes and square brackets; of several lines the first. */
static void print_help(FILE *out, const char *text)
{
	for (; *text && *text != '\n'; text++) {
		if (*text == '\'')
			fputs("'\\''", out);
		else if (*text == '[' || *text == ']' || *text == ':')
			fprintf(out, "\\%c", *text);
		else
			fputc(*text, out);
	}
}

static void print_argument(FILE *out, size_t id, const struct verb *verb)
{
	const struct ctl_option *option = &ctl_options[id];
	if (!option->argument)
		return;
	fprintf(out, ":%s:", option->argument);
	if (id == OPTION_SOCKET) {
		fputs("_files", out);
	} else if (id == OPTION_STATE) {
		fputc('(', out);
		completion_print_states(out);
		fputc(')', out);
	} else if ((id == OPTION_COLUMNS || id == OPTION_SORT) && verb && verb->table) {
		fputc('(', out);
		table_print_names(out, verb->table);
		fputc(')', out);
	}
}

static void print_options(FILE *out, const struct verb *verb)
{
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		if (verb ? !option_fits(&ctl_options[i], verb) : ctl_options[i].of_verbs != 0)
			continue;
		fprintf(out, " '--%s%s[", ctl_options[i].name, ctl_options[i].argument ? "=" : "");
		print_help(out, ctl_options[i].help);
		fputc(']', out);
		print_argument(out, i, verb);
		fputc('\'', out);
	}
}

void completion_zsh(FILE *out, const struct option *daemon_options)
{
	fputs("#compdef fdsupctl fdsup\n"
	      "# made by the build from the tables of the programs\n\n"
	      "_fdsupctl_services() {\n"
	      "	local -a services\n"
	      "	services=(${(f)\"$(_call_program services fdsupctl ${opt_args[--socket]:+-s "
	      "${opt_args[--socket]}} status -o service 2>/dev/null | tail -n +2)\"})\n"
	      "	_describe service services\n"
	      "}\n\n"
	      "_fdsupctl_verbs() {\n	local -a verbs\n	verbs=(\n",
		out);
	for (size_t i = 0; i < verbs_n; i++) {
		fprintf(out, "		'%s:", verbs[i].name);
		print_help(out, verbs[i].help);
		fputs("'\n", out);
	}
	fputs("	)\n	_describe verb verbs\n}\n\n"
	      "_fdsupctl() {\n	local curcontext=$curcontext state line\n	typeset -A opt_args\n"
	      "	_arguments -C",
		out);
	print_options(out, NULL);
	fputs(" '1:verb:_fdsupctl_verbs' '*::argument:->arguments' && return\n"
	      "	[[ $state == arguments ]] || return\n	case $line[1] in\n",
		out);
	for (size_t i = 0; i < verbs_n; i++) {
		fprintf(out, "	%s) _arguments", verbs[i].name);
		print_options(out, &verbs[i]);
		if (verbs[i].takes & VERB_TAKES_NAMES)
			fputs(" '*:service:_fdsupctl_services'", out);
		fputs(" ;;\n", out);
	}
	fputs("	esac\n}\n\n_fdsup() {\n	_arguments", out);
	for (; daemon_options->name; daemon_options++)
		fprintf(out, " '--%s%s'", daemon_options->name,
			daemon_options->has_arg ? "=:file:_files" : "");
	fputs("\n}\n\ncase $service in\nfdsup) _fdsup \"$@\" ;;\n*) _fdsupctl \"$@\" ;;\nesac\n", out);
}
