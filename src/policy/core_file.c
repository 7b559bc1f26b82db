#include "policy/core_file.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

bool core_is_expected(int status)
{
	static const int signals[] = { SIGQUIT, SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV, SIGXCPU,
		SIGXFSZ, SIGSYS };
	for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
		if (WIFSIGNALED(status) && WTERMSIG(status) == signals[i])
			return true;
	return false;
}

/* The name of the process, of which the kernel keeps 15 bytes. */
static void write_name(FILE *out, const char *program)
{
	const char *slash = strrchr(program, '/');
	fprintf(out, "%.15s", slash ? slash + 1 : program);
}

/* core(5). */
static void expand(FILE *out, const struct core_facts *facts)
{
	bool has_pid = false;
	for (const char *p = facts->pattern; *p; p++) {
		if (*p != '%' || !p[1]) {
			fputc(*p, out);
			continue;
		}
		switch (*++p) {
		case '%':
			fputc('%', out);
			break;
		case 'p':
		case 'P':
			fprintf(out, "%d", facts->pid);
			has_pid = true;
			break;
		case 'u':
			fprintf(out, "%u", facts->uid);
			break;
		case 's':
			fprintf(out, "%d", WTERMSIG(facts->status));
			break;
		case 'e':
		case 'f':
			write_name(out, facts->program);
			break;
		default:
			fprintf(out, "%%%c", *p);
		}
	}
	if (facts->uses_pid && !has_pid)
		fprintf(out, ".%d", facts->pid);
}

static void say_where(FILE *out, const struct core_facts *facts)
{
	const char *pattern = facts->pattern;
	if (!pattern) {
		fputs("written", out);
	} else if (*pattern == '|') {
		const char *handler = pattern + 1 + strspn(pattern + 1, " ");
		fprintf(out, "given to %.*s", (int)strcspn(handler, " "), handler);
	} else {
		if (*pattern != '/')
			fprintf(out, "%s%s", facts->directory, strcmp(facts->directory, "/") ? "/" : "");
		expand(out, facts);
	}
}

static void say_why_none(FILE *out, const struct core_facts *facts)
{
	const char *pattern = facts->pattern;
	bool has_handler = pattern && *pattern == '|';
	if (pattern && !*pattern)
		fputs("none: kernel.core_pattern is empty", out);
	else if (facts->limit == 0 && !has_handler)
		fprintf(out, "none: RLIMIT_CORE is 0; raise %s", facts->limit_key);
	else if (has_handler)
		fputs("none: the handler in kernel.core_pattern did not take it", out);
	else
		fprintf(out,
			"none, though RLIMIT_CORE allows one: it cannot be written in %s, or the program "
			"changes its user or may not be read (fs.suid_dumpable)",
			pattern && *pattern == '/' ? "the folder of kernel.core_pattern" : facts->directory);
}

bool core_explain(char text[CORE_TEXT_SIZE], const struct core_facts *facts)
{
	bool is_there = WIFSIGNALED(facts->status) && WCOREDUMP(facts->status);
	text[0] = 0;
	if (!is_there && !core_is_expected(facts->status))
		return false;
	FILE *out = fmemopen(text, CORE_TEXT_SIZE, "w");
	if (!out)
		return is_there;
	if (is_there)
		say_where(out, facts);
	else
		say_why_none(out, facts);
	fclose(out);
	text[CORE_TEXT_SIZE - 1] = 0;
	return is_there;
}
