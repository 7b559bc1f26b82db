#include "config/list.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int text_list_take(struct text_list *list, char *item)
{
	/* Grows when with its NULL it fills a power of two, and needs no field for its room. */
	size_t n_used = list->n + 1;
	bool is_full = (n_used & (n_used - 1)) == 0;
	if (item && is_full) {
		char **items = realloc(list->items, n_used * 2 * sizeof *items);
		if (!items) {
			free(item);
			return -ENOMEM;
		}
		list->items = items;
	}
	if (!item)
		return -ENOMEM;
	list->items[list->n++] = item;
	list->items[list->n] = NULL;
	return 0;
}

int text_list_copy(struct text_list *ret_list, const char *const *items, size_t n)
{
	*ret_list = (struct text_list){ 0 };
	for (size_t i = 0; i < n; i++)
		if (text_list_take(ret_list, strdup(items[i])) < 0) {
			text_list_fini(ret_list);
			return -ENOMEM;
		}
	return 0;
}

bool text_list_equal(const struct text_list *a, const struct text_list *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (strcmp(a->items[i], b->items[i]))
			return false;
	return true;
}

void text_list_fini(struct text_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		free(list->items[i]);
	free(list->items);
	*list = (struct text_list){ 0 };
}
