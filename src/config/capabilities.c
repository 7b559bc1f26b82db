/*
 * The key capabilities: names, with or without "cap_", become bits and names again.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/capability.h"
#include "base/text.h"
#include "config/list.h"
#include "config/problems.h"
#include "config/value.h"

/* In the order of linux/capability.h. */
static const char *const names[] = { "chown", "dac_override", "dac_read_search", "fowner", "fsetid", "kill",
	"setgid", "setuid", "setpcap", "linux_immutable", "net_bind_service", "net_broadcast", "net_admin",
	"net_raw", "ipc_lock", "ipc_owner", "sys_module", "sys_rawio", "sys_chroot", "sys_ptrace",
	"sys_pacct", "sys_admin", "sys_boot", "sys_nice", "sys_resource", "sys_time", "sys_tty_config",
	"mknod", "lease", "audit_write", "audit_control", "setfcap", "mac_override", "mac_admin", "syslog",
	"wake_alarm", "block_suspend", "audit_read", "perfmon", "bpf", "checkpoint_restore" };

enum { N_NAMES = sizeof names / sizeof *names, NAME_SIZE = 32 };
_Static_assert((int)N_NAMES <= (int)CAPABILITIES_MAX, "a bit each, and one for \"given\"");

const char *capability_name(int number)
{
	return number < N_NAMES ? names[number] : "?";
}

/* In small letters, without "cap_". */
static void simplify(const char *word, char name[NAME_SIZE])
{
	if (!strncasecmp(word, "cap_", 4))
		word += 4;
	size_t n = 0;
	for (; word[n] && n < NAME_SIZE - 1; n++)
		name[n] = (char)(word[n] >= 'A' && word[n] <= 'Z' ? word[n] + ('a' - 'A') : word[n]);
	name[n] = 0;
}

static int find(const char *word, int *ret_number, char reason[VALUE_REASON_SIZE])
{
	char name[NAME_SIZE], written[QUOTE_SIZE];
	simplify(word, name);
	for (int i = 0; i < N_NAMES; i++) {
		if (strcmp(names[i], name))
			continue;
		*ret_number = i;
		return 0;
	}
	if (!strcmp(name, "none") || !*name) {
		snprintf(reason, VALUE_REASON_SIZE, "none at all is an empty list; write [ ]");
		return -EINVAL;
	}
	const char *closest = text_closest(name, names, N_NAMES);
	quote(written, word);
	if (closest)
		snprintf(reason, VALUE_REASON_SIZE, "there is no capability %s; did you mean \"%s\"?",
			written, closest);
	else
		snprintf(reason, VALUE_REASON_SIZE,
			"there is no capability %s; write names from capabilities(7), as "
			"\"net_bind_service\"",
			written);
	return -EINVAL;
}

int parse_capabilities(const struct config_key *key, const struct literal *literal, void *field,
	char reason[VALUE_REASON_SIZE])
{
	(void)key;
	bool is_list = literal->type == LITERAL_LIST;
	const char *const *items = is_list ? literal->items : &literal->text;
	size_t n = is_list ? literal->n : 1;
	uint64_t kept = CAPABILITIES_GIVEN;
	for (size_t i = 0; i < n; i++) {
		int number = 0;
		int r = find(items[i], &number, reason);
		if (r < 0)
			return r;
		kept |= CAPABILITY_BIT(number);
	}
	*(uint64_t *)field = kept;
	return 0;
}

void format_capabilities(const struct config_key *key, const void *field, FILE *out)
{
	(void)key;
	uint64_t kept = *(const uint64_t *)field;
	const char *between = "";
	fputs("[ ", out);
	for (int i = 0; i < N_NAMES; i++) {
		if (!(kept & CAPABILITY_BIT(i)))
			continue;
		fprintf(out, "%s\"%s\"", between, names[i]);
		between = ", ";
	}
	fputs(*between ? " ]" : "]", out);
}
