#include "wire/scoreboard.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"

static const double rate_time_constant_ns = 10e9;

int scoreboard_create(int *ret_fd, struct scoreboard **ret_board)
{
	fd_auto int fd = memfd_create("fdsup-scoreboard", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return -errno;
	if (ftruncate(fd, sizeof **ret_board) < 0 ||
		fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
		return -errno;
	int r = scoreboard_map(fd, ret_board);
	if (r < 0)
		return r;
	score_set((*ret_board)->head.has_marks, 1);
	*ret_fd = fd_take(&fd);
	return 0;
}

int scoreboard_map(int fd, struct scoreboard **ret_board)
{
	struct stat status;
	if (fstat(fd, &status) < 0)
		return -errno;
	if (status.st_size != sizeof **ret_board)
		return -EINVAL;
	void *memory = mmap(NULL, sizeof **ret_board, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED)
		return -errno;
	*ret_board = memory;
	return 0;
}

void scoreboard_unmap(struct scoreboard *board)
{
	if (board)
		munmap(board, sizeof *board);
}

/* The head takes the place of one row. */
static uint32_t page_of(uint32_t slot)
{
	return (slot + 1) / SCOREBOARD_PAGE_ROWS;
}

bool scoreboard_has_row(const struct scoreboard *board, uint32_t slot)
{
	uint32_t page = page_of(slot);
	return !score_get(board->head.has_marks) ||
	       (score_get(board->head.marks[page / 64]) >> page % 64 & 1);
}

const struct score *scoreboard_row(const struct scoreboard *board, uint32_t slot)
{
	static const struct score zeros;
	return scoreboard_has_row(board, slot) ? &board->slots[slot].score : &zeros;
}

struct score *scoreboard_take_row(struct scoreboard *board, uint32_t slot)
{
	uint32_t page = page_of(slot);
	atomic_fetch_or_explicit(
		&board->head.marks[page / 64], UINT64_C(1) << page % 64, memory_order_relaxed);
	return &board->slots[slot].score;
}

void scoreboard_clear(struct scoreboard *board, uint32_t slot)
{
	if (scoreboard_has_row(board, slot))
		memset(&board->slots[slot], 0, sizeof board->slots[slot]);
}

/* e to the power of -x, within 1 % where it is above a tenth: not worth the mathematics library. */
static double decay(double x)
{
	return 1 / (1 + x * (1 + x / 2 * (1 + x / 3 * (1 + x / 4 * (1 + x / 5)))));
}

double score_rate(const struct score *score, uint64_t now_ns)
{
	uint64_t then_ns = score_get(score->rate_ns);
	double per_s = (double)score_get(score->rate_milli) / 1000;
	if (now_ns <= then_ns)
		return per_s;
	return per_s * decay((double)(now_ns - then_ns) / rate_time_constant_ns);
}

/* Each connection adds 1/T, and everything decays by e in T: in balance that is the rate. */
void score_count_rate(struct score *score, uint64_t now_ns)
{
	double per_s = score_rate(score, now_ns) + 1e9 / rate_time_constant_ns;
	score_set(score->rate_milli, (uint64_t)(per_s * 1000 + 0.5));
	score_set(score->rate_ns, now_ns);
}

static const char *const rules[] = { "", "allow", "deny", "hours", "max_load", "max_connections",
	"max_per_source", "rate", "rate_per_source", "memory", "stopped" };
enum { N_RULES = sizeof rules / sizeof *rules };

uint32_t score_rule_of(const char *name)
{
	for (uint32_t i = 1; i < N_RULES; i++)
		if (!strcmp(rules[i], name))
			return i;
	return 0;
}

const char *score_rule_name(uint32_t rule)
{
	return rule > 0 && rule < N_RULES ? rules[rule] : NULL;
}
