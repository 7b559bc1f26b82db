/* The table of running commands finds each of them once. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "worker/children.h"

static struct child *add(struct children *children, pid_t pid)
{
	struct child *child = calloc(1, sizeof *child);
	child->report.pid = pid;
	children_add(children, child);
	return child;
}

Test(children, gives_back_what_was_put_in_once)
{
	struct children children;
	cr_assert_eq(children_init(&children), 0);
	struct child *one = add(&children, 100);
	struct child *neighbour = add(&children, 116); /* the same bucket of 16 */
	cr_assert_eq(children_take(&children, 100), one);
	cr_assert_null(children_take(&children, 100));
	cr_assert_eq(children_take(&children, 116), neighbour);
	cr_assert_eq(children.n, 0);
	free(one);
	free(neighbour);
	children_fini(&children);
}

static void count(struct child *child, void *data)
{
	(void)child;
	++*(size_t *)data;
}

Test(children, keeps_all_of_them_while_it_grows)
{
	enum { MANY = 5000 };
	struct children children;
	size_t n = 0;
	cr_assert_eq(children_init(&children), 0);
	for (pid_t pid = 1; pid <= MANY; pid++)
		add(&children, pid * 3);
	children_each(&children, count, &n);
	cr_assert_eq(n, MANY);
	cr_assert_geq(children.n_buckets, MANY / 2, "long chains make every end slow");
	for (pid_t pid = 1; pid <= MANY; pid += 2) {
		struct child *child = children_take(&children, pid * 3);
		cr_assert_eq(child->report.pid, pid * 3);
		free(child);
	}
	cr_assert_eq(children.n, MANY / 2);
	children_fini(&children);
}
