/*
 * Whether the acceptors and the keeper know different things: a word in memory that outlives us, since
 * what was told to the one may not be told to the other any more.
 */
#include "supervisor/succession/keeper.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"
#include "supervisor/acceptor.h"
#include "supervisor/succession/keeper_parts.h"
#include "supervisor/supervisor.h"

int keeper_map_doubt(struct supervisor *supervisor)
{
	void *place = mmap(NULL, sizeof *supervisor->doubt, PROT_READ | PROT_WRITE, MAP_SHARED,
		supervisor->doubt_fd, 0);
	if (place == MAP_FAILED)
		return -errno;
	supervisor->doubt = place;
	return 0;
}

int keeper_make_doubt(struct supervisor *supervisor)
{
	if (supervisor->doubt)
		return 0;
	supervisor->doubt_fd = memfd_create("fdsup-doubt", MFD_CLOEXEC);
	if (supervisor->doubt_fd < 0 ||
		ftruncate(supervisor->doubt_fd, sizeof *supervisor->doubt) < 0)
		return -errno;
	return keeper_map_doubt(supervisor);
}

void keeper_doubt(struct supervisor *supervisor)
{
	if (supervisor->doubt)
		atomic_store(supervisor->doubt, 1);
}

bool keeper_is_in_doubt(const struct supervisor *supervisor)
{
	return supervisor->doubt && atomic_load(supervisor->doubt);
}

void keeper_end_doubt(struct supervisor *supervisor)
{
	bool is_told = true;
	for (size_t i = 0; i < supervisor->n_acceptors; i++)
		is_told &= !channel_has_backlog(&supervisor->acceptors[i]->channel);
	if (supervisor->doubt && is_told)
		atomic_store(supervisor->doubt, 0);
}

void keeper_free_doubt(struct supervisor *supervisor)
{
	if (supervisor->doubt)
		munmap(supervisor->doubt, sizeof *supervisor->doubt);
	supervisor->doubt = NULL;
	fd_close(&supervisor->doubt_fd);
}
