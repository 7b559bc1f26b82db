/*
 * The texts of our Varlink interfaces, taken at build time from the .varlink files beside this one:
 * what a client is told is what stands in the tree.
 */
#ifndef FDSUP_ADMIN_DESCRIPTION_H
#define FDSUP_ADMIN_DESCRIPTION_H

#include <stdbool.h>

extern const char description_fdsup[];           /* org.fdsup.varlink */
extern const char description_varlink_service[]; /* org.varlink.service.varlink */

/*
 * Whether a description declares `method NAME(`. For tests that compare a verb table with the text:
 * a method that is missing on either side breaks the clients that are generated from it.
 */
bool description_has_method(const char *description, const char *name);

#endif
