/*
 * libconfig's tree: made from a text, and read into a draft by the table of keys.
 */
#ifndef FDSUP_CONFIG_SETTINGS_H
#define FDSUP_CONFIG_SETTINGS_H

#include <libconfig.h>

#include "config/draft.h"

/*
 * Parses a text that guard_check passed and that stands in the file behind line_offset lines.
 * *ret_tree is the caller's to config_destroy. 0, or -EINVAL after a problem was added.
 */
int settings_parse(const char *text, const char *file, unsigned line_offset,
	struct problems *problems, config_t *ret_tree);

/*
 * Reads each setting of the group into its field. What is unknown, misplaced, of a wrong type, out
 * of range or not supported becomes a problem.
 */
void settings_read(const config_setting_t *group, struct draft *draft);

/* Copies a setting that is one string or a list of strings. 0, -ENOMEM, or -EINVAL: it is neither.
 */
int settings_strings(const config_setting_t *setting, struct text_list *ret_strings);

#endif
