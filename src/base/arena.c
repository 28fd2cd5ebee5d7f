#define _DEFAULT_SOURCE /* MAP_ANONYMOUS, madvise */
#include "base/arena.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#if defined(__SANITIZE_ADDRESS__)
#define ARENA_POISON 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_POISON 1
#endif
#endif
#ifdef ARENA_POISON
#include <sanitizer/asan_interface.h>
#define poison(from, bytes) ASAN_POISON_MEMORY_REGION(from, bytes)
#define unpoison(from, bytes) ASAN_UNPOISON_MEMORY_REGION(from, bytes)
#else
#define poison(from, bytes) ((void)(from), (void)(bytes))
#define unpoison(from, bytes) ((void)(from), (void)(bytes))
#endif

/* Under AddressSanitizer an unused line between takes catches overruns inside the block. */
#ifdef ARENA_POISON
enum { RED_ZONE = ARENA_ALIGNMENT };
#else
enum { RED_ZONE = 0 };
#endif

static const size_t large_page_bytes = (size_t)2 << 20;

sat_status arena_open(arena *a, size_t capacity, sat_error *error)
{
    *a = (arena){0};
    if (capacity == 0) return SAT_OK;
    capacity += capacity >> (RED_ZONE ? 1 : 63); /* room for red zones in checked builds */
    void *memory = mmap(NULL, capacity, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return sat_fail(error, SAT_NO_MEMORY,
                        "%.2f GB of working memory could not be had; close other programs or set --max-memory lower",
                        (double)capacity / 1e9);
#ifdef MADV_HUGEPAGE
    if (capacity >= large_page_bytes) madvise(memory, capacity, MADV_HUGEPAGE);
#endif
    a->memory = memory;
    a->capacity = capacity;
    poison(a->memory, capacity);
    return SAT_OK;
}

void arena_close(arena *a)
{
    if (a->memory) {
        unpoison(a->memory, a->capacity);
        munmap(a->memory, a->capacity);
    }
    *a = (arena){0};
}

size_t arena_bytes(size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes) || bytes > SIZE_MAX - 2 * ARENA_ALIGNMENT) return SIZE_MAX;
    return (bytes + ARENA_ALIGNMENT - 1) / ARENA_ALIGNMENT * ARENA_ALIGNMENT;
}

void *arena_take(arena *a, size_t count, size_t size)
{
    const size_t bytes = arena_bytes(count, size);
    if (bytes > a->capacity || a->used > a->capacity - bytes || a->used + bytes > a->capacity - RED_ZONE) {
        fprintf(stderr, "sat3d: internal error: %zu bytes wanted from an arena of %zu with %zu used\n", bytes,
                a->capacity, a->used);
        abort();
    }
    void *taken = a->memory + a->used;
    unpoison(taken, bytes);
    a->used += bytes + RED_ZONE;
    if (a->used > a->peak) a->peak = a->used;
    return taken;
}

size_t arena_mark(const arena *a) { return a->used; }

void arena_rewind(arena *a, size_t mark)
{
    poison(a->memory + mark, a->used - mark);
    a->used = mark;
}
