/*
 * The functions of the verbs that have files of their own. Each returns the exit code.
 */
#ifndef FDSUP_CTL_VERBS_H
#define FDSUP_CTL_VERBS_H

#include "ctl/ctl.h"
#include "ctl/records.h"

/* verb_status.c */
int run_status(struct ctl *ctl);

/* verb_change.c */
int run_start(struct ctl *ctl);
int run_stop(struct ctl *ctl);
int run_restart(struct ctl *ctl);
int run_drain(struct ctl *ctl);
int run_pause(struct ctl *ctl);
int run_resume(struct ctl *ctl);
int run_reload(struct ctl *ctl);
int run_upgrade(struct ctl *ctl);

/* verb_check.c */
int run_check(struct ctl *ctl);
int run_wait(struct ctl *ctl);

/* verb_explain.c */
int run_explain(struct ctl *ctl);

/* verb_top.c */
int run_top(struct ctl *ctl);

/* verb_connections.c */
int run_connections(struct ctl *ctl);

/* The same file: adds all connections that are asked for. */
int gather_connections(struct ctl *ctl, struct records *rows);

/* verb_kill.c */
int run_kill_connection(struct ctl *ctl);

/* verb_stream.c */
int run_logs(struct ctl *ctl);
int run_events(struct ctl *ctl);

#endif
