#include "tensor/plan_memory.h"

#include "base/arena.h"

#include <stdint.h>
#include <stdlib.h>

/* Larger first; equal sizes in index order, so that a plan is the same everywhere. */
typedef struct placed {
    int buffer;
    size_t bytes;
} placed;

static int larger_first(const void *a, const void *b)
{
    const placed *p = a, *q = b;
    if (p->bytes != q->bytes) return p->bytes < q->bytes ? 1 : -1;
    return p->buffer - q->buffer;
}

static bool alive_together(const plan_buffer *a, const plan_buffer *b)
{
    return a->first_step <= b->last_step && b->first_step <= a->last_step;
}

/* The lowest offset at which `b` clears all of the `count` buffers placed before it. Every candidate is 0 or the
 * end of one of them; after a collision the search goes on behind the collider, and starts over, since the list is
 * not in order of offsets. */
static size_t lowest_offset(const plan_buffer *buffers, const placed *order, int count, const plan_buffer *b, size_t bytes)
{
    size_t offset = 0;
    for (int i = 0; i < count; i++) {
        const plan_buffer *other = &buffers[order[i].buffer];
        if (!alive_together(b, other)) continue;
        if (offset < other->offset + order[i].bytes && other->offset < offset + bytes) {
            offset = other->offset + order[i].bytes;
            i = -1;
        }
    }
    return offset;
}

size_t plan_assign_offsets(plan_buffer *buffers, int count)
{
    placed *order = malloc((size_t)count * sizeof *order + 1);
    if (!order) return SIZE_MAX;
    int n = 0;
    for (int i = 0; i < count; i++)
        if (!buffers[i].is_input) order[n++] = (placed){i, arena_bytes(buffers[i].bytes, 1)};
    qsort(order, (size_t)n, sizeof *order, larger_first);
    size_t total = 0;
    for (int i = 0; i < n; i++) {
        plan_buffer *b = &buffers[order[i].buffer];
        b->offset = lowest_offset(buffers, order, i, b, order[i].bytes);
        if (b->offset + order[i].bytes > total) total = b->offset + order[i].bytes;
    }
    free(order);
    return total;
}
