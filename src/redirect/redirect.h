/*
 * fdsup-redirect as a whole: what all forwarded connections share.
 */
#ifndef FDSUP_REDIRECT_REDIRECT_H
#define FDSUP_REDIRECT_REDIRECT_H

#include "redirect/options.h"
#include "redirect/pipes.h"
#include "redirect/resolver.h"
#include "taker/trouble.h"
#include "taker/taker.h"

struct redirect {
	struct taker taker;
	const struct options *options;
	struct resolver resolver;
	struct pipes pipes;
	struct trouble trouble;
};

/* Serves until the end. 0, or -errno before the beginning (see taker_open). */
int redirect_run(const struct options *options);

/* For links: what became of their attempt to reach the target. `cause` is a text for people. */
void redirect_on_failed(struct redirect *redirect, const char *cause);
void redirect_on_connected(struct redirect *redirect);

#endif
