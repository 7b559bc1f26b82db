/*
 * Why there is no memory: the kernel says "Cannot allocate memory" for a machine that has none left, and
 * for a limit of the process or of its control group that nobody remembers.
 */
#ifndef FDSUP_BASE_SHORTAGE_H
#define FDSUP_BASE_SHORTAGE_H

/*
 * As strerror(3). Of ENOMEM it names the limits that this process has, which those that it starts inherit, and
 * what raises them. The text holds until the next call.
 */
const char *shortage_explain(int error);

/* The same where `name`, "limits.as", is known to be what is too little; `bytes` 0: it is not. */
const char *shortage_explain_limit(int error, const char *name, unsigned long long bytes);

/* What of that is about ENOMEM, without the words for ENOMEM itself. */
const char *shortage_of_limit(const char *name, unsigned long long bytes);

#endif
