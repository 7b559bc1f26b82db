/* Completion in the words of bash. */
#include "completion/completion.h"

#include "ctl/options.h"
#include "ctl/table.h"

static void print_options(FILE *out, const struct verb *verb)
{
	for (size_t i = 0; i < OPTION_COUNT; i++)
		if (verb ? option_fits(&ctl_options[i], verb) : ctl_options[i].of_verbs == 0)
			fprintf(out, " --%s", ctl_options[i].name);
}

/* "case $verb in status) options=... ;; esac": what a verb takes. */
static void print_verbs(FILE *out)
{
	fputs("	case $verb in\n	'') words=\"", out);
	for (size_t i = 0; i < verbs_n; i++)
		fprintf(out, "%s%s", i ? " " : "", verbs[i].name);
	fputs("\" options=\"", out);
	print_options(out, NULL);
	fputs("\" ;;\n", out);
	for (size_t i = 0; i < verbs_n; i++) {
		const struct verb *verb = &verbs[i];
		fprintf(out, "	%s) options=\"", verb->name);
		print_options(out, verb);
		fputc('"', out);
		if (verb->table) {
			fputs(" columns=\"", out);
			table_print_names(out, verb->table);
			fputc('"', out);
		}
		if (verb->takes & VERB_TAKES_NAMES)
			fputs(" takes_services=1", out);
		fputs(" ;;\n", out);
	}
	fputs("	esac\n", out);
}

/* The words that take an argument, as a pattern: "-s|--socket|...". */
static void print_with_argument(FILE *out)
{
	const char *separator = "";
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		const struct ctl_option *option = &ctl_options[i];
		if (!option->argument)
			continue;
		fprintf(out, "%s--%s", separator, option->name);
		/* -n takes one with some verbs only; it is no name of a verb in any case. */
		if (option->letter && option->letter != 'n')
			fprintf(out, "|-%c", option->letter);
		separator = "|";
	}
}

static void print_daemon(FILE *out, const struct option *options)
{
	fputs("_fdsup() {\n"
	      "	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
	      "	case $prev in\n"
	      "	-c|--config|--pid-file) mapfile -t COMPREPLY < <(compgen -f -- \"$cur\") ;;\n"
	      "	*) mapfile -t COMPREPLY < <(compgen -W \"",
		out);
	for (; options->name; options++)
		fprintf(out, " --%s", options->name);
	fputs("\" -- \"$cur\") ;;\n	esac\n}\ncomplete -F _fdsup fdsup\n", out);
}

void completion_bash(FILE *out, const struct option *daemon_options)
{
	fputs("# bash completion for fdsup and fdsupctl: made by the build from their tables\n\n"
	      "_fdsupctl() {\n"
	      "	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
	      "	local verb='' words='' options='' columns='' takes_services='' i\n"
	      "	local -a socket=()\n"
	      "	for ((i = 1; i < COMP_CWORD; i++)); do\n"
	      "		case ${COMP_WORDS[i]} in\n"
	      "		-s|--socket) socket=(-s \"${COMP_WORDS[++i]}\") ;;\n"
	      "		",
		out);
	print_with_argument(out);
	fputs(") ((++i)) ;;\n"
	      "		-*) ;;\n"
	      "		*) [ -n \"$verb\" ] || verb=${COMP_WORDS[i]} ;;\n"
	      "		esac\n"
	      "	done\n",
		out);
	print_verbs(out);
	fputs("	case $prev in\n"
	      "	-s|--socket) mapfile -t COMPREPLY < <(compgen -f -- \"$cur\"); return ;;\n"
	      "	-o|--columns|--sort) words=$columns ;;\n"
	      "	--state) words=\"",
		out);
	completion_print_states(out);
	fputs("\" ;;\n"
	      "	-n|--lines|-i|--interval|--timeout|--worker) [ \"$verb\" = reload ] || return ;;\n"
	      "	*)\n"
	      "		if [[ $cur == -* ]]; then\n"
	      "			words=$options\n"
	      "		elif [ -n \"$takes_services\" ]; then\n"
	      "			words=$(fdsupctl \"${socket[@]}\" status -o service 2>/dev/null | tail -n +2)\n"
	      "		fi ;;\n"
	      "	esac\n"
	      "	mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n"
	      "}\n"
	      "complete -F _fdsupctl fdsupctl\n\n",
		out);
	print_daemon(out, daemon_options);
}
