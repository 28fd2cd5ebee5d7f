#include "segment/merge_state.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static const int block_size[3] = {MERGE_BLOCK_X, MERGE_BLOCK_Y, MERGE_BLOCK_Z};

/* ---------------------------------------------------------------- the plan */

static size_t blocks_along(const window_list *windows, int64_t blocks[3])
{
    size_t count = 1;
    for (int axis = 0; axis < 3; axis++) {
        blocks[axis] = (windows->shape[axis] + block_size[axis] - 1) / block_size[axis];
        count *= (size_t)blocks[axis];
    }
    return count;
}

void merge_plan_make(const window_list *windows, int prompts, size_t budget_bytes, merge_plan *plan)
{
    enum { STACK_BYTES = sizeof(uint32_t) }; /* a returned block's place in the pool's list */
    int64_t blocks[3];
    const size_t count = blocks_along(windows, blocks);
    const size_t voxels = (size_t)windows->shape[0] * (size_t)windows->shape[1] * (size_t)windows->shape[2];
    plan->fixed_bytes = sizeof(merge) + windows->count * sizeof(bool) + voxels * sizeof(float) + count * 4 * sizeof(int32_t) +
                        (size_t)prompts * (count * sizeof(uint32_t) + sizeof(prompt_state));
    plan->dense_prompt_bytes = count * (BLOCK_BYTES + STACK_BYTES);
    plan->minimum_bytes = plan->fixed_bytes + plan->dense_prompt_bytes;
    plan->dense_bytes = plan->fixed_bytes + (size_t)prompts * plan->dense_prompt_bytes;
    plan->prompts_per_pass = 0;
    plan->passes_if_dense = 0;
    if (budget_bytes < plan->minimum_bytes) return;
    plan->prompts_per_pass = (budget_bytes - plan->fixed_bytes) / plan->dense_prompt_bytes;
    if (plan->prompts_per_pass > (size_t)prompts) plan->prompts_per_pass = (size_t)prompts;
    plan->passes_if_dense = (int)(((size_t)prompts + plan->prompts_per_pass - 1) / plan->prompts_per_pass);
}

/* ---------------------------------------------------------------- weights and the blocks' last windows */

/* Sum of the windows' weights, float32 in window order, each plane by one thread. */
static void sum_weights(merge *m)
{
    const window_list *windows = m->settings.windows;
    const int64_t *shape = windows->shape;
#pragma omp parallel for num_threads(m->settings.threads) schedule(static)
    for (int64_t x = 0; x < shape[0]; x++) {
        float *plane = m->weight_sum + x * shape[1] * shape[2];
        memset(plane, 0, (size_t)(shape[1] * shape[2]) * sizeof *plane);
        for (size_t w = 0; w < windows->count; w++) {
            const window_box *box = &windows->boxes[w];
            if (m->skipped[w] || x < box->from[0] || x >= box->to[0]) continue;
            const int nz = box->to[2] - box->from[2];
            for (int y = box->from[1]; y < box->to[1]; y++) {
                const float *weight = window_weights_row(m->settings.weights, (int)(x - box->from[0]), y - box->from[1]);
                float *sum = plane + y * shape[2] + box->from[2];
                for (int z = 0; z < nz; z++)
                    sum[z] += weight[z];
            }
        }
    }
}

/* For each block the last window that touches it, and the last one that touches a neighbour. */
static void find_last_windows(merge *m)
{
    const window_list *windows = m->settings.windows;
    const int64_t *n = m->blocks;
    for (size_t b = 0; b < m->block_count; b++)
        m->final_window[b] = m->settled_window[b] = -1;
    for (size_t w = 0; w < windows->count; w++) {
        if (m->skipped[w]) continue;
        int64_t from[3], to[3];
        for (int axis = 0; axis < 3; axis++) {
            from[axis] = windows->boxes[w].from[axis] / block_size[axis];
            to[axis] = (windows->boxes[w].to[axis] - 1) / block_size[axis];
        }
        for (int widen = 0; widen < 2; widen++) { /* blocks touched, then those within one block */
            int32_t *window_of = widen ? m->settled_window : m->final_window;
            for (int64_t x = from[0] - widen; x <= to[0] + widen; x++)
                for (int64_t y = from[1] - widen; y <= to[1] + widen; y++)
                    for (int64_t z = from[2] - widen; z <= to[2] + widen; z++)
                        if (x >= 0 && x < n[0] && y >= 0 && y < n[1] && z >= 0 && z < n[2])
                            window_of[(x * n[1] + y) * n[2] + z] = (int32_t)w;
        }
    }
}

/* ---------------------------------------------------------------- opening and closing */

static void start_pass(merge *m)
{
    m->windows_done = 0;
    m->passes++;
}

static sat_status take_tables(merge *m, sat_error *error)
{
    const window_list *windows = m->settings.windows;
    const size_t voxels = (size_t)windows->shape[0] * (size_t)windows->shape[1] * (size_t)windows->shape[2];
    m->skipped = calloc(windows->count, sizeof *m->skipped);
    m->weight_sum = malloc(voxels * sizeof *m->weight_sum);
    m->final_window = malloc(m->block_count * sizeof *m->final_window);
    m->settled_window = malloc(m->block_count * sizeof *m->settled_window);
    m->final_list = malloc(m->block_count * sizeof *m->final_list);
    m->settled_list = malloc(m->block_count * sizeof *m->settled_list);
    m->entries = calloc((size_t)m->settings.prompts * m->block_count, sizeof *m->entries);
    m->prompts = calloc((size_t)m->settings.prompts, sizeof *m->prompts);
    if (m->skipped && m->weight_sum && m->final_window && m->settled_window && m->final_list && m->settled_list && m->entries &&
        m->prompts)
        return SAT_OK;
    return sat_fail(error, SAT_NO_MEMORY, "%.2f GB of memory for merging %d prompts could not be had", (double)m->fixed_bytes / 1e9,
                    m->settings.prompts);
}

sat_status merge_open(const merge_settings *settings, merge **opened, sat_error *error)
{
    *opened = NULL;
    if (settings->prompts < 1 || !(settings->tolerance >= 0) || settings->windows->count < 1 || settings->threads < 1)
        return sat_fail(error, SAT_BAD_ARGUMENT, "merging takes at least one prompt, one window and one thread, not %d, %zu and %d",
                        settings->prompts, settings->windows->count, settings->threads);
    merge_plan plan;
    merge_plan_make(settings->windows, settings->prompts, settings->budget_bytes, &plan);
    if (settings->budget_bytes < plan.minimum_bytes)
        return sat_fail(error, SAT_NO_MEMORY, "merging %d prompts needs at least %.2f GB, %.2f GB are granted; give --max-memory more",
                        settings->prompts, (double)plan.minimum_bytes / 1e9, (double)settings->budget_bytes / 1e9);
    merge *m = calloc(1, sizeof *m);
    if (!m) return sat_fail(error, SAT_NO_MEMORY, "no memory is left");
    m->settings = *settings;
    m->largest_of_rows = merge_largest_of_rows_best();
    if (!(settings->threshold > 0)) m->settings.threshold = MERGE_THRESHOLD;
    m->block_count = blocks_along(settings->windows, m->blocks);
    m->fixed_bytes = plan.fixed_bytes;
    const size_t budget = settings->budget_bytes < plan.dense_bytes ? settings->budget_bytes : plan.dense_bytes;
    const size_t blocks = (budget - plan.fixed_bytes) / (plan.dense_prompt_bytes / m->block_count);
    sat_status status = take_tables(m, error);
    if (status == SAT_OK) status = pool_open(&m->pool, blocks < ENTRY_NUMBER ? (uint32_t)blocks : ENTRY_NUMBER - 1, error);
    if (status != SAT_OK) {
        merge_close(m);
        return status;
    }
    if (settings->skipped) memcpy(m->skipped, settings->skipped, settings->windows->count * sizeof *m->skipped);
    m->settings.skipped = m->skipped;
    sum_weights(m);
    find_last_windows(m);
    start_pass(m);
    *opened = m;
    return SAT_OK;
}

void merge_close(merge *m)
{
    if (!m) return;
    pool_close(&m->pool);
    free(m->skipped);
    free(m->weight_sum);
    free(m->final_window);
    free(m->settled_window);
    free(m->final_list);
    free(m->settled_list);
    free((void *)m->entries);
    free(m->prompts);
    free(m);
}

/* ---------------------------------------------------------------- prompts */

bool merge_wants(const merge *m, int prompt) { return atomic_load(&m->prompts[prompt].stage) == PROMPT_WANTED; }

bool merge_complete(const merge *m, int prompt) { return atomic_load(&m->prompts[prompt].stage) == PROMPT_COMPLETE; }

void merge_release(merge *m, int prompt)
{
    if (!merge_complete(m, prompt)) return;
    pool_return_all(m, prompt);
    atomic_store(&m->prompts[prompt].stage, PROMPT_DONE);
}

int merge_next_pass(merge *m)
{
    int left = 0;
    for (int prompt = 0; prompt < m->settings.prompts; prompt++) {
        merge_release(m, prompt);
        if (atomic_load(&m->prompts[prompt].stage) != PROMPT_DEFERRED) continue;
        atomic_store(&m->prompts[prompt].stage, PROMPT_WANTED);
        left++;
    }
    if (left) start_pass(m);
    return left;
}

void merge_usage_now(const merge *m, merge_usage *usage)
{
    *usage = (merge_usage){.fixed_bytes = m->fixed_bytes,
                           .pool_bytes = (size_t)m->pool.capacity * (BLOCK_BYTES + sizeof *m->pool.stack),
                           .used_bytes = (size_t)(m->pool.fresh - m->pool.returned) * BLOCK_BYTES,
                           .peak_bytes = (size_t)m->pool.peak * BLOCK_BYTES,
                           .passes = m->passes};
    for (int prompt = 0; prompt < m->settings.prompts; prompt++)
        usage->deferred += atomic_load(&m->prompts[prompt].stage) == PROMPT_DEFERRED;
}

/* ---------------------------------------------------------------- what came out */

void merge_blocks(const merge *m, int64_t blocks[3]) { memcpy(blocks, m->blocks, sizeof m->blocks); }

float merge_threshold(const merge *m) { return m->settings.threshold; }

const int64_t *merge_shape(const merge *m) { return m->settings.windows->shape; }

const float *merge_block(const merge *m, int prompt, int64_t bx, int64_t by, int64_t bz)
{
    const uint32_t entry = atomic_load_explicit(&prompt_entries(m, prompt)[(bx * m->blocks[1] + by) * m->blocks[2] + bz],
                                                memory_order_relaxed);
    return entry ? pool_block(m, entry) : NULL;
}

/* One block into dense arrays. Returns its mask voxels. */
static int64_t spread_block(const merge *m, const float *block, const int64_t first[3], float *probability, uint8_t *mask)
{
    const int64_t *shape = merge_shape(m);
    const float threshold = m->settings.threshold;
    int64_t found = 0;
    for (int64_t x = first[0]; x < first[0] + MERGE_BLOCK_X && x < shape[0]; x++)
        for (int64_t y = first[1]; y < first[1] + MERGE_BLOCK_Y && y < shape[1]; y++) {
            const float *row = block + ((x - first[0]) * MERGE_BLOCK_Y + y - first[1]) * MERGE_BLOCK_Z;
            const int64_t at = (x * shape[1] + y) * shape[2] + first[2];
            for (int64_t z = 0; z < MERGE_BLOCK_Z && first[2] + z < shape[2]; z++) {
                if (probability) probability[at + z] = row[z];
                if (mask) mask[at + z] = row[z] > threshold;
                found += row[z] > threshold;
            }
        }
    return found;
}

int64_t merge_dense(const merge *m, int prompt, float *probability, uint8_t *mask)
{
    const int64_t *shape = merge_shape(m), *n = m->blocks;
    const size_t voxels = (size_t)shape[0] * (size_t)shape[1] * (size_t)shape[2];
    if (probability) memset(probability, 0, voxels * sizeof *probability);
    if (mask) memset(mask, 0, voxels);
    int64_t found = 0;
    for (int64_t x = 0; x < n[0]; x++)
        for (int64_t y = 0; y < n[1]; y++)
            for (int64_t z = 0; z < n[2]; z++) {
                const float *block = merge_block(m, prompt, x, y, z);
                const int64_t first[3] = {x * MERGE_BLOCK_X, y * MERGE_BLOCK_Y, z * MERGE_BLOCK_Z};
                if (block) found += spread_block(m, block, first, probability, mask);
            }
    return found;
}
