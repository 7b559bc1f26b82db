/*
 * Entries of hours: "08:00-18:00", "22:00-06:00", "mon-fri 08:00-24:00", "sat,sun 10:00-12:00".
 */
#ifndef FDSUP_CONFIG_HOURS_H
#define FDSUP_CONFIG_HOURS_H

#include "wire/hours.h"

enum { HOURS_REASON_SIZE = 320, HOURS_WINDOWS_MAX = 64 };

/* 0, or -EINVAL with the reason and the remedy. */
int hours_parse(const char *text, struct window *ret, char reason[HOURS_REASON_SIZE]);

#endif
