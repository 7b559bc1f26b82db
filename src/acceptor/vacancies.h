/*
 * How many connections each worker says that it could still serve, told to the supervisor for
 * `fdsupctl workers`: the last word of each, ten times a second at most, however often they say it.
 */
#ifndef FDSUP_ACCEPTOR_VACANCIES_H
#define FDSUP_ACCEPTOR_VACANCIES_H

#include <stdbool.h>
#include <stdint.h>

struct service;

struct vacancy {
	int32_t pid;
	int32_t n;
	bool is_told;
};

/* Of one service. All zeros, with due_ns NEVER_NS: none. */
struct vacancies {
	struct vacancy *items; /* owned */
	uint32_t n_items;
	uint32_t room;
	uint64_t due_ns; /* when to tell what is new; NEVER_NS: nothing is */
};

void vacancies_fini(struct vacancies *vacancies);

/* This process of the service has said it. */
void vacancies_note(struct service *service, int32_t pid, int32_t n, uint64_t now_ns);

/* To be called at due_ns. */
void vacancies_tell(struct service *service);

/* The worker is gone; its number may come again. */
void vacancies_forget(struct service *service, int32_t pid);

#endif
