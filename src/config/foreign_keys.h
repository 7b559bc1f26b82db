/*
 * Keys of xinetd.conf(5) that have another name here. To be told to remove one that keeps people out
 * would be to open the service, so each is told what does its work.
 */
#ifndef FDSUP_CONFIG_FOREIGN_KEYS_H
#define FDSUP_CONFIG_FOREIGN_KEYS_H

/* What to write instead, "write ... instead"; NULL: xinetd has no such key, or we have it, too. */
const char *foreign_key_remedy(const char *name);

#endif
