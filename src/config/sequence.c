#include "config/sequence.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

enum { UNSEEN, ON_THE_WAY, DONE };

/* A walk from service to service, along the lists; `way` is how it came to where it is. */
struct walk {
	const struct config *config;
	struct problems *problems;
	unsigned char *marks; /* by the number of the service */
	size_t *way;
	size_t length;
};

bool sequence_names(const struct service_config *service, const char *other)
{
	for (size_t i = 0; i < service->after.n; i++)
		if (!strcmp(service->after.items[i], other))
			return true;
	return false;
}

static int compare_names(const void *key, const void *item)
{
	return strcmp(key, (*(struct service_config *const *)item)->name);
}

/* Its number, or -1. They are in the order of their names. */
static long find(const struct config *config, const char *name)
{
	struct service_config **found = bsearch(name, config->services, config->n_services,
		sizeof *config->services, compare_names);
	return found ? found - config->services : -1;
}

__attribute__((format(printf, 3, 4))) static void tell(
	struct walk *walk, const struct service_config *service, const char *format, ...)
{
	char path[256], text[512];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	snprintf(path, sizeof path, "services.%s.after", service->name);
	problem_add(walk->problems, service->file, service->written->after_line, path, "%s", text);
}

static void tell_unknown(struct walk *walk, const struct service_config *service, const char *name)
{
	const struct config *config = walk->config;
	const char **names = calloc(config->n_services, sizeof *names);
	char shown[QUOTE_SIZE];
	if (!names) {
		walk->problems->is_out_of_memory = true;
		return;
	}
	for (size_t i = 0; i < config->n_services; i++)
		names[i] = config->services[i]->name;
	const char *closest = text_closest(name, names, config->n_services);
	free(names);
	if (closest && strcmp(closest, service->name))
		tell(walk, service, "there is no service %s; did you mean \"%s\"?", quote(shown, name),
			closest);
	else
		tell(walk, service, "there is no service %s; declare it, or remove the name",
			quote(shown, name));
}

/* The circle is what was walked since `first`. */
static void tell_circle(struct walk *walk, size_t first)
{
	char text[256];
	size_t start = 0, used = 0;
	while (walk->way[start] != first)
		start++;
	for (size_t i = start; i < walk->length && used < sizeof text; i++)
		used += (size_t)snprintf(text + used, sizeof text - used, "%s, ",
			walk->config->services[walk->way[i]]->name);
	const struct service_config *last = walk->config->services[walk->way[walk->length - 1]];
	if (walk->length - start == 1)
		tell(walk, last, "a service cannot be started after itself; remove the name");
	else
		tell(walk, last, "each of these is to be started after the next: %.200s%s; remove one name",
			text, walk->config->services[first]->name);
}

static void follow(struct walk *walk, size_t number)
{
	const struct service_config *service = walk->config->services[number];
	walk->marks[number] = ON_THE_WAY;
	walk->way[walk->length++] = number;
	for (size_t i = 0; i < service->after.n; i++) {
		long next = find(walk->config, service->after.items[i]);
		if (next < 0)
			tell_unknown(walk, service, service->after.items[i]);
		else if (walk->marks[next] == ON_THE_WAY)
			tell_circle(walk, (size_t)next);
		else if (walk->marks[next] == UNSEEN)
			follow(walk, (size_t)next);
	}
	walk->length--;
	walk->marks[number] = DONE;
}

void sequence_check(const struct config *config, struct problems *problems)
{
	struct walk walk = {
		.config = config,
		.problems = problems,
		.marks = calloc(config->n_services + 1, sizeof *walk.marks),
		.way = calloc(config->n_services + 1, sizeof *walk.way),
	};
	if (!walk.marks || !walk.way)
		problems->is_out_of_memory = true;
	else
		for (size_t i = 0; i < config->n_services; i++)
			if (walk.marks[i] == UNSEEN)
				follow(&walk, i);
	free(walk.marks);
	free(walk.way);
}
