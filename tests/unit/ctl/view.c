#include "ctl/view.h"

#include <criterion/criterion.h>
#include <string.h>
#include <unistd.h>

#include "ctl/options.h"
#include "ctl/render.h"
#include "ctl/reply.h"
#include "policy/service_state.h"

#define ROWS                                                                                       \
	"{'services':["                                                                            \
	"{'name':'a10','state':'UP','pid':3,'connections':{'used':2,'limit':9},'rate':0.5},"       \
	"{'name':'a9','state':'BACKOFF','pid':1,'connections':{'used':10,'limit':0}},"             \
	"{'name':'b','state':'up','pid':2,'connections':{'used':1,'limit':3},'rate':7}]}"

static const char *order(struct ctl *ctl)
{
	static char names[64];
	char *text = strdup(ROWS);
	for (char *quote = text; (quote = strchr(quote, '\''));)
		*quote = '"';
	json_t *reply = json_loads(text, 0, NULL);
	cr_assert(reply);
	view_apply(ctl, &table_status, reply, "services");
	names[0] = 0;
	const json_t *rows = json_object_get(reply, "services");
	for (size_t i = 0; i < json_array_size(rows); i++) {
		strcat(names, reply_text(json_array_get(rows, i), "name"));
		strcat(names, " ");
	}
	json_decref(reply);
	free(text);
	return names;
}

Test(view, every_state_of_a_service_may_be_asked_for)
{
	for (int state = 0; state < STATE_COUNT; state++) {
		struct ctl ctl = { .states = service_state_name((enum service_state)state) };
		cr_expect(view_check(&ctl, &table_status), "%s", ctl.states);
	}
}

Test(view, a_state_that_there_is_not_is_told_with_those_that_there_are)
{
	char told[512] = "";
	struct ctl ctl = { .states = "ready,RAEDY" };
	int ends[2], before = dup(2);
	cr_assert_eq(pipe(ends), 0);
	dup2(ends[1], 2);
	cr_expect_not(view_check(&ctl, &table_workers));
	ctl.states = "Started,bogus-or-longer-than-any-of-them-would-ever-be";
	cr_expect_not(view_check(&ctl, &table_connections));
	ctl.states = "UP,";
	cr_expect_not(view_check(&ctl, &table_status));
	ctl.states = "anything"; /* a listing without states */
	cr_expect(view_check(&ctl, &table_deaths));
	fflush(stderr);
	dup2(before, 2);
	cr_assert_gt(read(ends[0], told, sizeof told - 1), 0);
	cr_expect(strstr(told, "no state \"RAEDY\"; there are: STARTING READY DRAINING STOPPING; "
				   "did you mean \"READY\"?"), "%s", told);
	cr_expect(strstr(told, "no state \"bogus"), "%s", told);
	cr_expect(strstr(told, "queued taken started"), "%s", told);
	cr_expect(strstr(told, "no state \"\""), "%s", told);
}

Test(view, without_a_wish_all_stay_as_they_came)
{
	struct ctl ctl = { 0 };
	cr_expect_str_eq(order(&ctl), "a10 a9 b ");
}

Test(view, names_are_ordered_as_people_count)
{
	struct ctl ctl = { .sort = "service" };
	cr_expect_str_eq(order(&ctl), "a9 a10 b ");
	ctl.sort = "-SERVICE";
	cr_expect_str_eq(order(&ctl), "b a10 a9 ");
}

Test(view, numbers_are_ordered_by_size_and_a_use_by_its_number)
{
	struct ctl ctl = { .sort = "conns" };
	cr_expect_str_eq(order(&ctl), "b a10 a9 ");
	ctl.sort = "-conns";
	cr_expect_str_eq(order(&ctl), "a9 a10 b ");
}

Test(view, what_is_not_known_is_last_whichever_way_round)
{
	struct ctl ctl = { .sort = "rate" };
	cr_expect_str_eq(order(&ctl), "a10 b a9 ");
	ctl.sort = "-rate";
	cr_expect_str_eq(order(&ctl), "b a10 a9 ");
}

Test(view, states_are_chosen_without_regard_to_case)
{
	struct ctl ctl = { .states = "up" };
	cr_expect_str_eq(order(&ctl), "a10 b ");
	ctl.states = "failed,backoff";
	cr_expect_str_eq(order(&ctl), "a9 ");
	ctl.states = "u";
	cr_expect_str_eq(order(&ctl), "");
}

Test(view, a_process_is_chosen)
{
	struct ctl ctl = { .worker = 2, .given = 1u << OPTION_WORKER };
	cr_expect_str_eq(order(&ctl), "b ");
}

Test(view, a_column_that_is_not_there_is_refused)
{
	struct ctl ctl = { .sort = "-nonsense" };
	cr_expect_not(view_check(&ctl, &table_status));
	ctl.sort = "-state";
	cr_expect(view_check(&ctl, &table_status));
}
