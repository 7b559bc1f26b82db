/*
 * Names of signals and errors as manuals write them: "TERM", "ENOENT".
 *
 * Not of the C library: glibc has had them since 2.32, musl has none.
 */
#ifndef FDSUP_BASE_NAMES_H
#define FDSUP_BASE_NAMES_H

/* Without "SIG". NULL: real-time signals, and what is none. */
const char *signal_name(int signal);

/* NULL: none that can be met here. */
const char *error_name(int error);

#endif
