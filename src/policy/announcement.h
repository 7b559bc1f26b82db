/*
 * What a program says on the descriptor on which it announces that it is ready: a newline, after
 * whatever else it writes there, as s6 has it. The end without a newline says that it never will be.
 */
#ifndef FDSUP_POLICY_ANNOUNCEMENT_H
#define FDSUP_POLICY_ANNOUNCEMENT_H

#include <stddef.h>

/* Who has written so much without a newline has taken the descriptor for something else. */
enum { ANNOUNCEMENT_MAX = 4096 };

enum announcement {
	ANNOUNCEMENT_WAIT,
	ANNOUNCEMENT_READY,
	ANNOUNCEMENT_ENDED, /* closed without a newline */
	ANNOUNCEMENT_LOST,  /* ANNOUNCEMENT_MAX bytes without one */
};

/* Judges what was read now, n == 0 being the end. *n_before counts what was read; zero at first. */
enum announcement announcement_judge(size_t *n_before, const char *bytes, size_t n);

#endif
