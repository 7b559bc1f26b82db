#include "supervisor/succession/shorthand.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char at_rest[] =
	"{\"serial\":359,\"state\":\"ON-DEMAND\",\"state_since_ms\":47072405,\"is_wanted\":true,"
	"\"slot\":358,\"acceptor\":0,\"start_ms\":47072405,\"listeners\":[{\"fd\":0,\"id\":359,"
	"\"address\":\"2 25420 0 7f000001\"}],\"is_open\":true,\"generation\":1,\"name\":\"s420\","
	"\"edition\":1}";

static const char with_worker[] =
	"{\"serial\":1,\"state\":\"UP\",\"state_since_ms\":5,\"is_wanted\":true,\"acceptor\":0,"
	"\"start_ms\":5,\"queue\":[1,2,3],\"workers\":[{\"pid\":17,\"child.pidfd\":4,\"generation\":1,"
	"\"command\":\"/bin/cat\",\"share\":0.9,\"started_ms\":5,\"ready_ms\":5,\"state\":\"READY\","
	"\"renew_why\":\"max_age is reached\"},{\"pid\":18}],\"generation\":1,\"has_spawned\":true,"
	"\"name\":\"a\",\"edition\":1}";

/* In shorthand; its length. */
static size_t shorten(char *text, const char *full)
{
	strcpy(text, full);
	return shorthand_write(text);
}

static void expect_in_full(const char *text, size_t length, const char *full)
{
	char *read;
	size_t read_length;
	cr_assert_eq(shorthand_read(text, length, &read, &read_length), 0);
	cr_expect_eq(read_length, strlen(full));
	cr_expect(!memcmp(read, full, read_length), "%.*s", (int)read_length, read);
	free(read);
}

Test(shorthand, a_record_comes_back_as_it_was)
{
	const char *const records[] = { at_rest, with_worker, "{}", "",
		"{\"other\":\"\\u0001,\\\"id\\\":\",\"state\":\"", "{\"seri" };
	for (size_t i = 0; i < sizeof records / sizeof *records; i++) {
		char text[1024];
		size_t length = shorten(text, records[i]);
		cr_expect_eq(strlen(text), length);
		expect_in_full(text, length, records[i]);
	}
}

Test(shorthand, a_service_at_rest_takes_a_quarter)
{
	char text[1024];
	cr_expect_leq(4 * shorten(text, at_rest), strlen(at_rest) + 4);
}

Test(shorthand, what_has_none_is_read_too)
{
	expect_in_full(at_rest, strlen(at_rest), at_rest);
}

/* Records outlive the program that wrote them. */
Test(shorthand, a_phrase_keeps_its_byte)
{
	static const char record[] = "\x01" "7\x03" "1\x05" "2\x06" "3\x07" "4\x0a" "5 0 7f000001\x0c\x0e"
				     "a\x10" "1}";
	expect_in_full(record, strlen(record),
		"{\"serial\":7,\"state\":\"ON-DEMAND\",\"state_since_ms\":1,\"is_wanted\":true,"
		"\"slot\":2,\"acceptor\":0,\"start_ms\":3,\"listeners\":[{\"fd\":0,\"id\":4,"
		"\"address\":\"2 5 0 7f000001\"}],\"is_open\":true,\"generation\":1,\"name\":\"a\","
		"\"edition\":1}");
	static const char workers[] = "\x14\x15" "9\x16" "1,\x0d" "1\x17" "c\x18" "0.5\x19" "1\x1a" "2"
				      "\x1b";
	expect_in_full(workers, strlen(workers),
		"\"queue\":[1,2,3],\"workers\":[{\"pid\":9,\"child.pidfd\":1,\"generation\":1,"
		"\"command\":\"c\",\"share\":0.5,\"started_ms\":1,\"ready_ms\":2,\"state\":\"READY\","
		"\"renew_why\":\"max_age is reached\"}");
}

Test(shorthand, a_phrase_of_later_is_an_error)
{
	char *read = NULL;
	size_t length;
	cr_expect_eq(shorthand_read("{\x1f", 2, &read, &length), -EBADMSG);
	cr_expect_eq(shorthand_read("{\0}", 3, &read, &length), -EBADMSG);
}
