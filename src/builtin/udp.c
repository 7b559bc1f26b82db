#include "builtin/udp.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/text.h"
#include "builtin/datagram.h"

/* The longest datagram, so that what is echoed is never cut. */
enum { DATAGRAM_MAX = 65536 };

/* So many before the loop looks at connections and signals again. */
enum { DATAGRAMS_IN_A_ROW = 32 };

enum { REFUSAL_QUIET_MS = 60000 };

static void say_refused(
	struct builtin *builtin, const struct datagram *datagram, enum verdict verdict)
{
	char peer[ENDPOINT_TEXT_SIZE];
	uint64_t now_ms = clock_now_ms();
	builtin->n_refused++;
	if (builtin->is_refusal_said && now_ms - builtin->refusal_said_ms < REFUSAL_QUIET_MS)
		return;
	log_notice("a datagram from %s is not answered: %s (%llu of that kind since this was last "
		   "said)",
		endpoint_format_client(peer, &datagram->peer, builtin->options->log_address),
		verdict_text(verdict),
		(unsigned long long)builtin->n_refused);
	builtin->is_refusal_said = true;
	builtin->refusal_said_ms = now_ms;
	builtin->n_refused = 0;
}

static void say_limited(struct builtin *builtin)
{
	const struct options *options = builtin->options;
	char time[TEXT_DURATION_SIZE];
	if (!builtin->is_limited)
		log_warning("more than %llu datagrams in %s: the others are not answered; raise the "
			    "key rate (--udp-rate) if that is no abuse",
			(unsigned long long)options->udp_rate,
			text_format_duration(time, options->udp_rate_time_ms));
	builtin->is_limited = true;
}

static bool take_token(struct builtin *builtin)
{
	uint64_t now_ns = clock_now_ns();
	if (bucket_wait_ns(&builtin->answers, builtin->answers_rule, now_ns) > 0) {
		say_limited(builtin);
		return false;
	}
	if (builtin->is_limited && bucket_is_full(&builtin->answers, now_ns)) {
		log_notice("all datagrams are answered again");
		builtin->is_limited = false;
	}
	bucket_take(&builtin->answers, builtin->answers_rule, now_ns);
	return true;
}

/* What is said to a datagram that was received into `bytes`: its length there. */
static size_t make_answer(struct builtin *builtin, char bytes[DATAGRAM_MAX], size_t n_received)
{
	switch (builtin->options->protocol) {
	case PROTOCOL_ECHO:
		return n_received;
	case PROTOCOL_CHARGEN:
		/* "A random number (between 0 and 512) of characters": RFC 864. */
		n_received = (size_t)(random() % (CHARGEN_DATAGRAM_MAX + 1));
		builtin->chargen_position =
			chargen_fill(bytes, n_received, builtin->chargen_position);
		return n_received;
	default:
		return protocol_answer(builtin->options->protocol, time(NULL), bytes);
	}
}

static void answer(struct port *port, const struct datagram *datagram, char bytes[DATAGRAM_MAX],
	size_t n_received)
{
	struct builtin *builtin = port->builtin;
	if (builtin->options->protocol == PROTOCOL_DISCARD)
		return;
	enum verdict verdict = caution_judge(&builtin->options->caution, &datagram->peer,
		&datagram->local, datagram->is_unicast);
	if (verdict != VERDICT_ANSWER) {
		say_refused(builtin, datagram, verdict);
		return;
	}
	if (!take_token(builtin))
		return;
	size_t length = make_answer(builtin, bytes, n_received);
	int r = datagram_answer(port->io.fd, datagram, bytes, length);
	if (r < 0)
		log_debug("an answer could not be sent: error %d", -r);
}

static void on_datagrams(struct ev_loop *loop, ev_io *io, int events)
{
	(void)loop, (void)events;
	static char bytes[DATAGRAM_MAX];
	struct port *port = io->data;
	struct datagram datagram;
	taker_touch(&port->builtin->taker);
	for (int i = 0; i < DATAGRAMS_IN_A_ROW; i++) {
		ssize_t n = datagram_receive(io->fd, port->number, &datagram, bytes, sizeof bytes);
		/* An error of an answer that was sent before (ECONNREFUSED) is nobody's end. */
		if (n == -EAGAIN)
			break;
		if (n >= 0)
			answer(port, &datagram, bytes, (size_t)n);
	}
}

int udp_start(struct builtin *builtin, int *ret_fd)
{
	const struct options *options = builtin->options;
	srandom((unsigned)clock_now_ns());
	builtin->answers_rule = bucket_rule((uint32_t)options->udp_rate,
		(uint32_t)options->udp_rate_time_ms,
		(uint32_t)(options->udp_burst ? options->udp_burst : options->udp_rate));
	for (size_t i = 0; i < options->n_udp; i++) {
		struct port *port = &builtin->ports[i];
		*ret_fd = options->udp_fds[i];
		int r = datagram_prepare(*ret_fd, &port->number);
		if (r < 0)
			return r;
		port->builtin = builtin;
		ev_io_init(&port->io, on_datagrams, *ret_fd, EV_READ);
		port->io.data = port;
		ev_io_start(builtin->taker.loop, &port->io);
	}
	return 0;
}

void udp_stop(struct builtin *builtin)
{
	for (size_t i = 0; i < builtin->options->n_udp; i++) {
		int fd = builtin->options->udp_fds[i];
		if (ev_is_active(&builtin->ports[i].io))
			ev_io_stop(builtin->taker.loop, &builtin->ports[i].io);
		fd_close(&fd);
	}
}
