/*
 * fdsupctl upgrade: what lies at our program's path now takes our place, in the same process, with
 * the same children and sockets. Before that it has to show, in a process of its own, that it can read
 * our state; a program that cannot is never executed in our place.
 */
#ifndef FDSUP_SUPERVISOR_UPGRADE_H
#define FDSUP_SUPERVISOR_UPGRADE_H

struct admin_call;
struct supervisor;

/* Answers the call when it has failed; when it succeeds, the other program does. */
void upgrade_request(struct supervisor *supervisor, struct admin_call *call);

/* Ends one that is under way. */
void upgrade_end(struct supervisor *supervisor);

#endif
