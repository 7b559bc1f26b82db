#include "wire/confinement.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { N_PARTS = 4 };

struct part {
	const char *name;
	int32_t state;
};

static void list_parts(const struct confinement *confinement, struct part parts[N_PARTS])
{
	parts[0] = (struct part){ "seccomp", confinement->seccomp };
	parts[1] = (struct part){ "landlock", confinement->landlock };
	parts[2] = (struct part){ "no capabilities", confinement->capabilities };
	parts[3] = (struct part){ "no new privileges", confinement->no_new_privileges };
}

/* Four parts of bounded length: nothing is ever cut. */
static void append(char text[CONFINEMENT_TEXT_SIZE], const char *part)
{
	size_t used = strlen(text);
	snprintf(text + used, CONFINEMENT_TEXT_SIZE - used, "%s%s", used ? ", " : "", part);
}

char *confinement_format(char text[CONFINEMENT_TEXT_SIZE], const struct confinement *confinement)
{
	struct part parts[N_PARTS];
	char item[48];
	text[0] = 0;
	list_parts(confinement, parts);
	for (int i = 0; i < N_PARTS; i++) {
		if (parts[i].state <= 0)
			continue;
		bool is_landlock = !strcmp(parts[i].name, "landlock");
		if (is_landlock)
			snprintf(item, sizeof item, "landlock %d", (int)parts[i].state);
		append(text, is_landlock ? item : parts[i].name);
	}
	return text;
}

char *confinement_format_missing(
	char text[CONFINEMENT_TEXT_SIZE], const struct confinement *confinement)
{
	struct part parts[N_PARTS];
	char item[96];
	text[0] = 0;
	list_parts(confinement, parts);
	for (int i = 0; i < N_PARTS; i++) {
		if (parts[i].state > 0)
			continue;
		snprintf(item, sizeof item, "%s (%.64s)", parts[i].name,
			parts[i].state == CONFINEMENT_LEFT_OUT ? "left out for a debugging tool"
							       : strerror(-parts[i].state));
		append(text, item);
	}
	return text;
}
