/*
 * top: the status, painted again in place as it changes.
 *
 * It needs of a terminal what all have known since the VT100: to be cleared, and a cursor that can be
 * put home. The screen that was there before comes back at the end, whatever ends it.
 */
#include "ctl/verbs.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "ctl/ask.h"
#include "ctl/complaint.h"
#include "ctl/exitcode.h"
#include "ctl/listing.h"
#include "ctl/number.h"
#include "ctl/options.h"
#include "ctl/render.h"
#include "ctl/view.h"

struct top {
	struct ctl *ctl;
	struct table_choice choice;
	struct termios before; /* of standard input, where that is a terminal */
	bool has_keys;
	json_t *status; /* the last answer */
	size_t first;   /* the first line of it that is shown */
	int code;
};

static void screen_enter(struct top *top)
{
	struct termios raw = top->before;
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	if (top->has_keys)
		tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
	fputs("\033[?1049h\033[?25l\033[?7l", top->ctl->out); /* another screen, no cursor, no wrapping */
	fflush(top->ctl->out);
}

static void screen_leave(struct top *top)
{
	fputs("\033[?7h\033[?25h\033[?1049l", top->ctl->out);
	fflush(top->ctl->out);
	if (top->has_keys)
		tcsetattr(STDIN_FILENO, TCSADRAIN, &top->before);
}

static unsigned screen_height(void)
{
	struct winsize size;
	return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 2 ? size.ws_row : 24;
}

static size_t count_lines(const char *text)
{
	size_t n = 0;
	for (; (text = strchr(text, '\n')); text++)
		n++;
	return n;
}

/* The lines that fit, from the first that is to be seen; the rest of the screen is cleared. */
static void paint_lines(struct top *top, const char *text, unsigned height)
{
	size_t n = count_lines(text);
	if (top->first + height > n)
		top->first = n > height ? n - height : 0;
	for (size_t i = 0; i < top->first; i++)
		text = strchr(text, '\n') + 1;
	for (unsigned i = 0; i < height && *text; i++) {
		size_t length = strcspn(text, "\n");
		fprintf(top->ctl->out, "%s%.*s\033[K", i ? "\r\n" : "\033[H", (int)length, text);
		text += length + (text[length] == '\n');
	}
	fputs("\033[J", top->ctl->out);
}

static void paint(struct top *top)
{
	struct ctl *ctl = top->ctl;
	char *text = NULL, stamp[NUMBER_SIZE];
	size_t size;
	FILE *out = top->status ? open_memstream(&text, &size) : NULL;
	if (!out)
		return;
	ctl->look = look_of(STDOUT_FILENO); /* it may have another size now */
	look_print_line(out, &ctl->look, TONE_QUIET, "%s  q quits%s",
		number_format_time(stamp, clock_wall_ms()), top->first ? ", k goes up" : "");
	render_status(out, top->status, &top->choice, ctl->is_verbose, &ctl->look);
	fclose(out);
	paint_lines(top, text, screen_height());
	fflush(ctl->out);
	free(text);
}

/* False: the end. */
static bool on_key(struct top *top)
{
	char key;
	ssize_t n = read(STDIN_FILENO, &key, 1);
	if (n <= 0)
		top->has_keys = false;
	else if (key == 'q' || key == 'Q')
		return false;
	else if (key == 'j' || key == ' ')
		top->first += key == ' ' ? 10 : 1;
	else if (key == 'k' && top->first)
		top->first--;
	if (n > 0)
		paint(top);
	return true;
}

static bool on_signal(struct top *top, int signal_fd)
{
	struct signalfd_siginfo info;
	if (read(signal_fd, &info, sizeof info) != sizeof info)
		return true;
	if (info.ssi_signo == SIGTSTP) {
		screen_leave(top);
		raise(SIGSTOP);
		screen_enter(top);
	} else if (info.ssi_signo != SIGWINCH && info.ssi_signo != SIGCONT) {
		top->code = info.ssi_signo == SIGINT ? CTL_OK : 128 + (int)info.ssi_signo;
		return false;
	}
	paint(top);
	return true;
}

/* All answers that are there; only the last one is worth painting. */
static bool on_answers(struct top *top, struct client_input *input, int fd)
{
	struct client_reply reply;
	do {
		int r = client_next(input, fd, QUERY_TIMEOUT_MS, &reply);
		if (r < 0) {
			top->code = CTL_NOT_RUNNING;
			return false;
		}
		if (reply.error) {
			top->code = exitcode_of_error(reply.error, true);
			client_reply_fini(&reply);
			return false;
		}
		json_decref(top->status);
		top->status = json_incref(reply.parameters);
		client_reply_fini(&reply);
	} while (client_has_next(input));
	view_apply(top->ctl, &table_status, top->status, "services");
	paint(top);
	return true;
}

static void loop(struct top *top, struct client_input *input, int fd, int signal_fd)
{
	struct pollfd fds[] = { { .fd = fd, .events = POLLIN }, { .fd = signal_fd, .events = POLLIN },
		{ .fd = STDIN_FILENO, .events = POLLIN } };
	for (bool goes_on = true; goes_on;) {
		fds[2].fd = top->has_keys ? STDIN_FILENO : -1;
		if (poll(fds, 3, -1) < 0 && errno != EINTR)
			return;
		if (fds[1].revents)
			goes_on = on_signal(top, signal_fd);
		if (goes_on && fds[0].revents)
			goes_on = on_answers(top, input, fd);
		if (goes_on && fds[2].revents)
			goes_on = on_key(top);
	}
}

static int watch_signals(void)
{
	static const int numbers[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGCONT, SIGWINCH };
	sigset_t set;
	sigemptyset(&set);
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
		sigaddset(&set, numbers[i]);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC);
}

/* A first answer that is an error is said on the screen that was there before. */
static int run(struct top *top, int fd)
{
	struct client_input input = { 0 };
	struct client_reply reply;
	json_t *parameters = services_parameter(top->ctl);
	uint64_t interval_ms = is_given(top->ctl, OPTION_INTERVAL) ? top->ctl->interval_ms : 1000;
	json_object_set_new(parameters, "interval_ms", json_integer((json_int_t)interval_ms));
	int r = client_call_more(fd, "org.fdsup.Status", parameters, QUERY_TIMEOUT_MS);
	if (r == 0)
		r = client_next(&input, fd, QUERY_TIMEOUT_MS, &reply);
	if (r < 0) {
		client_input_fini(&input);
		return complain_call(top->ctl->socket_path, -r, QUERY_TIMEOUT_MS);
	}
	if (reply.error) {
		complain_reply(top->ctl->socket_path, &reply);
		top->code = exitcode_of_error(reply.error, true);
	} else {
		fd_auto int signal_fd = watch_signals();
		top->status = json_incref(reply.parameters);
		view_apply(top->ctl, &table_status, top->status, "services");
		screen_enter(top);
		paint(top);
		loop(top, &input, fd, signal_fd);
		screen_leave(top);
		if (top->code == CTL_NOT_RUNNING)
			complain("fdsup has ended");
	}
	client_reply_fini(&reply);
	client_input_fini(&input);
	json_decref(top->status);
	return top->code;
}

int run_top(struct ctl *ctl)
{
	const char *term = getenv("TERM");
	struct top top = { .ctl = ctl, .code = CTL_OK };
	fd_auto int fd = -1;
	if (!choose_columns(ctl, &table_status, &top.choice))
		return CTL_USAGE;
	if (!isatty(STDOUT_FILENO) || !term || !strcmp(term, "dumb")) {
		complain("top needs a terminal; fdsupctl status prints the same once, and fdsupctl events "
			 "what changes");
		return CTL_USAGE;
	}
	top.has_keys = tcgetattr(STDIN_FILENO, &top.before) == 0;
	int r = client_connect(ctl->socket_path, QUERY_TIMEOUT_MS, &fd);
	return r < 0 ? complain_connect(ctl->socket_path, -r) : run(&top, fd);
}
