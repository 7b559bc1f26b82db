/*
 * Running text, broken between words where the line is full. Without a terminal it is one line.
 */
#ifndef FDSUP_CTL_PARAGRAPH_H
#define FDSUP_CTL_PARAGRAPH_H

#include <stdio.h>

#include "ctl/look.h"

struct paragraph {
	FILE *out;
	const struct look *look;
	unsigned width; /* 0: no limit */
	unsigned used;  /* columns of the line */
};

struct paragraph paragraph_begin(FILE *out, const struct look *look);

/* Cleans it. NULL: nothing. */
void paragraph_add(struct paragraph *paragraph, const char *text);
void paragraph_end(struct paragraph *paragraph);

#endif
