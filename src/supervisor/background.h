/*
 * Into the background, for classic init scripts: the command returns when the services listen, with
 * the exit status that tells whether they do.
 */
#ifndef FDSUP_SUPERVISOR_BACKGROUND_H
#define FDSUP_SUPERVISOR_BACKGROUND_H

#include <stdbool.h>

/*
 * Forks. The parent waits for background_ready and then exits with 0, or with the status of a child
 * that ended before. Returns in the child, which has a session of its own and still the terminal's
 * standard error, so that what goes wrong at the start is read there.
 */
void background_enter(void);

/* Lets the parent go, and leaves the terminal. Without background_enter it does nothing. */
void background_ready(void);

/*
 * For a program that is executed in our place before that, and in it: true if it goes on in the
 * background, with descriptor 3 open.
 */
void background_export(void);
bool background_keep(void);

#endif
