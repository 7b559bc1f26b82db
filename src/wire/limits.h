/*
 * Resource limits of a program: as fields, as text on the command line of fdsup-worker, and set.
 *
 * Units are those of setrlimit(2): bytes, counts, and seconds for LIMIT_CPU.
 */
#ifndef FDSUP_WIRE_LIMITS_H
#define FDSUP_WIRE_LIMITS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>

enum limit_kind {
	LIMIT_NOFILE,
	LIMIT_NPROC,
	LIMIT_AS,
	LIMIT_CPU,
	LIMIT_CORE,
	LIMIT_DATA,
	LIMIT_FSIZE,
	LIMIT_MEMLOCK,
	LIMIT_STACK,
	LIMIT_KINDS,
};

#define LIMIT_UNLIMITED UINT64_MAX

struct resource_limit {
	uint64_t soft; /* at most `hard` */
	uint64_t hard;
	bool is_given; /* false: it stays as it is */
};

/* "nofile", and RLIMIT_NOFILE. */
const char *limit_name(enum limit_kind kind);
int limit_resource(enum limit_kind kind);

/* For setrlimit(2). */
struct rlimit limit_values(const struct resource_limit *limit);

enum { LIMITS_TEXT_SIZE = 512 };

/* "nofile=1024:4096,core=0:unlimited": those that are given. Returns text. */
char *limits_format(
	char text[LIMITS_TEXT_SIZE], const struct resource_limit limits[LIMIT_KINDS]);

/*
 * The one by which a program may be refused memory at its start, that of the address space first;
 * *ret_bytes 0: neither is given. Returns its key.
 */
const char *limits_of_memory(
	const struct resource_limit limits[LIMIT_KINDS], unsigned long long *ret_bytes);

/* The reverse; others stay as they are. 0 or -EINVAL. */
int limits_parse(const char *text, struct resource_limit limits[LIMIT_KINDS]);

/*
 * Sets those that are given. LIMIT_KINDS; or the kind that failed, with errno: only who has
 * CAP_SYS_RESOURCE can raise a hard limit. Nothing but system calls, so that a vfork child may do it.
 */
enum limit_kind limits_set(const struct resource_limit limits[LIMIT_KINDS]);

/*
 * Raises hard limits that lie below those given, and no other, so that they can be set later by who
 * may not raise any more. As limits_set.
 */
enum limit_kind limits_raise(const struct resource_limit limits[LIMIT_KINDS]);

#endif
