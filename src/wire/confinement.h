/*
 * What one of our processes has given up: told by itself, shown by `fdsupctl status -v`.
 */
#ifndef FDSUP_WIRE_CONFINEMENT_H
#define FDSUP_WIRE_CONFINEMENT_H

#include <stdint.h>

/* Above 0 it is in force; of Landlock this is the version of its ABI. Below 0: -errno. */
enum confinement_state {
	CONFINEMENT_LEFT_OUT = 0, /* on purpose: a debugging tool makes calls of its own */
	CONFINEMENT_ACTIVE = 1,
};

struct confinement {
	int32_t seccomp;
	int32_t landlock;
	int32_t capabilities;      /* given up, all of them */
	int32_t no_new_privileges;
};

enum { CONFINEMENT_TEXT_SIZE = 400 };

/* "seccomp, landlock 7, no capabilities, no new privileges": what is in force. Returns text. */
char *confinement_format(
	char text[CONFINEMENT_TEXT_SIZE], const struct confinement *confinement);

/* "landlock (Function not implemented)": what is not, and why. Empty: all is. Returns text. */
char *confinement_format_missing(
	char text[CONFINEMENT_TEXT_SIZE], const struct confinement *confinement);

#endif
