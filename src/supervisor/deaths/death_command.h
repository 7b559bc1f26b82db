/*
 * The deaths of commands: those that did not end with status 0, remembered for `fdsupctl deaths` apart
 * from the workers, so that a command which fails for each client does not make these forgotten.
 *
 * A crash has a record of its own. All other ends with the same status are one record, that of the
 * last, and a number: what ends so once mostly ends so often.
 */
#ifndef FDSUP_SUPERVISOR_DEATH_COMMAND_H
#define FDSUP_SUPERVISOR_DEATH_COMMAND_H

struct control_command;
struct service;

/* As the acceptor tells it. */
void death_command_record(const struct service *service, const struct control_command *command);

#endif
