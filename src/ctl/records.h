/*
 * Rows of a reply that may be very many: kept as the text that came, and read one at a time.
 *
 * A tree of values for ten thousand rows takes ten times as long to make as all the rest of a listing.
 * So the text is only cut into rows and these into members; what is more than a plain text, an integer or
 * null is left to jansson, and so is every message of another form.
 */
#ifndef FDSUP_CTL_RECORDS_H
#define FDSUP_CTL_RECORDS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum { RECORD_MEMBERS_MAX = 32 };

struct record {
	const char *text; /* an object */
	size_t length;
};

/* All zeros: none. */
struct records {
	struct record *items;
	size_t n, room;
	char **messages; /* what the items are part of */
	size_t n_messages;
	json_t *row; /* the one that was read last */
	struct record_member {
		char *name;
		size_t name_length;
		json_t *value; /* in `row`; NULL: left out */
	} members[RECORD_MEMBERS_MAX];
	size_t n_members;
};

/* What a message says besides its rows. */
struct records_piece {
	bool continues;
	bool is_incomplete; /* "complete" is false */
};

/*
 * Adds the rows of a reply: the array `name` of its parameters. 0; -ENOMEM; -EBADMSG: it is an error, or
 * another form of reply, or no reply, and nothing was added.
 */
int records_take(
	struct records *records, const char *message, const char *name, struct records_piece *ret);

/* Row i, good until the next is read. */
const json_t *records_at(struct records *records, size_t i);

/* All of them, the caller's. */
json_t *records_to_json(const struct records *records);

/* As json_dumpf(3) with JSON_INDENT(2) would print the array as the member of an object. */
void records_print(FILE *out, const struct records *records);

void records_fini(struct records *records);

#endif
