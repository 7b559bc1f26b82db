/*
 * The example programs as processes of a test: $FDSUP_BIN/../examples, and those in the source
 * tree.
 */
#ifndef FDSUP_TESTS_SUPPORT_EXAMPLE_H
#define FDSUP_TESTS_SUPPORT_EXAMPLE_H

#include <sys/types.h>

enum { EXAMPLE_PATIENCE_MS = 20000 };

/* The path of one that was built. Static storage of two. */
const char *example_path(const char *name);

/* The path of one that is a script. Static storage. */
const char *example_script(const char *name);

/*
 * Starts a program, words[0], with `queue` as descriptor 3 unless that is -1, what it writes
 * going to `output` and `errors` unless those are -1, and no other descriptor. It dies with the
 * test.
 */
pid_t example_start(int queue, int output, int errors, const char *const words[]);

/* Waits for its end: the exit status, or 1000 + the signal. Fails the test when it takes too long.
 */
int example_wait(pid_t pid);

/* Sends a request and reads the answer up to `until`, or to the end. Static storage. */
const char *example_ask(int client, const char *request, const char *until);

#endif
