/*
 * A real fdsup-acceptor as an object: the test is its supervisor and its workers.
 *
 * The rig keeps what a supervisor keeps (both ends of every queue, a copy of every listener, the
 * scoreboard), so an acceptor can be killed and replaced. Every call that waits does so for an
 * event and fails the test after RIG_PATIENCE_MS. The program is $FDSUP_BIN/fdsup-acceptor.
 */
#ifndef FDSUP_TESTS_ACCEPTOR_RIG_H
#define FDSUP_TESTS_ACCEPTOR_RIG_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "wire/control.h"
#include "wire/handoff.h"
#include "wire/report.h"
#include "wire/scoreboard.h"
#include "wire/slots.h"

/* From here on no process has its number (PID_MAX_LIMIT): whoever is asked, it is dead. */
enum { RIG_NOBODY = 1 << 22 };

enum { RIG_PATIENCE_MS = 20000, RIG_SERVICES = 512, RIG_LOG_SIZE = 1 << 20 };

struct rig {
	pid_t pid;
	int control;
	struct control_ready ready; /* its first message */
	int estate[2];
	int scoreboard_fd;
	struct scoreboard *board;
	int log_fd;
	size_t log_length;
	size_t log_seen; /* where rig_wait_log goes on */
	char log[RIG_LOG_SIZE];
	uint32_t n_syncs;
	struct control_toll toll;       /* the last one heard; kind 0: none */
	struct control_command command; /* the same */
	uint32_t n_commands, n_commands_untold;
	bool is_unguarded; /* its guard has died, it said */
	struct rig_service {
		int queue[2];
		int slots_fd; /* if its settings have_slots */
		struct slots slots;
		int listener;
		uint16_t port;
		struct control_service settings;
	} services[RIG_SERVICES];
};

/* Starts an acceptor and waits until it is ready. */
void rig_start(struct rig *rig);

/*
 * Kills it, and starts another that gets the same scoreboard, queues and listeners, and what the first one
 * has left, which it has taken over then.
 */
void rig_replace(struct rig *rig);

/* The same in two steps, for what happens in between. */
void rig_kill(struct rig *rig);
void rig_start_again(struct rig *rig);

/* And that in two. */
void rig_spawn(struct rig *rig);
void rig_introduce(struct rig *rig);

/* Waits until it says that its guard has died. */
void rig_wait_unguarded(struct rig *rig);

/* The guard of the acceptor that runs. */
pid_t rig_guard(struct rig *rig);

/* Ends it as a supervisor does, and expects exit status 0 and that no descriptor was left behind.
 */
void rig_stop(struct rig *rig);

/* Waits for its end by itself: the exit status, or 1000 + the signal. */
int rig_wait_end(struct rig *rig);

/* Defaults: name "test", queue 64, no limits, all log events. */
struct control_service rig_settings(uint32_t row);

/* A listening socket as the supervisor makes it, the caller's. */
int rig_listen(const char *address, uint16_t *ret_port);

/* Announces a service with one listener on 127.0.0.1 (or `address`). Returns its port. */
uint16_t rig_serve(struct rig *rig, const struct control_service *settings);
uint16_t rig_serve_on(struct rig *rig, const struct control_service *settings, const char *address);
void rig_change(struct rig *rig, const struct control_service *settings);

void rig_send(struct rig *rig, const void *message, size_t length, int fd);
void rig_send_with(
	struct rig *rig, const void *message, size_t length, const int fds[], size_t n_fds);
void rig_send_number(struct rig *rig, enum control_kind kind, uint32_t number);
void rig_send_process(struct rig *rig, enum control_kind kind, uint32_t row, pid_t pid, int status);

/* All that was sent before has been carried out. */
void rig_sync(struct rig *rig);

/* A client that connects from a source address of 127.0.0.0/8; NULL: any. */
int rig_connect(uint16_t port, const char *source);

/* Takes the next connection from the queue, waiting for it. */
int rig_take(struct rig *rig, uint32_t row, struct handoff *ret_record);

/* Nothing waits in the queue (after a rig_sync). */
bool rig_queue_is_empty(struct rig *rig, uint32_t row);

/* Reports on a connection, as this process. */
void rig_report(struct rig *rig, uint32_t row, const struct handoff *record, enum report_kind kind,
	pid_t pid, int status);

/* Waits for a line with this text behind those found before, and returns it. */
const char *rig_wait_log(struct rig *rig, const char *text);

/* Waits for the end of the log, when the acceptor has ended. All of it is in rig->log. */
void rig_read_log(struct rig *rig);

/* How the server ended it, waiting for that: 0 orderly, or an errno such as ECONNRESET. */
int rig_client_end(int client);

/* Waits until a value of the scoreboard is as expected, and its neighbours are up to date, too. */
#define rig_wait_score(rig, row, field, value)                                                  \
	do {                                                                                    \
		struct score *score_ = &(rig)->board->slots[row].score;                         \
		for (int ms_ = 0; ms_ < RIG_PATIENCE_MS && score_get(score_->field) != (value); \
			ms_++)                                                                  \
			usleep(1000);                                                           \
		cr_assert_eq(score_get(score_->field), (value), #field " is %llu",              \
			(unsigned long long)score_get(score_->field));                          \
		rig_sync(rig);                                                                  \
	} while (0)

#define rig_score(rig, row, field) score_get((rig)->board->slots[row].score.field)

#endif
