/*
 * Where our other programs lie.
 */
#ifndef FDSUP_SUPERVISOR_HELPERS_H
#define FDSUP_SUPERVISOR_HELPERS_H

/*
 * The path of one of our programs, "fdsup-acceptor" for example, the caller's: beside this program (the build
 * tree), in ../libexec/fdsup from it (an installation anywhere), or where the build was told to
 * install it. NULL: in none of them.
 */
char *helpers_find(const char *name);

#endif
