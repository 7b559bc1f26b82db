/*
 * What must survive this process, as records: one for the supervisor, one for each acceptor, service
 * and configuration. A record is a JSON object, the descriptors that it names by their place, and
 * bytes of which it does the same.
 *
 * What a record holds is told by a table of rows, one for each thing. A thing that must survive from
 * now on is one more row, or a pair of functions where it is more than a number or a text. A row that
 * a record lacks is left as it was (all zeros, no descriptor), and one that nobody knows is passed
 * over: so versions understand each other as long as STATE_FORMAT and STATE_READABLE_FROM say so.
 */
#ifndef FDSUP_SUPERVISOR_STATE_H
#define FDSUP_SUPERVISOR_STATE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	STATE_FORMAT = 1,        /* grows when old readers would misunderstand, */
	STATE_READABLE_FROM = 1, /* down to readers of this format, */
	STATE_OLDEST = 1,        /* and the oldest that this program still reads */
};

enum { STATE_ERROR_SIZE = 320, STATE_KEY_SIZE = 64 };

/* Saving: borrowed. Restoring: owned, -1 once taken. */
struct state_fds {
	int *items;
	size_t n;
	bool is_brief; /* saving often: the last words of a program, not all that it said */
	char *bytes;   /* owned; what is much, and would cost more as JSON than all the rest */
	size_t n_bytes;
	size_t n_bytes_max;
};

struct state_record {
	char key[STATE_KEY_SIZE];
	json_t *json; /* owned */
	struct state_fds fds;
};

struct state {
	struct state_record *records;
	size_t n;
	bool owns_fds; /* they are closed with it */
};

/* ---- rows ------------------------------------------------------------------------------------ */

enum state_kind {
	STATE_BOOL,
	STATE_UNSIGNED,
	STATE_SIGNED,
	STATE_REAL,
	STATE_TEXT, /* char *, owned by the object; NULL is left out */
	STATE_FD,   /* int, -1 is left out */
	STATE_PART, /* by a pair of functions */
};

struct state_row {
	const char *name;
	enum state_kind kind;
	size_t offset;
	size_t size;
	/* A new value, or NULL for nothing to be saved. */
	json_t *(*save)(const void *object, struct state_fds *fds);
	/* `value` is not NULL. 0, or -errno with the reason in error. */
	int (*restore)(void *object, const json_t *value, struct state_fds *fds,
		char error[STATE_ERROR_SIZE]);
};

#define STATE_FIELD(kind, type, field)                                                             \
	{                                                                                          \
		#field, kind, offsetof(type, field), sizeof(((type *)0)->field), NULL, NULL        \
	}
#define STATE_PAIR(name, save, restore)                                                            \
	{                                                                                          \
		name, STATE_PART, 0, 0, save, restore                                              \
	}

/* A new object; NULL without memory. What is zero is left out. */
json_t *state_save_rows(
	const struct state_row *rows, size_t n, const void *object, struct state_fds *fds);

/* 0, or -errno with what is wrong. The object is then as far as it came, and can be destroyed. */
int state_restore_rows(const struct state_row *rows, size_t n, void *object, const json_t *json,
	struct state_fds *fds, char error[STATE_ERROR_SIZE]);

/* An array of what `next` leads to, and back: for lists of structs with rows of their own. */
json_t *state_save_fd(int fd, struct state_fds *fds);
int state_restore_fd(const json_t *value, struct state_fds *fds, int *ret_fd);

/* ---- records ------------------------------------------------------------------------------------ */

/* Takes the JSON and the descriptors' list. 0 or -ENOMEM, then both are freed. */
int state_add(struct state *state, const char *key, json_t *json, struct state_fds *fds);

/* The same for bytes, which are copied: their place and their number. NULL: there are none. */
json_t *state_save_bytes(const void *bytes, size_t n, struct state_fds *fds);

/* Borrowed from the record. 0, or -EINVAL: they are not there. */
int state_restore_bytes(
	const json_t *value, const struct state_fds *fds, const char **ret_bytes, size_t *ret_n);

/* NULL: there is none. */
struct state_record *state_find(const struct state *state, const char *key);

/* Calls back for each record whose key begins so, until that is not 0; returns what it returned. */
int state_each(const struct state *state, const char *prefix,
	int (*visit)(void *context, struct state_record *record), void *context);

void state_free(struct state *state);

/*
 * As a memory file, for the program that is executed in our place: descriptors by their numbers. The
 * file is the caller's; -errno.
 */
int state_write(const struct state *state);

/* Reads such a file. The numbers are descriptors of this process only after such an exec. */
int state_read(int fd, struct state *ret_state, char error[STATE_ERROR_SIZE]);

#endif
