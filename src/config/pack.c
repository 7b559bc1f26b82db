#include "config/pack.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/keys.h"
#include "config/texts_file.h"
#include "config/value.h"

/*
 * Nothing in a piece ever changes, so that what is the same is there once, whoever it belongs to: bytes
 * that are equal, pointers among them, since those lead to what is there once, too. Most services differ
 * in little from the others, and hundreds of them cost little more than that.
 */
struct placed {
	uint32_t offset; /* from the beginning of the piece; 0: none */
	uint32_t hash;
	size_t n;
};

/* Filled from the front. With base NULL nothing is stored and `used` counts what could be at most. */
struct filling {
	struct pack *pack;
	char *base;
	size_t size;
	size_t used;
	bool is_full; /* something did not fit: what was packed cannot be used */
	struct placed *known; /* a hash table of what there is once; NULL: nothing yet, or no memory */
	size_t n_known;
	size_t n_places; /* a power of two */
};

enum { PLACES_MIN = 256 };

/* ---- bytes ------------------------------------------------------------------------------------- */

/* Where the bytes now lie; while only counting, where they lay. */
static void *put(struct filling *filling, const void *bytes, size_t n, size_t alignment)
{
	size_t start = (filling->used + alignment - 1) & ~(alignment - 1);
	if (!bytes)
		return NULL;
	filling->used = start + n;
	if (!filling->base)
		return (void *)bytes;
	if (filling->used > filling->size) {
		filling->is_full = true;
		filling->used = start;
		return NULL;
	}
	return memcpy(filling->base + start, bytes, n);
}

static void *put_aligned(struct filling *filling, const void *bytes, size_t n)
{
	return put(filling, bytes, n, _Alignof(uint64_t));
}

/* Eight bytes a step: it is most of what packing takes. */
static uint32_t hash_of(const char *bytes, size_t n)
{
	uint64_t hash = n, word;
	for (; n >= sizeof word; bytes += sizeof word, n -= sizeof word) {
		memcpy(&word, bytes, sizeof word);
		hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
		hash ^= hash >> 32;
	}
	word = 0;
	memcpy(&word, bytes, n);
	hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
	return (uint32_t)(hash >> 32);
}

/* The place that it has, or the empty one that it would get. */
static struct placed *look_up(
	const struct filling *filling, const void *bytes, struct placed what, size_t alignment)
{
	size_t at = what.hash;
	for (;; at++) {
		struct placed *placed = &filling->known[at % filling->n_places];
		bool is_it = placed->hash == what.hash && placed->n == what.n &&
			     placed->offset % alignment == 0 &&
			     !memcmp(filling->base + placed->offset, bytes, what.n);
		if (!placed->offset || is_it)
			return placed;
	}
}

/* A half of the places stays empty. False: no memory. */
static bool make_place(struct filling *filling)
{
	struct filling larger = *filling;
	if (filling->n_known < filling->n_places / 2)
		return true;
	larger.n_places = filling->n_places ? filling->n_places * 2 : PLACES_MIN;
	larger.known = calloc(larger.n_places, sizeof *larger.known);
	if (!larger.known)
		return false;
	for (size_t i = 0; i < filling->n_places; i++) {
		struct placed placed = filling->known[i];
		if (placed.offset)
			*look_up(&larger, filling->base + placed.offset, placed, 1) = placed;
	}
	free(filling->known);
	*filling = larger;
	return true;
}

/* The same for what may serve others, too. */
static void *put_once(struct filling *filling, const void *bytes, size_t n, size_t alignment)
{
	if (!bytes || !n || !filling->base || !make_place(filling))
		return put(filling, bytes, n, alignment);
	struct placed what = { .hash = hash_of(bytes, n), .n = n };
	struct placed *known = look_up(filling, bytes, what, alignment);
	if (known->offset)
		return filling->base + known->offset;
	char *placed = put(filling, bytes, n, alignment);
	if (!placed)
		return NULL;
	what.offset = (uint32_t)(placed - filling->base);
	*known = what;
	filling->n_known++;
	return placed;
}

static void *put_once_aligned(struct filling *filling, const void *bytes, size_t n)
{
	return put_once(filling, bytes, n, _Alignof(uint64_t));
}

/* ---- texts ------------------------------------------------------------------------------------- */

static char *put_text(struct filling *filling, const char *text)
{
	return text ? put_once(filling, text, strlen(text) + 1, 1) : NULL;
}

/* The array has the NULL that ends an argument vector. */
static char **put_texts(struct filling *filling, char *const *items, size_t n)
{
	char **placed = items ? calloc(n + 1, sizeof *placed) : NULL;
	if (!placed) {
		filling->is_full |= items != NULL;
		return NULL;
	}
	for (size_t i = 0; i < n; i++)
		placed[i] = put_text(filling, items[i]);
	char **kept = put_once_aligned(filling, placed, (n + 1) * sizeof *placed);
	free(placed);
	return filling->base ? kept : NULL;
}

/* ---- a configuration ------------------------------------------------------------------------- */

static void put_key(struct filling *filling, const struct config_key *key, void *field)
{
	char **text = value_owned_text(key, field);
	struct text_list *list = value_owned_list(key, field);
	if (text)
		*text = put_text(filling, *text);
	else if (list)
		list->items = put_texts(filling, list->items, list->n);
}

static void put_keys(struct filling *filling, void *fields, enum key_place place)
{
	for (size_t i = 0; i < config_keys_n; i++)
		if (config_keys[i].has_field && (config_keys[i].places & place) &&
			config_keys[i].part != KEY_IN_WRITTEN)
			put_key(filling, &config_keys[i], key_field(&config_keys[i], fields));
}

static void put_account(struct filling *filling, struct account *account)
{
	account->user = put_text(filling, account->user);
	account->home = put_text(filling, account->home);
	account->shell = put_text(filling, account->shell);
	account->groups = put_once_aligned(
		filling, account->groups, account->n_groups * sizeof *account->groups);
}

static struct account *put_account_of_service(struct filling *filling, const struct account *source)
{
	if (!source)
		return NULL;
	struct account account = *source;
	put_account(filling, &account);
	return put_once_aligned(filling, &account, sizeof account);
}

static struct listen_address *put_listen(
	struct filling *filling, const struct listen_address *listen, size_t n)
{
	struct listen_address *placed = put_aligned(filling, listen, n * sizeof *listen);
	for (size_t i = 0; i < n; i++) {
		char *path = put_text(filling, listen[i].path);
		if (filling->base && placed)
			placed[i].path = path;
	}
	return placed;
}

static void put_lists(struct filling *filling, struct service_admission *admission)
{
	admission->networks = put_once_aligned(filling, admission->networks,
		(admission->n_allow + admission->n_deny) * sizeof *admission->networks);
	admission->windows = put_once_aligned(
		filling, admission->windows, admission->n_windows * sizeof *admission->windows);
}

/* What a struct owns is packed through a copy of it, so that counting changes nothing. */
static struct service_config *put_service(
	struct filling *filling, const struct service_config *source)
{
	struct service_config *placed = put_aligned(filling, source, sizeof *source);
	struct service_config service = *source;
	struct service_sockets sockets = *source->sockets;
	struct service_surroundings surroundings = *source->surroundings;
	struct service_admission admission = *source->admission;
	struct service_supervision supervision = *source->supervision;
	service.sockets = &sockets;
	service.surroundings = &surroundings;
	service.admission = &admission;
	service.supervision = &supervision;
	put_keys(filling, &service, PLACE_SERVICE);
	put_lists(filling, &admission);
	service.written = NULL;
	service.sockets = put_once_aligned(filling, &sockets, sizeof sockets);
	service.surroundings = put_once_aligned(filling, &surroundings, sizeof surroundings);
	service.admission = put_once_aligned(filling, &admission, sizeof admission);
	service.supervision = put_once_aligned(filling, &supervision, sizeof supervision);
	service.limits = put_once_aligned(
		filling, service.limits, LIMIT_KINDS * sizeof *service.limits);
	service.account = put_account_of_service(filling, service.account);
	service.name = put_text(filling, service.name);
	service.file = put_text(filling, service.file);
	service.command_path = put_text(filling, service.command_path);
	service.listen = put_listen(filling, service.listen, service.n_listen);
	service.pack = filling->pack;
	if (filling->base && placed)
		*placed = service;
	return placed;
}

static void put_ids(struct filling *filling, struct config *config)
{
	config->control_uids =
		put_aligned(filling, config->control_uids, config->n_control_uids * sizeof(uid_t));
	config->control_gids =
		put_aligned(filling, config->control_gids, config->n_control_gids * sizeof(gid_t));
	config->status_uids =
		put_aligned(filling, config->status_uids, config->n_status_uids * sizeof(uid_t));
	config->status_gids =
		put_aligned(filling, config->status_gids, config->n_status_gids * sizeof(gid_t));
}

/* All but what the services own; their array still points to those of the source. */
static struct config *put_globals(struct filling *filling, const struct config *source)
{
	struct config *placed = put_aligned(filling, source, sizeof *source);
	struct config config = *source;
	put_keys(filling, &config, PLACE_GLOBAL);
	put_account(filling, &config.acceptor_account);
	put_ids(filling, &config);
	config.file = put_text(filling, config.file);
	config.log_file = put_text(filling, config.log_file);
	config.texts = NULL;
	config.n_texts = 0;
	config.services =
		put_aligned(filling, config.services, config.n_services * sizeof *config.services);
	config.warnings = (struct text_list){ 0 };
	config.pack = filling->pack;
	if (filling->base && placed)
		*placed = config;
	return placed;
}

static struct config *put_config(struct filling *filling, const struct config *source)
{
	struct config *config = put_globals(filling, source);
	for (size_t i = 0; i < source->n_services; i++) {
		struct service_config *service = put_service(filling, source->services[i]);
		if (filling->base && !filling->is_full)
			config->services[i] = service;
	}
	return filling->is_full ? NULL : config;
}

static struct config_errors *put_errors(
	struct filling *filling, const struct config_errors *source)
{
	struct config_errors *errors = put_aligned(filling, source, sizeof *source);
	char **items = put_aligned(filling, source->items, source->n * sizeof *items);
	for (size_t i = 0; i < source->n; i++) {
		char *text = put_text(filling, source->items[i]);
		if (filling->base && items)
			items[i] = text;
	}
	if (filling->is_full)
		return NULL;
	errors->items = items;
	return errors;
}

/* ---- the piece of memory --------------------------------------------------------------------- */

struct pack *pack_create(size_t size)
{
	struct pack *pack = mmap(NULL, size, PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (pack == MAP_FAILED)
		return NULL;
	pack->size = size;
	return pack;
}

/* Far from where programs and libraries are put, so that it is free in the next process, too. */
static void *const preferred_address =
	sizeof(void *) == 8 ? (void *)(uintptr_t)UINT64_C(0x5fd000000000) : NULL;

/* Programs that pack differently must not read each other's. */
static uint64_t layout_of_pack(void)
{
	const uint64_t sizes[] = { sizeof(struct pack), sizeof(struct config), sizeof(struct service_config),
		sizeof(struct service_sockets), sizeof(struct service_surroundings),
		sizeof(struct service_admission),
		sizeof(struct service_supervision), sizeof(struct listen_address),
		sizeof(struct account), config_keys_n, sizeof(void *) };
	uint64_t hash = UINT64_C(14695981039346656037);
	for (const char *p = FDSUP_VERSION; *p; p++)
		hash = (hash ^ (unsigned char)*p) * UINT64_C(1099511628211);
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
		hash = (hash ^ sizes[i]) * UINT64_C(1099511628211);
	return hash;
}

struct pack *pack_create_in(int fd, size_t size)
{
	if (ftruncate(fd, (off_t)size) < 0)
		return NULL;
	struct pack *pack = mmap(preferred_address, size, PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_NORESERVE, fd, 0);
	if (pack == MAP_FAILED)
		return NULL;
	pack->layout = layout_of_pack();
	pack->address = pack;
	pack->size = size;
	return pack;
}

struct pack *pack_open(int fd)
{
	struct pack head;
	struct stat status;
	bool is_pack = pread(fd, &head, sizeof head, 0) == (ssize_t)sizeof head &&
		       fstat(fd, &status) == 0 && head.layout == layout_of_pack() &&
		       head.size == (size_t)status.st_size && head.config;
	if (!is_pack) {
		errno = EINVAL;
		return NULL;
	}
	void *place = mmap(head.address, head.size, PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_NORESERVE | MAP_FIXED_NOREPLACE, fd, 0);
	if (place == MAP_FAILED)
		return NULL;
	if (place == head.address) {
		((struct pack *)place)->texts = NULL; /* of the process that filled it */
		return place;
	}
	munmap(place, head.size);
	errno = EEXIST;
	return NULL;
}

void pack_destroy(struct pack *pack)
{
	texts_file_release(pack->texts);
	munmap(pack, pack->size);
}

static struct filling fill_from_front(struct pack *pack)
{
	return (struct filling){
		.pack = pack,
		.base = (char *)pack,
		.size = pack->size,
		.used = sizeof *pack,
	};
}

bool pack_fill(struct pack *pack, const struct config *source)
{
	struct filling filling = fill_from_front(pack);
	pack->config = put_config(&filling, source);
	free(filling.known);
	pack->n_users = pack->config ? 1 + source->n_services : 0;
	return pack->config != NULL;
}

bool pack_fill_errors(struct pack *pack, const struct config_errors *source)
{
	struct filling filling = fill_from_front(pack);
	pack->errors = put_errors(&filling, source);
	free(filling.known);
	return pack->errors != NULL;
}

struct config *pack_take(struct pack *pack)
{
	return pack->config;
}

void pack_keep_from_children(struct pack *pack)
{
	madvise(pack, pack->size, MADV_DONTFORK);
}

void pack_release(struct pack *pack)
{
	if (--pack->n_users == 0)
		pack_destroy(pack);
}

struct config *config_copy(const struct config *source)
{
	struct filling count = { .used = sizeof(struct pack) };
	put_config(&count, source);
	struct pack *pack = pack_create(count.used);
	if (!pack)
		return NULL;
	pack_fill(pack, source);
	pack->texts = source->pack ? texts_file_share(source->pack->texts) : NULL;
	return pack_take(pack);
}
