/*
 * The status again and again, for whoever shows it as it changes: the method Status with "more".
 */
#ifndef FDSUP_SUPERVISOR_REPEATS_H
#define FDSUP_SUPERVISOR_REPEATS_H

#include <jansson.h>
#include <stdint.h>

struct admin_call;
struct supervisor;

enum { REPEAT_LEAST_MS = 250, REPEAT_USUAL_MS = 1000 };

/*
 * Answers now, and every `interval_ms` until the client goes; an answer is left out while the client has
 * not read the one before. `names` NULL: all services. Takes the call and the names.
 */
void repeats_add(
	struct supervisor *supervisor, struct admin_call *call, json_t *names, uint64_t interval_ms);

/* What a call repeats, and the same for the program that takes our place. NULL: it is no such call. */
json_t *repeats_save(const struct supervisor *supervisor, const struct admin_call *call);
void repeats_restore(struct supervisor *supervisor, struct admin_call *call, const json_t *json);

void repeats_end(struct supervisor *supervisor);

#endif
