#include "redirect/resolver.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

enum { FRESH_MS = 60000, DOUBTED_FRESH_MS = 1000 };

/* Enough for what name service modules put on the stack; untouched pages cost nothing. */
enum { STACK_SIZE = 512 * 1024 };

/* Shared by the loop and the thread; whoever is the last to need it frees it. */
struct look_up {
	pthread_mutex_t lock;
	struct resolver *resolver; /* NULL: nobody wants the answer any more */
	bool is_done;
	int error;
	int system_error;
	struct addresses addresses;
	char host[TARGET_HOST_SIZE];
	char port[TARGET_PORT_SIZE];
};

static void look_up_free(struct look_up *look_up)
{
	pthread_mutex_destroy(&look_up->lock);
	free(look_up);
}

static void *run_look_up(void *data)
{
	struct look_up *look_up = data;
	/* Not AI_ADDRCONFIG: it hides ::1 on a host without other IPv6 addresses. */
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV };
	struct addrinfo *list = NULL;
	look_up->error = getaddrinfo(look_up->host, look_up->port, &hints, &list);
	look_up->system_error = errno;
	if (look_up->error == 0) {
		addresses_from_list(&look_up->addresses, list);
		freeaddrinfo(list);
	}
	pthread_mutex_lock(&look_up->lock);
	look_up->is_done = true;
	bool is_wanted = look_up->resolver != NULL;
	if (is_wanted)
		ev_async_send(look_up->resolver->loop, &look_up->resolver->answered);
	pthread_mutex_unlock(&look_up->lock);
	if (!is_wanted)
		look_up_free(look_up);
	return NULL;
}

/* Signals stay with the loop. */
static int start_thread(struct look_up *look_up)
{
	pthread_attr_t attributes;
	pthread_t thread;
	sigset_t all;
	sigset_t before;
	sigfillset(&all);
	pthread_attr_init(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attributes, STACK_SIZE);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int error = pthread_create(&thread, &attributes, run_look_up, look_up);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attributes);
	return error;
}

static void answer_waiters(struct resolver *resolver)
{
	/* Whoever waits again while being called belongs to the next answer. */
	struct resolver_waiter *waiter = resolver->waiters;
	resolver->waiters = NULL;
	while (waiter) {
		struct resolver_waiter *next = waiter->next;
		waiter->is_waiting = false;
		waiter->next = waiter->previous = NULL;
		if (next)
			next->previous = NULL;
		waiter->on_answer(waiter);
		waiter = next;
	}
}

static void note_error(struct resolver *resolver, const char *text)
{
	snprintf(resolver->error, sizeof resolver->error, "%s", text);
}

/* The answer came, or (look_up NULL) it could not even be asked for. */
static void finish(struct resolver *resolver, struct look_up *look_up)
{
	resolver->answered_ms = clock_now_ms();
	resolver->is_doubted = false;
	if (!look_up)
		note_error(resolver, "no thread can be started for the look-up");
	else if (look_up->error == EAI_SYSTEM)
		note_error(resolver, strerror(look_up->system_error));
	else if (look_up->error)
		note_error(resolver, gai_strerror(look_up->error));
	else if (look_up->addresses.n == 0)
		note_error(resolver, "it has neither an IPv4 nor an IPv6 address");
	else
		note_error(resolver, "");
	if (look_up && !resolver->error[0])
		resolver->addresses = look_up->addresses;
	if (look_up)
		look_up_free(look_up);
	answer_waiters(resolver);
}

static void on_answered(struct ev_loop *loop, ev_async *watcher, int events)
{
	(void)loop, (void)events;
	struct resolver *resolver = watcher->data;
	struct look_up *look_up = resolver->look_up;
	if (!look_up) {
		finish(resolver, NULL);
		return;
	}
	pthread_mutex_lock(&look_up->lock);
	bool is_done = look_up->is_done;
	pthread_mutex_unlock(&look_up->lock);
	if (!is_done)
		return;
	resolver->look_up = NULL;
	finish(resolver, look_up);
}

static void begin(struct resolver *resolver)
{
	struct look_up *look_up = calloc(1, sizeof *look_up);
	if (look_up) {
		pthread_mutex_init(&look_up->lock, NULL);
		look_up->resolver = resolver;
		memcpy(look_up->host, resolver->target->host, sizeof look_up->host);
		memcpy(look_up->port, resolver->target->port, sizeof look_up->port);
		resolver->look_up = look_up;
		if (start_thread(look_up) == 0)
			return;
		resolver->look_up = NULL;
		look_up_free(look_up);
	}
	/* Answered from the loop all the same: nobody is called back while asking. */
	ev_async_send(resolver->loop, &resolver->answered);
}

/* An address needs no look-up. */
static bool take_fixed(struct resolver *resolver)
{
	const struct target *target = resolver->target;
	struct addrinfo hints = {
		.ai_socktype = SOCK_STREAM,
		.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
	};
	struct addrinfo *list;
	if (target->is_unix) {
		resolver->addresses = (struct addresses){ .n = 1, .list[0] = target->socket };
		return true;
	}
	if (getaddrinfo(target->host, target->port, &hints, &list) != 0)
		return false;
	addresses_from_list(&resolver->addresses, list);
	freeaddrinfo(list);
	return true;
}

void resolver_init(struct resolver *resolver, struct ev_loop *loop, const struct target *target)
{
	*resolver = (struct resolver){ .loop = loop, .target = target };
	ev_async_init(&resolver->answered, on_answered);
	resolver->answered.data = resolver;
	resolver->is_fixed = take_fixed(resolver);
	if (resolver->is_fixed)
		return;
	ev_async_start(loop, &resolver->answered);
	begin(resolver);
}

void resolver_fini(struct resolver *resolver)
{
	struct look_up *look_up = resolver->look_up;
	resolver->look_up = NULL;
	ev_async_stop(resolver->loop, &resolver->answered);
	if (!look_up)
		return;
	pthread_mutex_lock(&look_up->lock);
	bool is_done = look_up->is_done;
	look_up->resolver = NULL;
	pthread_mutex_unlock(&look_up->lock);
	if (is_done)
		look_up_free(look_up);
}

bool resolver_is_fresh(const struct resolver *resolver)
{
	uint64_t fresh_ms = resolver->is_doubted ? DOUBTED_FRESH_MS : FRESH_MS;
	if (resolver->is_fixed)
		return true;
	return resolver->addresses.n > 0 && clock_now_ms() - resolver->answered_ms < fresh_ms;
}

void resolver_wait(struct resolver *resolver, struct resolver_waiter *waiter)
{
	waiter->is_waiting = true;
	waiter->previous = NULL;
	waiter->next = resolver->waiters;
	if (waiter->next)
		waiter->next->previous = waiter;
	bool is_first = !resolver->waiters;
	resolver->waiters = waiter;
	if (is_first && !resolver->look_up)
		begin(resolver);
}

void resolver_forget(struct resolver *resolver, struct resolver_waiter *waiter)
{
	if (!waiter->is_waiting)
		return;
	if (waiter->previous)
		waiter->previous->next = waiter->next;
	else
		resolver->waiters = waiter->next;
	if (waiter->next)
		waiter->next->previous = waiter->previous;
	waiter->is_waiting = false;
}

void resolver_doubt(struct resolver *resolver)
{
	resolver->is_doubted = true;
}
