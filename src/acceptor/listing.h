/*
 * The list of live connections for the supervisor: the ledger joined with what the kernel says of
 * each now, in a memory file. It is made a piece in each turn of the loop; accepting goes on beside
 * it, so a connection that comes or goes meanwhile may be in it or not.
 */
#ifndef FDSUP_ACCEPTOR_LISTING_H
#define FDSUP_ACCEPTOR_LISTING_H

#include <stdint.h>

struct acceptor;
struct listing;

/* Sends CONTROL_LISTED with this number when the list is there, without a file if that failed. */
void listing_begin(struct acceptor *acceptor, uint32_t number);

/* Drops the one under way. */
void listing_end(struct acceptor *acceptor);

#endif
