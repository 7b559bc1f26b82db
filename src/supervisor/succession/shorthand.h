/*
 * Records as the keeper has them: JSON, in which a byte below 0x20 stands for a phrase that nearly every
 * record has. The records of hundreds of services lie there for as long as fdsup lives, and half of
 * the keeper's memory would be the names of their rows. (JSON that jansson writes has no such bytes.)
 *
 * What another version wrote must be readable: a phrase keeps its byte for ever, and records without
 * any are right, too.
 */
#ifndef FDSUP_SUPERVISOR_SHORTHAND_H
#define FDSUP_SUPERVISOR_SHORTHAND_H

#include <stddef.h>

/* Shortens a text in its place, and returns its new length. */
size_t shorthand_write(char *text);

/*
 * The text in full, owned by the caller: 0 and its length, -EBADMSG if it has a phrase of a later
 * version, or -ENOMEM.
 */
int shorthand_read(const char *text, size_t length, char **ret_full, size_t *ret_length);

#endif
