/*
 * One string to the words of a command, with quotes as in a shell but without one: no variables,
 * no patterns, no operators. 'x' is literal, "x" knows \" and \\, and \x outside quotes is x.
 */
#ifndef FDSUP_CONFIG_WORDS_H
#define FDSUP_CONFIG_WORDS_H

#include "config/config.h"

/* 0, -ENOMEM, or -EINVAL with *ret_reason, a constant text: what is wrong and the remedy. */
int words_split(const char *text, struct text_list *ret_words, const char **ret_reason);

#endif
