#include "policy/heartbeat.h"

enum heartbeat_verdict heartbeat_look(
	struct heartbeat *heartbeat, uint64_t now_ms, uint64_t turned_ms, bool has_answered)
{
	if (heartbeat->asked_ms && !has_answered && turned_ms <= heartbeat->asked_ms) {
		heartbeat->n_missed++;
		return heartbeat->n_missed < HEARTBEAT_MISSED_MAX ? HEARTBEAT_FINE : HEARTBEAT_HANGS;
	}
	*heartbeat = (struct heartbeat){ 0 };
	if (turned_ms + HEARTBEAT_LOOK_MS >= now_ms)
		return HEARTBEAT_FINE;
	heartbeat->asked_ms = now_ms;
	return HEARTBEAT_ASK;
}
