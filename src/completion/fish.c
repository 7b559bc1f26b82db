/* Completion in the words of fish. */
#include "completion/completion.h"

#include "ctl/options.h"
#include "ctl/table.h"

/* Within single quotes; of several lines the first. */
static void print_help(FILE *out, const char *text)
{
	for (; *text && *text != '\n'; text++)
		fprintf(out, *text == '\'' || *text == '\\' ? "\\%c" : "%c", *text);
}

static void print_condition(FILE *out, const struct ctl_option *option)
{
	if (!option->of_verbs)
		return;
	fputs(" -n '__fish_seen_subcommand_from", out);
	for (size_t i = 0; i < verbs_n; i++)
		if (option_fits(option, &verbs[i]))
			fprintf(out, " %s", verbs[i].name);
	fputc('\'', out);
}

static void print_option(FILE *out, size_t id)
{
	const struct ctl_option *option = &ctl_options[id];
	fprintf(out, "complete -c fdsupctl -l %s", option->name);
	if (option->letter)
		fprintf(out, " -s %c", option->letter);
	print_condition(out, option);
	if (option->argument)
		fputs(id == OPTION_SOCKET ? " -r" : " -x", out);
	if (id == OPTION_STATE) {
		fputs(" -a '", out);
		completion_print_states(out);
		fputc('\'', out);
	}
	fputs(" -d '", out);
	print_help(out, option->help);
	fputs("'\n", out);
}

/* Which columns there are depends on the verb. */
static void print_columns(FILE *out, const struct verb *verb)
{
	static const char *const options[] = { "columns -s o", "sort" };
	for (size_t i = 0; verb->table && i < 2; i++) {
		fprintf(out, "complete -c fdsupctl -n '__fish_seen_subcommand_from %s' -x -l %s -a '",
			verb->name, options[i]);
		table_print_names(out, verb->table);
		fputs("'\n", out);
	}
}

static void print_verb(FILE *out, const struct verb *verb)
{
	fprintf(out, "complete -c fdsupctl -n __fish_use_subcommand -a %s -d '", verb->name);
	print_help(out, verb->help);
	fputs("'\n", out);
	if (verb->takes & VERB_TAKES_NAMES)
		fprintf(out,
			"complete -c fdsupctl -n '__fish_seen_subcommand_from %s' -a "
			"'(__fdsupctl_services)'\n",
			verb->name);
	print_columns(out, verb);
}

void completion_fish(FILE *out, const struct option *daemon_options)
{
	fputs("# fish completion for fdsup and fdsupctl: made by the build from their tables\n\n"
	      "function __fdsupctl_services\n"
	      "	fdsupctl status -o service 2>/dev/null | tail -n +2 | string trim\n"
	      "end\n\n"
	      "complete -c fdsupctl -f\n",
		out);
	for (size_t i = 0; i < OPTION_COUNT; i++)
		print_option(out, i);
	for (size_t i = 0; i < verbs_n; i++)
		print_verb(out, &verbs[i]);
	for (; daemon_options->name; daemon_options++)
		fprintf(out, "complete -c fdsup -l %s%s\n", daemon_options->name,
			daemon_options->has_arg ? " -r" : "");
}
