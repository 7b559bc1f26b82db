/*
 * The inventory of what lives: what is in the ledger and not alive has ended; what is alive, and can
 * only be a connection that an acceptor before us handed to a silent worker, is entered.
 */
#ifndef FDSUP_ACCEPTOR_INVENTORY_H
#define FDSUP_ACCEPTOR_INVENTORY_H

struct following;

void inventory_init(struct following *following);

/* One more from the beginning, in a moment. Nothing where the kernel does not answer. */
void inventory_want(struct following *following);

#endif
