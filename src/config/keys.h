/*
 * Every key of the configuration, in one table.
 *
 * The loader, the checks, the comparison, `fdsup --show-config`, the completion and the manual's
 * list walk this table, so a new key is one row in keys.c. A key that is agreed but not yet
 * supported has a row, too: it is checked like any other and then refused, never ignored.
 */
#ifndef FDSUP_CONFIG_KEYS_H
#define FDSUP_CONFIG_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/config.h"

/* What is written, and the field it becomes. */
enum key_kind {
	KEY_GROUP,    /* { }: no field of its own */
	KEY_BOOLEAN,  /* bool */
	KEY_INTEGER,  /* int32_t or uint32_t */
	KEY_NUMBER,   /* double */
	KEY_DURATION, /* uint64_t, milliseconds */
	KEY_SIZE,     /* uint64_t, bytes */
	KEY_COUNT_LIMIT, /* struct resource_limit: "1024", "1024:4096", "unlimited" */
	KEY_SIZE_LIMIT,  /* the same for sizes: "64M" */
	KEY_TIME_LIMIT,  /* the same for times, in seconds: "30s" */
	KEY_CAPABILITIES, /* uint64_t: bits, and CAPABILITIES_GIVEN */
	KEY_MODE,     /* uint32_t, written as "0660" */
	KEY_SIGNAL,   /* int32_t */
	KEY_RATE,     /* struct rate_limit: "10/s", "10/s burst 50" */
	KEY_DEATHS,   /* struct rate_limit without a burst: "5/10s" */
	KEY_ENUM,     /* int: one of `names` */
	KEY_FLAGS,    /* uint32_t: bits of `names`, one or a list */
	KEY_STRING,   /* char * */
	KEY_PATH,     /* char *, absolute */
	KEY_SOCKET,   /* char *, absolute path or "@name", fits into sun_path */
	KEY_ID,       /* char *, name or number of a user or group */
	KEY_PORT,     /* char *, name or number */
	KEY_STRINGS,  /* struct text_list, from one string or a list */
	KEY_IDS,      /* struct text_list, names or numbers */
	KEY_COMMAND,  /* struct text_list, from a list or from one string split into words */
};

/* Where a key may stand, as bits. */
enum key_place {
	PLACE_GLOBAL = 1,   /* at the top of the main file */
	PLACE_INCLUDED = 2, /* at the top of an included file */
	PLACE_DEFAULTS = 4, /* in defaults = { } */
	PLACE_SERVICE = 8,  /* in a service */
};

/* What of a service holds the field of a key. */
enum key_part {
	KEY_IN_SERVICE, /* struct service_config itself or, of PLACE_GLOBAL, struct config */
	KEY_IN_WRITTEN, /* what it resolves to is compared, not how it is written */
	KEY_IN_LIMITS,
	KEY_IN_SOCKETS,
	KEY_IN_SURROUNDINGS,
	KEY_IN_ADMISSION,
	KEY_IN_SUPERVISION,
};

struct key_name {
	const char *name;
	int value;
	bool is_future; /* agreed, refused by this version */
};

struct config_key {
	const char *name; /* "workers.min" */
	enum key_kind kind;
	unsigned places;          /* bits of enum key_place */
	unsigned types;           /* 1 << enum service_type (or KEY_TYPE_DATAGRAMS): the services it has
	                             a meaning for */
	const char *default_text; /* as it would be written; NULL: none, or derived (see `help`) */
	bool is_supported;
	bool has_field;
	bool reads_future; /* future names are read, and refused once the other keys were seen */
	enum key_part part; /* where its field is, and there at `offset` */
	size_t offset;
	enum config_change change;    /* what a running service needs when it differs */
	int64_t min, max;             /* of integers, durations, sizes; both 0: any */
	const struct key_name *names; /* of KEY_ENUM and KEY_FLAGS; ends with a NULL */
	const char *help;             /* one line, without a full stop */
};

/*
 * A builtin service that answers datagrams counts as a type of its own here, since it has no
 * connections, which most keys of a builtin service are about.
 */
enum { KEY_TYPE_DATAGRAMS = SERVICE_DAEMON + 1 };

enum { CONFIG_KEYS_MAX = 128 }; /* room for a value a key */

extern const struct config_key config_keys[];
extern const size_t config_keys_n;

/* The key of this full name that may stand in one of the places, or NULL. */
const struct config_key *key_find(const char *name, unsigned places);

/* Whether the key is a group that has rows of its own: "workers" has, "services" has not. */
bool key_has_members(const struct config_key *key);

/* The name most like `name` that may stand in the place, or NULL. */
const char *key_closest(const char *name, enum key_place place);

/* The field of the key in a struct service_config or config; a pack has none as it is written. */
static inline void *key_field(const struct config_key *key, const void *fields)
{
	const struct service_config *service = fields;
	const void *part = fields;
	switch (key->part) {
	case KEY_IN_SERVICE:
		break;
	case KEY_IN_WRITTEN:
		part = service->written;
		break;
	case KEY_IN_LIMITS:
		part = service->limits;
		break;
	case KEY_IN_SOCKETS:
		part = service->sockets;
		break;
	case KEY_IN_SURROUNDINGS:
		part = service->surroundings;
		break;
	case KEY_IN_ADMISSION:
		part = service->admission;
		break;
	case KEY_IN_SUPERVISION:
		part = service->supervision;
		break;
	}
	return (char *)(uintptr_t)part + key->offset;
}

static inline bool key_applies(const struct config_key *key, enum service_type type)
{
	return key->types >> type & 1;
}

/* The same for a service whose type and protocol are known. */
static inline bool key_fits(const struct config_key *key, const struct service_config *service)
{
	bool is_of_datagrams = service_answers_datagrams(service);
	return key->types >> (is_of_datagrams ? KEY_TYPE_DATAGRAMS : (int)service->type) & 1;
}

/* Whether the value of this key is stored in struct service_config. */
static inline bool key_is_of_service(const struct config_key *key)
{
	return key->has_field && (key->places & PLACE_SERVICE);
}

#endif
