/*
 * Completion for shells, made at build time from the tables that the programs themselves use: what can
 * be completed is what is understood.
 */
#ifndef FDSUP_COMPLETION_COMPLETION_H
#define FDSUP_COMPLETION_COMPLETION_H

#include <getopt.h>
#include <stdio.h>

void completion_bash(FILE *out, const struct option *daemon_options);
void completion_zsh(FILE *out, const struct option *daemon_options);
void completion_fish(FILE *out, const struct option *daemon_options);

/* Prints the states of a service, separated by blanks. */
void completion_print_states(FILE *out);

#endif
