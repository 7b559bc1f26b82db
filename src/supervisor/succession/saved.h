/*
 * The running world as a state (state.h), and back: what is saved of the supervisor, of each
 * acceptor, service and worker. A thing that must survive is a row of one of the tables here.
 *
 * Restoring has two steps. First the structs are made, which changes nothing and can be tried by a
 * process that does no more than that; then what they stand for is taken up again.
 */
#ifndef FDSUP_SUPERVISOR_SAVED_H
#define FDSUP_SUPERVISOR_SAVED_H

#include "supervisor/succession/state.h"

struct acceptor;
struct service;
struct supervisor;
struct worker;

/* The name of a service's record. Returns key. */
char *saved_service_key(char key[STATE_KEY_SIZE], const struct service *service);

json_t *saved_service(const struct service *service, struct state_fds *fds);
json_t *saved_acceptor(const struct acceptor *acceptor, struct state_fds *fds);
json_t *saved_supervisor(const struct supervisor *supervisor, struct state_fds *fds);

/* All of it. 0 or -ENOMEM. */
int saved_world(struct supervisor *supervisor, struct state *state);

/*
 * Fills the supervisor from the state, its configuration first. 0, or -errno with the reason; what
 * was made until then is the supervisor's.
 */
int saved_restore(
	struct supervisor *supervisor, const struct state *state, char error[STATE_ERROR_SIZE]);

/* The rows of a service that is already made. */
int saved_restore_service(
	struct service *service, struct state_record *record, char error[STATE_ERROR_SIZE]);

/* A worker of the service, from an element of its array; it is added to the service. */
json_t *saved_worker(const struct worker *worker, struct state_fds *fds);
int saved_restore_worker(struct service *service, const json_t *json, struct state_fds *fds,
	char error[STATE_ERROR_SIZE]);

#endif
