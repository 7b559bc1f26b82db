#include "base/heap.h"

#include <malloc.h>

#ifdef __GLIBC__

void heap_keep_small(void)
{
	/* Its own defaults, which it raises by itself as long as nobody has set them. */
	mallopt(M_MMAP_THRESHOLD, 128 * 1024);
	mallopt(M_TRIM_THRESHOLD, 128 * 1024);
}

void heap_give_back(void)
{
	malloc_trim(0);
}

#else

void heap_keep_small(void)
{
}

void heap_give_back(void)
{
}

#endif
