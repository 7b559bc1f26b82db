/*
 * Where our two helper programs lie.
 */
#ifndef FDSUP_SUPERVISOR_HELPERS_H
#define FDSUP_SUPERVISOR_HELPERS_H

/*
 * The path of "fdsup-acceptor" or "fdsup-worker", the caller's: beside this program (the build
 * tree), in ../libexec/fdsup from it (an installation anywhere), or where the build was told to
 * install it. NULL: in none of them.
 */
char *helpers_find(const char *name);

#endif
