/*
 * Memory that was freed, and that the C library keeps for what comes next. A long answer takes megabytes
 * for a moment, and nothing that comes next needs as much.
 */
#ifndef FDSUP_BASE_HEAP_H
#define FDSUP_BASE_HEAP_H

/* What is large goes back as soon as it is freed, however often there is such. At the start. */
void heap_keep_small(void);

/* All that is free goes back, after much of what is small was freed. */
void heap_give_back(void);

#endif
