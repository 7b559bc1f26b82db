#include "config/problems.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

char *quote(char result[QUOTE_SIZE], const char *text)
{
	result[0] = '"';
	size_t length = text_escape(result + 1, QUOTE_SIZE - 2, text, strlen(text));
	result[length + 1] = '"';
	result[length + 2] = 0;
	return result;
}

static void problem_fini(struct problem *problem)
{
	free(problem->file);
	free(problem->path);
	free(problem->text);
}

void problem_add(struct problems *problems, const char *file, unsigned line, const char *path,
	const char *format, ...)
{
	if (problems->n == PROBLEMS_MAX) {
		problems->n_dropped++;
		return;
	}
	if (!problems->items)
		problems->items = calloc(PROBLEMS_MAX, sizeof *problems->items);
	struct problem problem = { .line = line, .order = problems->n };
	va_list arguments;
	va_start(arguments, format);
	if (vasprintf(&problem.text, format, arguments) < 0)
		problem.text = NULL;
	va_end(arguments);
	problem.file = strdup(file);
	problem.path = strdup(path ? path : "");
	if (!problems->items || !problem.text || !problem.file || !problem.path) {
		problems->is_out_of_memory = true;
		problem_fini(&problem);
		return;
	}
	problems->items[problems->n++] = problem;
}

static int compare_problems(const void *a, const void *b, void *main_file)
{
	const struct problem *left = a, *right = b;
	int order = strcmp(left->file, right->file);
	if (order && main_file && !strcmp(left->file, main_file))
		return -1;
	if (order && main_file && !strcmp(right->file, main_file))
		return 1;
	if (order)
		return order;
	if (left->line != right->line)
		return left->line < right->line ? -1 : 1;
	return (left->order > right->order) - (left->order < right->order);
}

/* The first problem of a key is the one to act on; later ones may only follow from it. */
static bool is_said(const struct problem *problem, const struct problem *items, size_t n)
{
	for (size_t i = n; i > 0 && items[i - 1].line == problem->line; i--)
		if (!strcmp(items[i - 1].file, problem->file) &&
			!strcmp(items[i - 1].path, problem->path) &&
			(problem->path[0] || !strcmp(items[i - 1].text, problem->text)))
			return true;
	return false;
}

static char *problem_text(const struct problem *problem)
{
	char line[16] = "";
	char *text;
	const char *between = problem->path[0] ? ": " : "";
	if (problem->line)
		snprintf(line, sizeof line, "%u:", problem->line);
	if (asprintf(&text, "%s:%s %s%s%s", problem->file, line, problem->path, between,
		    problem->text) < 0)
		return NULL;
	return text;
}

static char *dropped_text(const struct problems *problems)
{
	char *text;
	if (asprintf(&text, "%s: and %zu errors more; mend these first", problems->main_file,
		    problems->n_dropped) < 0)
		return NULL;
	return text;
}

int problems_tell(struct problems *problems, struct config_errors *ret_errors)
{
	struct config_errors errors = { .items = calloc(problems->n + 1, sizeof(char *)) };
	bool is_short = problems->is_out_of_memory || !errors.items;
	if (problems->n > 0)
		qsort_r(problems->items, problems->n, sizeof *problems->items, compare_problems,
			(void *)problems->main_file);
	for (size_t i = 0; i < problems->n && errors.items; i++) {
		if (is_said(&problems->items[i], problems->items, i))
			continue;
		errors.items[errors.n] = problem_text(&problems->items[i]);
		if (errors.items[errors.n])
			errors.n++;
		else
			is_short = true;
	}
	if (problems->n_dropped && errors.items &&
		(errors.items[errors.n] = dropped_text(problems)))
		errors.n++;
	for (size_t i = 0; i < problems->n; i++)
		problem_fini(&problems->items[i]);
	free(problems->items);
	*problems = (struct problems){ 0 };
	*ret_errors = errors;
	return is_short ? -ENOMEM : 0;
}

void config_errors_free(struct config_errors *errors)
{
	for (size_t i = 0; i < errors->n; i++)
		free(errors->items[i]);
	free(errors->items);
	*errors = (struct config_errors){ 0 };
}
