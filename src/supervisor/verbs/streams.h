/*
 * Calls that go on answering: each gets what happens until its client goes.
 *
 * Nothing waits for a client. One that is behind is left out, and told how much it missed when it has
 * read what there was; one that does not read at all is dropped by the server.
 */
#ifndef FDSUP_SUPERVISOR_STREAMS_H
#define FDSUP_SUPERVISOR_STREAMS_H

#include <jansson.h>
#include <stdbool.h>

struct admin_call;
struct supervisor;

enum stream_kind {
	STREAM_EVENTS, /* {"event": Event} */
	STREAM_LINES,  /* {"service": ..., "lines": [LogLine], "left_out": ...} */
};

/* Takes the call. `names`: an array of the services that it is about, taken; NULL: all, and the rest. */
void streams_add(
	struct supervisor *supervisor, struct admin_call *call, enum stream_kind kind, json_t *names);

/* Whether anybody gets it, before it is made. `service` NULL: it is about no service. */
bool streams_want(const struct supervisor *supervisor, enum stream_kind kind, const char *service);

/* To all who want it. Takes `item`. */
void streams_send(
	struct supervisor *supervisor, enum stream_kind kind, const char *service, json_t *item);

/* What a call gets, and the same for the program that takes our place. NULL: it is no such call. */
json_t *streams_save(const struct supervisor *supervisor, const struct admin_call *call);
void streams_restore(struct supervisor *supervisor, struct admin_call *call, const json_t *json);

/* Ends all. */
void streams_end(struct supervisor *supervisor);

#endif
