#include "ctl/options.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "ctl/complaint.h"
#include "ctl/exitcode.h"

const struct ctl_option ctl_options[OPTION_COUNT] = {
	[OPTION_SOCKET] = { "socket", 's', "SOCKET", 0,
		"the admin socket; else $FDSUP_SOCKET, else\n$XDG_RUNTIME_DIR/fdsup/admin.sock if it is "
		"there\n(not for root), else /run/fdsup/admin.sock" },
	[OPTION_JSON] = { "json", 'j', NULL, 0, "the answer as JSON" },
	[OPTION_COLUMNS] = { "columns", 'o', "COLUMN,...", VERB_TAKES_COLUMNS,
		"these columns in this order" },
	[OPTION_SORT] = { "sort", 0, "COLUMN", VERB_TAKES_COLUMNS,
		"by this column; -COLUMN: the largest first" },
	[OPTION_STATE] = { "state", 0, "STATE,...", VERB_TAKES_STATE, "only what is in such a state" },
	[OPTION_WORKER] = { "worker", 0, "PID", VERB_TAKES_WORKER, "only what is about this process" },
	[OPTION_SOURCE] = { "source", 0, "ADDRESS", VERB_TAKES_SOURCE,
		"only what comes from there; a network: 192.0.2.0/24" },
	[OPTION_ALL] = { "all", 'a', NULL, VERB_TAKES_ALL, "everything on one page" },
	[OPTION_VERBOSE] = { "verbose", 'v', NULL, VERB_TAKES_VERBOSE, "more" },
	[OPTION_DRY_RUN] = { "dry-run", 'n', NULL, VERB_TAKES_DRY_RUN, "change nothing" },
	[OPTION_NUMERIC] = { "numeric", 'n', NULL, VERB_TAKES_NUMERIC,
		"no names for addresses and ports; never are" },
	[OPTION_LINES] = { "lines", 'n', "LINES", VERB_TAKES_LINES, "so many of the last" },
	[OPTION_FOLLOW] = { "follow", 'f', NULL, VERB_TAKES_FOLLOW, "go on with what follows" },
	[OPTION_TIMEOUT] = { "timeout", 0, "DURATION", VERB_TAKES_TIMEOUT, "wait no longer" },
	[OPTION_INTERVAL] = { "interval", 'i', "DURATION", VERB_TAKES_INTERVAL, "how often; 1s" },
	[OPTION_HELP] = { "help", 'h', NULL, 0, "the verb help" },
	[OPTION_VERSION] = { "version", 'V', NULL, 0, "the verb version" },
};

enum { LONG_BASE = 256 };

bool option_fits(const struct ctl_option *option, const struct verb *verb)
{
	return option->of_verbs == 0 || (option->of_verbs & verb->takes);
}

/* The option that -n stands for; before the verb is known it is no more than a mark. */
static enum option_id meaning_of_n(const struct verb *verb)
{
	if (verb && verb->takes & VERB_TAKES_LINES)
		return OPTION_LINES;
	return verb && verb->takes & VERB_TAKES_NUMERIC ? OPTION_NUMERIC : OPTION_DRY_RUN;
}

/* For getopt_long(3): "+" ends at the first word that is no option. */
static void make_tables(const struct verb *verb, struct option longs[OPTION_COUNT + 1],
	char letters[2 * OPTION_COUNT + 2])
{
	char *end = letters;
	if (!verb)
		*end++ = '+';
	for (int i = 0; i < OPTION_COUNT; i++) {
		const struct ctl_option *option = &ctl_options[i];
		longs[i] = (struct option){ option->name,
			option->argument ? required_argument : no_argument, NULL, LONG_BASE + i };
		if (!option->letter || (option->letter == 'n' && (int)meaning_of_n(verb) != i))
			continue;
		*end++ = option->letter;
		if (option->argument)
			*end++ = ':';
	}
	longs[OPTION_COUNT] = (struct option){ 0 };
	*end = 0;
}

static int find_letter(int letter, const struct verb *verb)
{
	for (int i = 0; i < OPTION_COUNT; i++)
		if (ctl_options[i].letter == letter && (letter != 'n' || i == (int)meaning_of_n(verb)))
			return i;
	return -1;
}

static bool parse_number(const char *text, long least, long *ret)
{
	char *end;
	errno = 0;
	long number = strtol(text, &end, 10);
	if (errno || end == text || *end || number < least || number > INT_MAX)
		return false;
	*ret = number;
	return true;
}

/* Its bits, and what is odd about them, are for the daemon to judge. */
static bool is_address(const char *text)
{
	char address[INET6_ADDRSTRLEN + 1];
	struct in6_addr ignored;
	size_t n = strcspn(text, "/");
	if (n >= sizeof address)
		return false;
	memcpy(address, text, n);
	address[n] = 0;
	bool is_ipv4 = inet_pton(AF_INET, address, &ignored) == 1;
	if (!is_ipv4 && inet_pton(AF_INET6, address, &ignored) != 1)
		return false;
	long prefix;
	return !text[n] || (parse_number(text + n + 1, 0, &prefix) && prefix <= (is_ipv4 ? 32 : 128));
}

/* False: the argument is none; what it should be is in *ret_wanted. */
static bool take_value(
	struct ctl *ctl, enum option_id id, const char *argument, const char **ret_wanted)
{
	switch (id) {
	case OPTION_SOCKET:
		ctl->socket_option = argument;
		return true;
	case OPTION_COLUMNS:
		ctl->columns = argument;
		return true;
	case OPTION_SORT:
		ctl->sort = argument;
		return true;
	case OPTION_STATE:
		ctl->states = argument;
		return true;
	case OPTION_SOURCE:
		*ret_wanted = "an address, or a network such as 192.0.2.0/24";
		ctl->source = argument;
		return is_address(argument);
	case OPTION_WORKER:
		*ret_wanted = "the id of a process";
		return parse_number(argument, 1, &ctl->worker);
	case OPTION_LINES:
		*ret_wanted = "a number of lines";
		return parse_number(argument, 0, &ctl->n_lines);
	case OPTION_TIMEOUT:
		*ret_wanted = "a duration, such as 30s, 500ms or 2min";
		return text_parse_duration(argument, &ctl->timeout_ms) == 0;
	case OPTION_INTERVAL:
		*ret_wanted = "a duration, such as 2s or 500ms";
		return text_parse_duration(argument, &ctl->interval_ms) == 0;
	default:
		return true;
	}
}

/* Reads what getopt_long(3) finds. */
static int parse(int argc, char *argv[], const struct verb *verb, struct ctl *ctl)
{
	struct option longs[OPTION_COUNT + 1];
	char letters[2 * OPTION_COUNT + 2];
	make_tables(verb, longs, letters);
	optind = 0; /* a new beginning, for glibc */
	for (int found; (found = getopt_long(argc, argv, letters, longs, NULL)) != -1;) {
		int id = found >= LONG_BASE ? found - LONG_BASE : find_letter(found, verb);
		const char *wanted = NULL;
		if (found == '?' || id < 0) {
			fputs("`fdsupctl help` lists verbs and options\n", stderr);
			return CTL_USAGE;
		}
		if (!take_value(ctl, (enum option_id)id, optarg, &wanted)) {
			complain("--%s: \"%s\" is not %s", ctl_options[id].name, optarg, wanted);
			return CTL_USAGE;
		}
		ctl->given |= 1u << id;
	}
	return CTL_OK;
}

static int refuse_verb(const char *name, const char *closest)
{
	if (closest)
		complain("there is no verb \"%s\"; did you mean \"%s\"?", name, closest);
	else
		complain("there is no verb \"%s\"; `fdsupctl help` lists them", name);
	return CTL_USAGE;
}

int options_find_verb(
	int argc, char *argv[], struct ctl *ctl, const struct verb **ret_verb, int *ret_at)
{
	const char *closest = NULL, *name;
	if (parse(argc, argv, NULL, ctl) != CTL_OK)
		return CTL_USAGE;
	*ret_at = optind;
	name = is_given(ctl, OPTION_HELP)      ? "help"
	       : is_given(ctl, OPTION_VERSION) ? "version"
	       : optind < argc                 ? argv[optind]
					       : NULL;
	*ret_verb = name ? verb_find(name, &closest) : NULL;
	return name && !*ret_verb ? refuse_verb(name, closest) : CTL_OK;
}

int options_of_verb(int argc, char *argv[], const struct verb *verb, struct ctl *ctl)
{
	/* -n before the verb: now it is known what it meant, if that takes no number. */
	if (is_given(ctl, OPTION_DRY_RUN) && meaning_of_n(verb) == OPTION_NUMERIC)
		ctl->given ^= 1u << OPTION_DRY_RUN | 1u << OPTION_NUMERIC;
	int code = parse(argc, argv, verb, ctl);
	ctl->names = argv + optind;
	ctl->n_names = (size_t)(argc - optind);
	return code;
}
