#include "worker/children.h"

#include <errno.h>
#include <stdlib.h>

enum { FIRST_BUCKETS = 16 };

static struct child **bucket_of(const struct children *children, pid_t pid)
{
	return &children->buckets[(size_t)pid & (children->n_buckets - 1)];
}

int children_init(struct children *children)
{
	*children = (struct children){ .n_buckets = FIRST_BUCKETS };
	children->buckets = calloc(FIRST_BUCKETS, sizeof *children->buckets);
	return children->buckets ? 0 : -ENOMEM;
}

void children_fini(struct children *children)
{
	for (size_t i = 0; i < children->n_buckets; i++) {
		while (children->buckets[i]) {
			struct child *child = children->buckets[i];
			children->buckets[i] = child->next_in_bucket;
			free(child);
		}
	}
	free(children->buckets);
	*children = (struct children){ 0 };
}

static void put(struct children *children, struct child *child)
{
	struct child **bucket = bucket_of(children, child->report.pid);
	child->next_in_bucket = *bucket;
	*bucket = child;
}

/* Without memory the chains just grow longer. */
static void grow(struct children *children)
{
	struct children larger = { .n_buckets = children->n_buckets * 2, .n = children->n };
	larger.buckets = calloc(larger.n_buckets, sizeof *larger.buckets);
	if (!larger.buckets)
		return;
	for (size_t i = 0; i < children->n_buckets; i++) {
		while (children->buckets[i]) {
			struct child *child = children->buckets[i];
			children->buckets[i] = child->next_in_bucket;
			put(&larger, child);
		}
	}
	free(children->buckets);
	*children = larger;
}

void children_add(struct children *children, struct child *child)
{
	if (children->n >= children->n_buckets)
		grow(children);
	put(children, child);
	children->n++;
}

struct child *children_take(struct children *children, pid_t pid)
{
	for (struct child **p = bucket_of(children, pid); *p; p = &(*p)->next_in_bucket) {
		struct child *child = *p;
		if (child->report.pid == pid) {
			*p = child->next_in_bucket;
			child->next_in_bucket = NULL;
			children->n--;
			return child;
		}
	}
	return NULL;
}

void children_each(
	const struct children *children, void (*visit)(struct child *child, void *data), void *data)
{
	for (size_t i = 0; i < children->n_buckets; i++)
		for (struct child *child = children->buckets[i]; child;
			child = child->next_in_bucket)
			visit(child, data);
}
