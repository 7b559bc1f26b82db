#include <criterion/criterion.h>
#include <string.h>

#include "config/keys.h"
#include "config/value.h"

Test(keys, each_has_a_place_and_a_line_of_help)
{
	for (size_t i = 0; i < config_keys_n; i++) {
		const struct config_key *key = &config_keys[i];
		cr_expect(key->places, "%s", key->name);
		cr_expect(key->help && key->help[0], "%s", key->name);
		cr_expect(
			!(key->places & PLACE_SERVICE) || key->types, "%s has no type", key->name);
		cr_expect((key->kind == KEY_ENUM || key->kind == KEY_FLAGS) == !!key->names, "%s",
			key->name);
		cr_expect(!key->has_field || key->is_supported, "%s", key->name);
	}
}

Test(keys, each_is_found_where_it_may_stand_and_nowhere_else)
{
	for (size_t i = 0; i < config_keys_n; i++) {
		const struct config_key *key = &config_keys[i];
		for (unsigned place = PLACE_GLOBAL; place <= PLACE_SERVICE; place *= 2)
			cr_expect_eq(key_find(key->name, place) == key, !!(key->places & place),
				"%s in place %u", key->name, place);
	}
	cr_expect_null(key_find("nothing", ~0U));
	cr_expect_eq(key_find("log", PLACE_GLOBAL)->kind, KEY_GROUP);
	cr_expect_eq(key_find("log", PLACE_SERVICE)->kind, KEY_FLAGS);
}

Test(keys, each_default_is_a_value_of_its_kind)
{
	for (size_t i = 0; i < config_keys_n; i++) {
		uint64_t field[4] = { 0 };
		cr_expect_eq(
			value_set_default(&config_keys[i], field), 0, "%s", config_keys[i].name);
		value_fini(&config_keys[i], field);
	}
}

static const void *field_of(const struct config_key *key)
{
	static struct resource_limit limits[LIMIT_KINDS];
	static struct service_written written;
	static struct service_sockets sockets;
	static struct service_surroundings surroundings;
	static struct service_admission admission;
	static struct service_supervision supervision;
	static struct service_config service = {
		.written = &written,
		.sockets = &sockets,
		.surroundings = &surroundings,
		.admission = &admission,
		.supervision = &supervision,
		.limits = limits,
	};
	static struct config config;
	return key_field(key, key->places & PLACE_GLOBAL ? (void *)&config : (void *)&service);
}

Test(keys, no_two_share_a_field)
{
	for (size_t i = 0; i < config_keys_n; i++)
		for (size_t j = 0; j < i; j++) {
			const struct config_key *a = &config_keys[i], *b = &config_keys[j];
			if (a->has_field && b->has_field)
				cr_expect_neq(field_of(a), field_of(b), "%s, %s", a->name, b->name);
		}
}

Test(keys, members_follow_their_group)
{
	for (size_t i = 0; i < config_keys_n; i++) {
		const char *dot = strchr(config_keys[i].name, '.');
		if (!dot)
			continue;
		char group[32];
		snprintf(group, sizeof group, "%.*s", (int)(dot - config_keys[i].name),
			config_keys[i].name);
		const struct config_key *key = key_find(group, config_keys[i].places);
		cr_assert(key, "%s", config_keys[i].name);
		cr_expect(key_has_members(key), "%s", group);
		cr_expect_eq(key->types, config_keys[i].types, "%s", config_keys[i].name);
	}
	cr_expect_not(key_has_members(key_find("services", PLACE_GLOBAL)));
}

Test(keys, a_typing_error_finds_its_key)
{
	cr_expect_str_eq(key_closest("adress", PLACE_SERVICE), "address");
	cr_expect_str_eq(key_closest("acceptrs", PLACE_GLOBAL), "acceptors");
	cr_expect_str_eq(key_closest("workers.mim", PLACE_SERVICE), "workers.min");
	cr_expect_null(key_closest("zzzzzzzz", PLACE_SERVICE));
}
