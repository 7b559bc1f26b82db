/*
 * Connections of an acceptor before us that are known by their number alone.
 *
 * How many there are follows from the totals on the scoreboard, each of which is written as soon as
 * it happens: whoever was accepted and not refused, served or lost yet lives. (What is published of
 * those that live is brought up to date a little later, and the acceptor may die in between.) Each is
 * known as soon as its descriptor is handed to us, a worker tells of it, or the kernel. Of the rest nobody
 * tells: those that are still in the queue wait, the others somebody had.
 */
#ifndef FDSUP_ACCEPTOR_UNKNOWNS_H
#define FDSUP_ACCEPTOR_UNKNOWNS_H

#include <stdbool.h>
#include <stdint.h>

struct service;

void unknowns_take_over(struct service *service, uint64_t now_ns);

/*
 * We have one of them now, which had not been handed off (is_held) or had. False: there is none left, so
 * this one has been counted as ended.
 */
bool unknowns_identify(struct service *service, bool is_held);

/*
 * What was left to us is here. True to "all of it is", or what is missing of those that had not been handed
 * off is lost: returns how many.
 */
uint32_t unknowns_settle_estate(struct service *service, bool is_complete, uint64_t now_ns);

/* One has been heard of: the others are given their time again. */
void unknowns_await(struct service *service, uint64_t now_ns);

/*
 * To be called at service->unknown_ns. The kernel is asked, if it can be; else those that have left the
 * queue have been served.
 */
void unknowns_judge(struct service *service, uint64_t now_ns);

/* So many of them live, as the kernel tells: the rest has ended while no acceptor looked. */
void unknowns_settle(struct service *service, uint32_t n_alive, uint64_t now_ns);

/* The service is no more. Returns how many have never been served. */
uint32_t unknowns_close(struct service *service);

#endif
