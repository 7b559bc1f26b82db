/*
 * The native protocol of systemd's journal: a line with its fields, in one datagram
 * (systemd.io/JOURNAL_NATIVE_PROTOCOL). Without libsystemd, which is not everywhere that fdsup is.
 *
 * The lines about a connection have one form (acceptor/service_log.h), and are taken apart here:
 * "web: END id=a1 peer=192.0.2.1:4711 status=0" has the fields FDSUP_SERVICE, FDSUP_EVENT,
 * FDSUP_CONNECTION, FDSUP_PEER and FDSUP_STATUS. What programs write to standard error is taken as
 * it is.
 */
#ifndef FDSUP_SUPERVISOR_JOURNAL_H
#define FDSUP_SUPERVISOR_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/log.h"

extern const char journal_path[];

/* Whether standard error goes to the journal: systemd.exec(5), $JOURNAL_STREAM. */
bool journal_has_stderr(void);

enum { JOURNAL_ENTRY_SIZE = 2 * LOG_LINE_MAX + 512 };

/* Says whether a service of this name is known; what stands before a colon may be anything. */
typedef bool journal_knows(const char *name, size_t length);

/* Makes an entry of a line, which holds no newline. `knows` may be NULL. Returns its length. */
size_t journal_format(char entry[JOURNAL_ENTRY_SIZE], int level, const char *line, size_t length,
	journal_knows *knows);

#endif
