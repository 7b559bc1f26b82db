#include "acceptor/survey.h"

#include <errno.h>
#include <sys/socket.h>

#include "base/fd.h"

/* Of about a hundred connections each, in one turn of the loop. */
enum { PIECES_AT_ONCE = 3, PIECES_MAX = 100000 };

static void begin(struct survey *survey);

static void end(struct survey *survey, int error)
{
	struct survey_visitor *visitor = survey->current;
	ev_io_stop(survey->loop, &survey->io);
	survey->family = 0;
	survey->current = NULL;
	survey->is_ending = true;
	while (visitor) {
		struct survey_visitor *next = visitor->next;
		visitor->on_end(visitor->context, error);
		visitor = next;
	}
	survey->is_ending = false;
	if (survey->waiting)
		begin(survey);
}

static void ignore(void *context, const struct diag_facts *facts)
{
	(void)context;
	(void)facts;
}

/*
 * What is left of an answer that went wrong must not be taken for the next. (It has to be read: a
 * confined acceptor gets no new socket.)
 */
static void read_rest(struct survey *survey)
{
	int r = 1;
	for (int i = 0; i < PIECES_MAX && r != -EAGAIN; i++)
		r = diag_read_some(survey->io.fd, ignore, NULL);
}

static void ask(struct survey *survey, int family)
{
	int r = survey->io.fd < 0 ? -ENOENT : diag_ask_all(survey->io.fd, family);
	survey->family = family;
	if (r < 0)
		end(survey, r);
	else
		ev_io_start(survey->loop, &survey->io);
}

static void begin(struct survey *survey)
{
	survey->current = survey->waiting;
	survey->waiting = NULL;
	ask(survey, AF_INET);
}

static void show(void *context, const struct diag_facts *facts)
{
	const struct survey *survey = context;
	for (struct survey_visitor *visitor = survey->current; visitor; visitor = visitor->next)
		visitor->on_connection(visitor->context, facts);
}

static void on_answer(struct ev_loop *loop, ev_io *io, int revents)
{
	(void)revents;
	struct survey *survey = io->data;
	int r = 1;
	for (int i = 0; i < PIECES_AT_ONCE && r == 1; i++)
		r = diag_read_some(io->fd, show, survey);
	if (r == 1 || r == -EAGAIN)
		return;
	ev_io_stop(loop, io);
	if (r < 0)
		read_rest(survey);
	if (r < 0 || survey->family == AF_INET6)
		end(survey, r);
	else
		ask(survey, AF_INET6);
}

int survey_open(struct survey *survey, struct ev_loop *loop)
{
	int fd = diag_open();
	int r = fd < 0 ? fd : diag_probe(fd);
	*survey = (struct survey){ .loop = loop };
	if (r < 0)
		fd_close(&fd);
	ev_io_init(&survey->io, on_answer, r < 0 ? -1 : fd, EV_READ);
	survey->io.data = survey;
	return r;
}

void survey_close(struct survey *survey)
{
	if (!survey->loop)
		return;
	ev_io_stop(survey->loop, &survey->io);
	fd_close(&survey->io.fd);
	survey->current = survey->waiting = NULL;
}

void survey_join(struct survey *survey, struct survey_visitor *visitor)
{
	visitor->next = survey->waiting;
	survey->waiting = visitor;
	if (!survey->family && !survey->is_ending)
		begin(survey);
}
