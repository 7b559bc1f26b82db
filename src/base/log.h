/*
 * One line an event. Whoever knows the service and the peer logs; lower layers return errors.
 *
 * A line has no time and no newline: the sink adds what its target wants. Levels are those of
 * syslog(3). Text that a stranger may have written goes through text_escape first.
 */
#ifndef FDSUP_BASE_LOG_H
#define FDSUP_BASE_LOG_H

#include <stddef.h>
#include <syslog.h>

/* A longer line is cut, and ends in "...". Below PIPE_BUF, so that lines never mix in a pipe. */
enum { LOG_LINE_MAX = 2048 };

typedef void log_sink(int level, const char *line, size_t length);

/* Where lines go. Until it is called they go to standard error as they are. */
void log_set_sink(log_sink *sink);

/*
 * To standard error, each line with the prefix that says its level: "<6>" (sd-daemon(3)). For our
 * own processes under the supervisor, which reads the prefix back.
 */
void log_to_supervisor(void);

/* Each line that goes to the sink goes there as well; NULL: nowhere. It must not log. */
void log_set_tap(log_sink *tap);

/* Lines above this level are dropped. LOG_INFO at the start. */
void log_set_level(int level);
int log_level(void);

/* error, warning, notice, info, debug. */
const char *log_level_name(int level);

void log_line(int level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A line that is already written. */
void log_text(int level, const char *text);

#define log_error(...)   log_line(LOG_ERR, __VA_ARGS__)
#define log_warning(...) log_line(LOG_WARNING, __VA_ARGS__)
#define log_notice(...)  log_line(LOG_NOTICE, __VA_ARGS__)
#define log_info(...)    log_line(LOG_INFO, __VA_ARGS__)
#define log_debug(...)   log_line(LOG_DEBUG, __VA_ARGS__)

#endif
