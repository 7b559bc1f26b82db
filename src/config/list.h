/*
 * Lists of strings that own what they hold.
 */
#ifndef FDSUP_CONFIG_LIST_H
#define FDSUP_CONFIG_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "config/config.h"

/* Takes the string, which may be NULL (a failed strdup). 0 or -ENOMEM; then it is freed. */
int text_list_take(struct text_list *list, char *item);

/* Copies. 0 or -ENOMEM; then *ret_list is empty. */
int text_list_copy(struct text_list *ret_list, const char *const *items, size_t n);

bool text_list_equal(const struct text_list *a, const struct text_list *b);

void text_list_fini(struct text_list *list);

#endif
