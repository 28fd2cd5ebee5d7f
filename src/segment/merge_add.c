/* Adding a window's probabilities, and ending a window. */
#include "base/processor.h"
#include "segment/merge_state.h"

#include <assert.h>
#include <string.h>

enum { ROW_CHUNK = 512 }; /* voxels along z looked at together */

merge_largest_of_rows *merge_largest_of_rows_best(void)
{
#if defined(__x86_64__)
    const processor_level level = processor_best();
    if (level >= PROCESSOR_AVX512) return merge_largest_of_rows_avx512;
    if (level >= PROCESSOR_AVX2) return merge_largest_of_rows_avx2;
#endif
    return merge_largest_of_rows_plain;
}

/* One plane of one block: sums += weight * probability, both float32. All pointers at the first voxel inside. */
static void add_plane(const merge *m, float *sums, const float *p, size_t pitch, int x, int y, int z, int rows, int count)
{
    for (int r = 0; r < rows; r++, sums += MERGE_BLOCK_Z, p += pitch) {
        const float *w = window_weights_row(m->settings.weights, x, y + r) + z;
        if (count == MERGE_BLOCK_Z)
            for (int n = 0; n < MERGE_BLOCK_Z; n++)
                sums[n] += (p[n] > 0 ? p[n] : 0) * w[n];
        else
            for (int n = 0; n < count; n++)
                sums[n] += (p[n] > 0 ? p[n] : 0) * w[n];
    }
}

static float largest_of(const float *most, int count)
{
    float largest = 0;
    for (int n = 0; n < count; n++)
        largest = most[n] > largest ? most[n] : largest;
    return largest;
}

/* Within one plane x (window coordinates) the rows [y, y + rows) that lie in one line of blocks. False when the
 * prompt was deferred. */
static bool add_rows(merge *m, int prompt, const window_box *box, int x, int y, int rows, const float *p, size_t pitch)
{
    const int vx = box->from[0] + x, vy = box->from[1] + y, nz = box->to[2] - box->from[2];
    const size_t line = ((size_t)(vx / MERGE_BLOCK_X) * (size_t)m->blocks[1] + (size_t)(vy / MERGE_BLOCK_Y)) * (size_t)m->blocks[2];
    _Atomic uint32_t *entries = prompt_entries(m, prompt) + line;
    const size_t inside = (size_t)(vx % MERGE_BLOCK_X * MERGE_BLOCK_Y + vy % MERGE_BLOCK_Y) * MERGE_BLOCK_Z;
    float most[ROW_CHUNK];
    for (int from = 0, chunk; from < nz; from += chunk) {
        /* chunks end where blocks end, so that a block's plane is always judged whole */
        const int beyond = (box->from[2] + from) % MERGE_BLOCK_Z;
        chunk = nz - from < ROW_CHUNK - beyond ? nz - from : ROW_CHUNK - beyond;
        m->largest_of_rows(p + from, pitch, rows, chunk, most);
        for (int z = from, count; z < from + chunk; z += count) {
            const int vz = box->from[2] + z, left = MERGE_BLOCK_Z - vz % MERGE_BLOCK_Z;
            count = from + chunk - z < left ? from + chunk - z : left;
            if (!(largest_of(most + (z - from), count) > m->settings.tolerance)) continue;
            float *block = pool_need(m, prompt, &entries[vz / MERGE_BLOCK_Z]);
            if (!block) return false;
            add_plane(m, block + inside + vz % MERGE_BLOCK_Z, p + z, pitch, x, y, z, rows, count);
        }
    }
    return true;
}

void merge_add(merge *m, size_t window, int prompt, int x0, int x1, const float *probability)
{
    const window_list *windows = m->settings.windows;
    if (m->skipped[window] || !pool_enter(m, prompt)) return;
    const window_box *box = &windows->boxes[window];
    const int nx = box->to[0] - box->from[0], ny = box->to[1] - box->from[1];
    const size_t pitch = (size_t)windows->size[2], plane = pitch * (size_t)windows->size[1];
    bool wanted = true;
    for (int x = x0; x < x1 && x < nx && wanted; x++)
        for (int y = 0, rows; y < ny && wanted; y += rows) {
            const int left = MERGE_BLOCK_Y - (box->from[1] + y) % MERGE_BLOCK_Y;
            rows = ny - y < left ? ny - y : left;
            wanted = add_rows(m, prompt, box, x, y, rows, probability + (size_t)(x - x0) * plane + (size_t)y * pitch, pitch);
        }
    pool_leave(m, prompt);
}

/* ---------------------------------------------------------------- the end of a window */

/* First voxel of block number b, and how many of its voxels lie in the volume. */
static void block_place(const merge *m, size_t b, int64_t first[3], int inside[3])
{
    static const int size[3] = {MERGE_BLOCK_X, MERGE_BLOCK_Y, MERGE_BLOCK_Z};
    const int64_t at[3] = {(int64_t)b / (m->blocks[1] * m->blocks[2]), (int64_t)b / m->blocks[2] % m->blocks[1],
                           (int64_t)b % m->blocks[2]};
    for (int axis = 0; axis < 3; axis++) {
        first[axis] = at[axis] * size[axis];
        const int64_t left = m->settings.windows->shape[axis] - first[axis];
        inside[axis] = (int)(left < size[axis] ? left : size[axis]);
    }
}

/* Sums become probabilities; true if one is above the threshold. Voxels without any window stay 0. */
static bool finish_block(const merge *m, size_t b, float *sums)
{
    const int64_t *shape = m->settings.windows->shape;
    int64_t first[3];
    int inside[3], hot = 0;
    block_place(m, b, first, inside);
    for (int x = 0; x < inside[0]; x++)
        for (int y = 0; y < inside[1]; y++) {
            const float *w = m->weight_sum + ((first[0] + x) * shape[1] + first[1] + y) * shape[2] + first[2];
            float *s = sums + (x * MERGE_BLOCK_Y + y) * MERGE_BLOCK_Z;
            for (int z = 0; z < inside[2]; z++) {
                s[z] = w[z] > 0 ? s[z] / w[z] : 0;
                hot |= s[z] > m->settings.threshold;
            }
        }
    return hot;
}

/* Whether a block or one of its 26 neighbours has a voxel above the threshold. */
static bool hot_around(const merge *m, const _Atomic uint32_t *entries, size_t b)
{
    const int64_t *n = m->blocks;
    const int64_t bx = (int64_t)b / (n[1] * n[2]), by = (int64_t)b / n[2] % n[1], bz = (int64_t)b % n[2];
    for (int64_t x = bx > 0 ? bx - 1 : 0; x <= bx + 1 && x < n[0]; x++)
        for (int64_t y = by > 0 ? by - 1 : 0; y <= by + 1 && y < n[1]; y++)
            for (int64_t z = bz > 0 ? bz - 1 : 0; z <= bz + 1 && z < n[2]; z++)
                if (atomic_load_explicit(&entries[(x * n[1] + y) * n[2] + z], memory_order_relaxed) & ENTRY_HOT) return true;
    return false;
}

/* For masks a block can go when neither it nor a neighbour is hot. On the way back a voxel is a weighted mean (weights >= 0
 * that sum to 1, rounded in float64, then to float32) of the 2 x 2 x 2 voxels around a point. To exceed the threshold t (a
 * float32) it needs one of them above t: eight values <= t give at most t * (1 + 1e-15), which float32 rounds to t. The
 * eight lie within one voxel of each other, so all that are read together with a voxel > t lie in its block or a neighbour,
 * and those stay: not only masks are as if nothing was freed, but the probabilities within them, too. Reading a freed block
 * as 0 only lowers means that could not reach t anyway. Blocks must be final all around: a neighbour that still grows may
 * become hot. */
static void free_cold(merge *m, int prompt, size_t settled)
{
    enum { PORTION = 256 };
    const _Atomic uint32_t *entries = prompt_entries(m, prompt);
    int32_t cold[PORTION];
    for (size_t n = 0; n < settled;) { /* a cold block stays cold when others have gone */
        size_t count = 0;
        for (; n < settled && count < PORTION; n++) {
            const int32_t b = m->settled_list[n];
            if (atomic_load_explicit(&entries[b], memory_order_relaxed) && !hot_around(m, entries, (size_t)b)) cold[count++] = b;
        }
        if (count) pool_return(m, prompt, cold, count);
    }
}

/* The blocks whose number in `window_of` is `window`. */
static size_t list_blocks(const merge *m, const int32_t *window_of, size_t window, int32_t *list)
{
    size_t count = 0;
    for (size_t b = 0; b < m->block_count; b++)
        if (window_of[b] == (int32_t)window) list[count++] = (int32_t)b;
    return count;
}

static void end_window_of_prompt(merge *m, int prompt, size_t final, size_t settled)
{
    _Atomic uint32_t *entries = prompt_entries(m, prompt);
    for (size_t n = 0; n < final; n++) {
        const size_t b = (size_t)m->final_list[n];
        const uint32_t entry = atomic_load_explicit(&entries[b], memory_order_relaxed);
        if (entry && finish_block(m, b, pool_block(m, entry)))
            atomic_store_explicit(&entries[b], entry | ENTRY_HOT, memory_order_relaxed);
    }
    if (!m->settings.keep_probabilities) free_cold(m, prompt, settled);
}

void merge_window_done(merge *m, size_t window, int threads)
{
    assert(window == m->windows_done);
    m->windows_done = window + 1;
    const size_t final = list_blocks(m, m->final_window, window, m->final_list);
    const size_t settled = list_blocks(m, m->settled_window, window, m->settled_list);
    const bool last = m->windows_done == m->settings.windows->count;
#pragma omp parallel for num_threads(threads) schedule(dynamic)
    for (int prompt = 0; prompt < m->settings.prompts; prompt++) {
        if (atomic_load(&m->prompts[prompt].stage) != PROMPT_WANTED) continue;
        if (final || settled) end_window_of_prompt(m, prompt, final, settled);
        if (last) atomic_store(&m->prompts[prompt].stage, PROMPT_COMPLETE);
    }
}
