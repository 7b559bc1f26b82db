/*
 * Who may connect, by address: the keys allow and deny. Decided before anything else is done for a
 * client (CVE-2012-0862), on every way in.
 *
 * What `deny` names is out, whatever `allow` says. With `allow` only what it names is in, and an empty
 * one means nobody. Local clients of a Unix socket have no address: its permissions decide.
 */
#ifndef FDSUP_POLICY_ACCESS_H
#define FDSUP_POLICY_ACCESS_H

#include <stdbool.h>
#include <stddef.h>

#include "wire/network.h"

struct access_rules {
	bool has_allow;
	const struct network *allow;
	size_t n_allow;
	const struct network *deny;
	size_t n_deny;
};

enum access_verdict { ACCESS_GRANTED, ACCESS_DENIED, ACCESS_NOT_ALLOWED };

/* A client whose address is not known gets in only where everybody does. */
enum access_verdict access_judge(const struct access_rules *rules, const struct endpoint *client);

/* The key that shut a client out: "deny", "allow". */
const char *access_key(enum access_verdict verdict);

#endif
