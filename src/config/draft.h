/*
 * A struct that is being filled from settings, and where each of its values was written: a problem
 * that shows later, when keys are seen together, still names the right line.
 */
#ifndef FDSUP_CONFIG_DRAFT_H
#define FDSUP_CONFIG_DRAFT_H

#include "config/keys.h"
#include "config/problems.h"

struct origin {
	const char *file;
	unsigned line;   /* 0: not written anywhere */
	bool is_default; /* written in defaults = { } */
};

struct draft {
	void *fields; /* struct service_config or struct config */
	enum key_place place;
	const char *path; /* "services.rsync", "defaults" or "" */
	const char *file;
	unsigned line;        /* of the group, 0 for the file as a whole */
	unsigned line_offset; /* between the lines of libconfig's tree and those of the file */
	struct problems *problems;
	bool is_trusting; /* what was there once is not looked at again: config_load_texts */
	struct origin origins[CONFIG_KEYS_MAX]; /* by the row of the key */
};

/* Written in the group itself or in defaults = { }. */
bool draft_has(const struct draft *draft, const char *key);

/* Written in the group itself. */
bool draft_has_own(const struct draft *draft, const char *key);

/* The same for one item of a list, counted from 0: its path ends in "address[1]". */
void draft_item_problem(struct draft *draft, const char *key, size_t item, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* Adds a problem where the key was written, else where the group begins. key NULL: the group. */
void draft_problem(struct draft *draft, const char *key, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

enum { PATH_TEXT_SIZE = 256 };

/* "services.rsync.port". Returns text. */
char *draft_path(const struct draft *draft, const char *key, char text[PATH_TEXT_SIZE]);

#endif
