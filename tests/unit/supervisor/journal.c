/* How a line becomes an entry of the journal. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "supervisor/log/journal.h"

#define HEAD(priority) "PRIORITY=" priority "\nSYSLOG_FACILITY=3\nSYSLOG_IDENTIFIER=fdsup\n"

static bool knows_web(const char *name, size_t length)
{
	return length == 3 && !memcmp(name, "web", 3);
}

static void expect(int level, const char *line, const char *fields)
{
	static char entry[JOURNAL_ENTRY_SIZE];
	char message[LOG_LINE_MAX + 16];
	size_t n = journal_format(entry, level, line, strlen(line), knows_web);
	int m = snprintf(message, sizeof message, "MESSAGE=%s\n", line);
	cr_assert_eq(n, (size_t)m + strlen(fields), "%s: %.*s", line, (int)n, entry);
	cr_expect(!memcmp(entry, message, (size_t)m), "%s: %.*s", line, (int)n, entry);
	cr_expect(!memcmp(entry + m, fields, strlen(fields)), "%s: %.*s", line, (int)n, entry);
}

Test(journal, lines_of_a_connection_have_a_field_a_word)
{
	expect(LOG_INFO, "any: START id=00a1 peer=192.0.2.1:4711 local=[::1]:80 pid=12",
		HEAD("6") "FDSUP_SERVICE=any\nFDSUP_EVENT=START\nFDSUP_CONNECTION=00a1\n"
			  "FDSUP_PEER=192.0.2.1:4711\nFDSUP_LOCAL=[::1]:80\nFDSUP_PID=12\n");
	expect(LOG_INFO, "web: END id=1 peer=- duration=0.010s in=- out=- signal=TERM",
		HEAD("6") "FDSUP_SERVICE=web\nFDSUP_EVENT=END\nFDSUP_CONNECTION=1\nFDSUP_PEER=-\n"
			  "FDSUP_DURATION=0.010s\nFDSUP_IN=-\nFDSUP_OUT=-\nFDSUP_SIGNAL=TERM\n");
	expect(LOG_WARNING, "web: LOST id=1 peer=uid=5,pid=6 local=unix: worker 7 died holding it",
		HEAD("4") "FDSUP_SERVICE=web\nFDSUP_EVENT=LOST\nFDSUP_CONNECTION=1\n"
			  "FDSUP_PEER=uid=5,pid=6\nFDSUP_LOCAL=unix\n");
}

Test(journal, other_lines_name_their_service)
{
	expect(LOG_NOTICE, "web: worker 12 exited 1", HEAD("5") "FDSUP_SERVICE=web\n");
	expect(LOG_NOTICE, "reloaded: 1 of 2 services changed", HEAD("5"));
	expect(LOG_ERR, "no colon at all", HEAD("3"));
	expect(LOG_ERR, "web:", HEAD("3"));
	expect(LOG_ERR, "", HEAD("3"));
}

/* A program may write what it likes: it is behind its service's name and the word stderr. */
Test(journal, programs_cannot_make_fields)
{
	expect(LOG_INFO, "web: stderr: other: END id=1 peer=2", HEAD("6") "FDSUP_SERVICE=web\n");
	expect(LOG_INFO, "web: REFUSED 12 more within that second", HEAD("6") "FDSUP_SERVICE=web\n");
}

Test(journal, odd_words_are_left_out)
{
	expect(LOG_INFO, "web: END id=1 Peer=2 =3 a-b=4 abcdefghijklmnopqrstuvwxyzabcdef=5 x=6",
		HEAD("6") "FDSUP_SERVICE=web\nFDSUP_EVENT=END\nFDSUP_CONNECTION=1\nFDSUP_X=6\n");
	expect(LOG_INFO, "web: END id=1 : 2 x=6",
		HEAD("6") "FDSUP_SERVICE=web\nFDSUP_EVENT=END\nFDSUP_CONNECTION=1\n");
}

Test(journal, the_longest_line_fits)
{
	static char line[LOG_LINE_MAX], entry[JOURNAL_ENTRY_SIZE];
	for (const char *piece = "web: END id=1 "; strlen(line) + strlen(piece) < sizeof line; piece = "a=b ")
		strcat(line, piece);
	size_t n = journal_format(entry, LOG_INFO, line, strlen(line), NULL);
	cr_expect_leq(n, sizeof entry);
	cr_expect_eq(entry[n - 1], '\n');
}

Test(journal, is_known_by_device_and_inode)
{
	setenv("JOURNAL_STREAM", "0:0", 1);
	cr_expect_not(journal_has_stderr());
	unsetenv("JOURNAL_STREAM");
	cr_expect_not(journal_has_stderr());
}
