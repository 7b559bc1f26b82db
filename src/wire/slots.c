#include "wire/slots.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"

static const char magic[sizeof(struct slot)] = "fdsup slots 1\n";

static uint64_t make_word(enum slot_state state, uint16_t turn, int32_t pid)
{
	return (uint64_t)(uint32_t)pid << 32 | (uint64_t)turn << 8 | (uint64_t)state;
}

static struct slot_view view_of(uint64_t word)
{
	return (struct slot_view){
		.word = word,
		.state = (enum slot_state)(word & 3),
		.turn = (uint16_t)(word >> 8),
		.pid = (int32_t)(word >> 32),
	};
}

/* ---- the table ------------------------------------------------------------------------------- */

/* What waits, as much again in the workers' hands, and number 0. */
static uint32_t n_for(unsigned depth)
{
	uint32_t n = depth < SLOTS_MAX / 2 ? 2 * depth + 1 : SLOTS_MAX;
	return n < SLOTS_MIN ? SLOTS_MIN : n;
}

int slots_create(unsigned depth)
{
	fd_auto int fd = memfd_create("fdsup-slots", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	struct slots slots;
	if (fd < 0)
		return -errno;
	if (ftruncate(fd, (off_t)(n_for(depth) * sizeof(struct slot))) < 0 ||
		fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0 ||
		pwrite(fd, magic, sizeof magic, 0) != sizeof magic)
		return -errno;
	int r = slots_map(fd, &slots);
	if (r < 0)
		return r;
	slots_unmap(&slots);
	return fd_take(&fd);
}

int slots_map(int fd, struct slots *ret_slots)
{
	struct stat status;
	if (fstat(fd, &status) < 0)
		return -errno;
	size_t size = (size_t)status.st_size;
	if (!S_ISREG(status.st_mode) || size < SLOTS_MIN * sizeof(struct slot) ||
		size > SLOTS_MAX * sizeof(struct slot))
		return -EINVAL;
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED)
		return -errno;
	if (memcmp(memory, magic, sizeof magic) != 0) {
		munmap(memory, size);
		return -EINVAL;
	}
	*ret_slots = (struct slots){ .items = memory, .n = (uint32_t)(size / sizeof(struct slot)) };
	return 0;
}

void slots_unmap(struct slots *slots)
{
	if (slots->items)
		munmap(slots->items, slots->n * sizeof *slots->items);
	*slots = (struct slots){ 0 };
}

/* ---- the acceptor ---------------------------------------------------------------------------- */

uint16_t slots_offer(const struct slots *slots, uint32_t number, uint64_t connection)
{
	struct slot *slot = &slots->items[number];
	uint16_t turn = (uint16_t)(view_of(atomic_load(&slot->word)).turn + 1);
	atomic_store_explicit(&slot->connection, connection, memory_order_relaxed);
	atomic_store_explicit(&slot->word, make_word(SLOT_QUEUED, turn, 0), memory_order_release);
	return turn;
}

struct slot_view slots_look(const struct slots *slots, uint32_t number)
{
	return view_of(atomic_load(&slots->items[number].word));
}

uint64_t slots_connection(const struct slots *slots, uint32_t number)
{
	return atomic_load(&slots->items[number].connection);
}

bool slots_take_back(const struct slots *slots, uint32_t number, const struct slot_view *look,
	uint16_t *ret_turn)
{
	uint64_t expected = look->word;
	uint16_t turn = (uint16_t)(look->turn + 1);
	if (!atomic_compare_exchange_strong(
		    &slots->items[number].word, &expected, make_word(SLOT_QUEUED, turn, 0)))
		return false;
	*ret_turn = turn;
	return true;
}

/* The turn stays: the next one must be another. */
void slots_free(const struct slots *slots, uint32_t number)
{
	_Atomic uint64_t *word = &slots->items[number].word;
	atomic_store(word, make_word(SLOT_FREE, view_of(atomic_load(word)).turn, 0));
}

/* ---- the worker ------------------------------------------------------------------------------ */

static bool swap(struct slot_claim *claim, enum slot_state state, int32_t pid)
{
	uint64_t expected = claim->word;
	uint64_t word = make_word(state, view_of(expected).turn, pid);
	if (!atomic_compare_exchange_strong(&claim->slot->word, &expected, word))
		return false;
	claim->word = word;
	return true;
}

bool slots_claim(const struct slots *slots, const struct handoff *record, int32_t pid,
	struct slot_claim *ret_claim)
{
	*ret_claim = (struct slot_claim){ 0 };
	if (!slots->items || !record->slot || record->slot >= slots->n)
		return true;
	struct slot *slot = &slots->items[record->slot];
	ret_claim->slot = slot;
	ret_claim->word = make_word(SLOT_QUEUED, record->turn, 0);
	/* Turns come round again: that it is still about this connection makes it certain. */
	if (atomic_load(&slot->connection) == record->connection && swap(ret_claim, SLOT_CLAIMED, pid))
		return true;
	*ret_claim = (struct slot_claim){ 0 };
	return false;
}

bool slot_begin(struct slot_claim *claim, int32_t pid)
{
	return !claim->slot || swap(claim, SLOT_BEGUN, pid);
}

void slot_unbegin(struct slot_claim *claim, int32_t pid)
{
	if (claim->slot)
		swap(claim, SLOT_CLAIMED, pid);
}
