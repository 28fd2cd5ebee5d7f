/* One block of memory, given out from the front, taken back all at once.
 *
 * The planner works out the size before the work starts, so an arena never grows and never
 * calls malloc after arena_open. Everything that lives as long as one window, one step or one
 * slice comes from here. Not thread-safe: one arena, one thread; threads get arenas of their own
 * or pointers taken before they start. */
#ifndef SAT_BASE_ARENA_H
#define SAT_BASE_ARENA_H

#include "base/error.h"

#include <stddef.h>

#define ARENA_ALIGNMENT 64 /* bytes: a cache line, and the widest vector */

typedef struct arena {
    unsigned char *memory; /* owned; ARENA_ALIGNMENT-aligned, on large pages where it pays */
    size_t capacity;       /* bytes                                                        */
    size_t used;           /* bytes from the front, including padding                      */
    size_t peak;           /* largest `used` ever seen: compare with the plan              */
} arena;

/* Takes `capacity` bytes from the system. Fails with SAT_NO_MEMORY. */
sat_status arena_open(arena *a, size_t capacity, sat_error *error);

/* Gives everything back to the system. Safe on a zeroed arena and when called twice. */
void arena_close(arena *a);

/* What arena_take of `count` elements of `size` bytes uses up: for planning. Saturates at SIZE_MAX. */
size_t arena_bytes(size_t count, size_t size);

/* `count` elements of `size` bytes, 64-byte aligned, contents undefined. Lives until
 * arena_rewind to an earlier mark, or arena_close. Never NULL: asking for more than the plan
 * granted is a programming error and aborts with both numbers. */
void *arena_take(arena *a, size_t count, size_t size);

/* mark = arena_mark(a); ... arena_rewind(a, mark);  gives back all taken in between. */
size_t arena_mark(const arena *a);
void arena_rewind(arena *a, size_t mark);

#endif
