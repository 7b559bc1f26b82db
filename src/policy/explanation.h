/*
 * How a service has come to be as it is, in sentences that lead from one to the next: by whom it is
 * bound, who serves, what is in use, what was refused and by which rule, who ended last, what happens
 * next. For a healthy one as well.
 */
#ifndef FDSUP_POLICY_EXPLANATION_H
#define FDSUP_POLICY_EXPLANATION_H

#include "policy/health.h"

/* Who takes connections from the kernel. */
enum explanation_acceptance { ACCEPTED_BY_NOBODY, ACCEPTED_BY_ACCEPTOR, ACCEPTED_BY_PROGRAM };

struct explanation_facts {
	const char *service;
	const char *description;      /* NULL: none */
	const struct health_facts *facts;
	const struct health *health;  /* the judgement on them */
	int supervisor_pid;
	const char *config_file;
	const char *addresses;        /* "tcp *:110, tcp [::1]:110"; "" for none */
	bool is_bound;
	enum explanation_acceptance acceptance;
	unsigned acceptor;            /* its number, from 1 */
	int acceptor_pid;             /* 0: it does not run */
	uint32_t n_workers;           /* those that finish or end included */
	int only_worker;              /* the one that serves, where there may be no other; 0: not known */
	const char *noun;             /* "worker" or "daemon" */
	const char *user;             /* NULL: whoever started fdsup */
	bool is_on_demand;
	bool has_datagrams;           /* its sockets are of UDP */
	int telling_worker;           /* one that says how it is; 0: none does */
	const char *told;             /* by it */
	uint64_t accepted, served, refused, lost;
	const char *refused_rule;     /* NULL: not known */
	uint64_t refused_age_ms;
	uint64_t death_age_ms;        /* since the last death; 0: not known */
};

enum { EXPLANATION_SENTENCES = 16, EXPLANATION_SENTENCE_SIZE = 384 };

struct explanation {
	size_t n;
	char sentences[EXPLANATION_SENTENCES][EXPLANATION_SENTENCE_SIZE];
};

void explanation_make(const struct explanation_facts *facts, struct explanation *ret);

#endif
