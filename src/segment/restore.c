#include "segment/restore.h"

#include "base/arena.h"
#include "image/resample.h"

#include <omp.h>
#include <stdlib.h>
#include <string.h>

enum { ALONE = 16 };

/* Floats from one voxel of a block to the next along x, y, z, and the block's size. */
static const int block_stride[3] = {MERGE_BLOCK_Y * MERGE_BLOCK_Z, MERGE_BLOCK_Z, 1};
static const int block_size[3] = {MERGE_BLOCK_X, MERGE_BLOCK_Y, MERGE_BLOCK_Z};

/* For a wanted source index along an array axis: which block, and where in it. */
typedef struct block_step {
    int32_t block;  /* along its oriented axis; -1: outside the crop, where all is 0 */
    int32_t inside; /* floats from the block's start                                 */
} block_step;

/* What one thread works with. */
typedef struct worker {
    char *scratch;        /* of resample_tile_run                          */
    float *tile;          /* [slice][column][row] of one tile              */
    block_step *steps[3]; /* by array axis: one for each index asked for   */
    restore_found found;
    /* while a prompt is restored */
    const struct restore *owner;
    const merge *merged;
    int prompt;
    float threshold;
} worker;

struct restore {
    standard_grid grid;
    resample_map map;              /* output: the file's grid; source: the spaced grid            */
    const resample_kernels *kernels;
    bool probabilities;
    int threads;
    arena memory;
    worker *workers;               /* [threads]                                                   */
    uint8_t *mask;                 /* a slab of tile[2] slices: [slice][column][row] of the file  */
    float *probability;            /* likewise; NULL when opened without                          */
    uint8_t *dirty;                /* of each tile of the slab: something was written there       */
    int64_t block_box[3][2];       /* of the prompt at hand: blocks that exist, by oriented axis  */
    int64_t tile_box[3][2];        /* the tiles that can reach them, by array axis                */
};

/* ---------------------------------------------------------------- opening */

static void describe_map(const standard_grid *grid, resample_map *map)
{
    *map = (resample_map){.tile = {64, 16, 8}};
    memcpy(map->matrix, grid->spaced.push, sizeof map->matrix);
    for (int a = 0; a < 3; a++) {
        const int p = grid->orient.source[a];
        map->oriented_axis[p] = a;
        map->output_shape[p] = grid->scan.shape_ijk[p];
        map->source_shape[p] = grid->spaced.shape[a];
        map->flip_output[p] = grid->orient.flip[a];
    }
}

static size_t tile_voxels(const resample_map *map)
{
    return (size_t)map->tile[0] * (size_t)map->tile[1] * (size_t)map->tile[2];
}

static size_t steps_along(const resample_map *map, int p)
{
    const int pairs = 2 * map->tile[p];
    return (size_t)(pairs > map->footprint[p] ? pairs : map->footprint[p]);
}

static size_t slab_voxels(const resample_map *map)
{
    return (size_t)map->output_shape[0] * (size_t)map->output_shape[1] * (size_t)map->tile[2];
}

static size_t all_bytes(const resample_map *map, bool probabilities, int threads)
{
    size_t each = arena_bytes(resample_scratch_bytes(map), 1) + arena_bytes(tile_voxels(map), sizeof(float));
    for (int p = 0; p < 3; p++)
        each += arena_bytes(steps_along(map, p), sizeof(block_step));
    return each * (size_t)threads + arena_bytes((size_t)threads, sizeof(worker)) + arena_bytes(slab_voxels(map), 1) +
           (probabilities ? arena_bytes(slab_voxels(map), sizeof(float)) : 0) +
           arena_bytes((size_t)(map->tiles[0] * map->tiles[1]), 1);
}

size_t restore_bytes(const standard_grid *grid, bool probabilities, int threads)
{
    resample_map map;
    describe_map(grid, &map);
    if (resample_map_make(&map, NULL) != SAT_OK) return SIZE_MAX;
    const size_t bytes = all_bytes(&map, probabilities, threads);
    resample_map_free(&map);
    return bytes;
}

sat_status restore_open(const standard_grid *grid, bool probabilities, int threads, restore **opened, sat_error *error)
{
    *opened = NULL;
    restore *r = calloc(1, sizeof *r);
    if (!r) return sat_fail(error, SAT_NO_MEMORY, "no memory is left");
    r->grid = *grid;
    r->probabilities = probabilities;
    r->threads = threads;
    r->kernels = resample_kernels_best();
    describe_map(grid, &r->map);
    sat_status status = resample_map_make(&r->map, error);
    if (status == SAT_OK) status = arena_open(&r->memory, all_bytes(&r->map, probabilities, threads), error);
    if (status != SAT_OK) {
        restore_close(r);
        return status;
    }
    r->workers = arena_take(&r->memory, (size_t)threads, sizeof *r->workers);
    for (int t = 0; t < threads; t++) {
        worker *w = &r->workers[t];
        *w = (worker){.owner = r};
        w->scratch = arena_take(&r->memory, resample_scratch_bytes(&r->map), 1);
        w->tile = arena_take(&r->memory, tile_voxels(&r->map), sizeof *w->tile);
        for (int p = 0; p < 3; p++)
            w->steps[p] = arena_take(&r->memory, steps_along(&r->map, p), sizeof *w->steps[p]);
    }
    r->mask = arena_take(&r->memory, slab_voxels(&r->map), 1);
    if (probabilities) r->probability = arena_take(&r->memory, slab_voxels(&r->map), sizeof *r->probability);
    r->dirty = arena_take(&r->memory, (size_t)(r->map.tiles[0] * r->map.tiles[1]), 1);
    *opened = r;
    return SAT_OK;
}

void restore_close(restore *r)
{
    if (!r) return;
    resample_map_free(&r->map);
    arena_close(&r->memory);
    free(r);
}

/* ---------------------------------------------------------------- reading the blocks */

/* The blocks that exist, by oriented axis; false when there are none. */
static bool find_block_box(const merge *merged, int prompt, int64_t box[3][2])
{
    int64_t n[3];
    merge_blocks(merged, n);
    for (int a = 0; a < 3; a++) {
        box[a][0] = n[a];
        box[a][1] = 0;
    }
    for (int64_t x = 0; x < n[0]; x++)
        for (int64_t y = 0; y < n[1]; y++)
            for (int64_t z = 0; z < n[2]; z++) {
                if (!merge_block(merged, prompt, x, y, z)) continue;
                const int64_t at[3] = {x, y, z};
                for (int a = 0; a < 3; a++) {
                    if (at[a] < box[a][0]) box[a][0] = at[a];
                    if (at[a] >= box[a][1]) box[a][1] = at[a] + 1;
                }
            }
    return box[0][1] > 0;
}

/* Where a source index along array axis p lies among the blocks that exist; block -1: in none of them. */
static block_step step_of(const restore *r, int p, int64_t index)
{
    const int a = r->map.oriented_axis[p];
    const int64_t within = index - r->grid.box[a][0], block = within >= 0 ? within / block_size[a] : -1;
    if (index >= r->grid.box[a][1] || block < r->block_box[a][0] || block >= r->block_box[a][1]) return (block_step){-1, 0};
    return (block_step){(int32_t)block, (int32_t)(within % block_size[a]) * block_stride[a]};
}

/* The steps of `count` source indices along array axis p: list[n], or first + n. False if none lies in a block. */
static bool take_steps(const restore *r, int p, const int32_t *list, int64_t first, int count, block_step *steps)
{
    bool any = false;
    for (int n = 0; n < count; n++) {
        steps[n] = step_of(r, p, list ? list[n] : first + n);
        any |= steps[n].block >= 0;
    }
    return any;
}

/* Tiles outside this box read no block. */
static void find_tile_box(restore *r)
{
    for (int p = 0; p < 3; p++) {
        r->tile_box[p][0] = 0;
        r->tile_box[p][1] = r->map.tiles[p];
        if (!r->map.aligned) continue;
        const resample_table *table = &r->map.tables[p];
        int64_t first = r->map.output_shape[p], end = 0;
        for (int64_t n = 0; n < r->map.output_shape[p]; n++) {
            if (step_of(r, p, table->low[n]).block < 0 && step_of(r, p, table->high[n]).block < 0) continue;
            if (n < first) first = n;
            end = n + 1;
        }
        r->tile_box[p][0] = first / r->map.tile[p];
        r->tile_box[p][1] = (end + r->map.tile[p] - 1) / r->map.tile[p];
    }
}

/* One row of source voxels from the blocks (column and slice block given in `at`, by oriented axis); true if a block exists. */
static bool read_row(const worker *w, int64_t at[3], int inside, int count, float *values)
{
    const int a = w->owner->map.oriented_axis[0];
    const block_step *steps = w->steps[0];
    bool any = false;
    for (int n = 0, end; n < count; n = end) {
        for (end = n + 1; end < count && steps[end].block == steps[n].block;)
            end++;
        at[a] = steps[n].block;
        const float *block = at[a] < 0 ? NULL : merge_block(w->merged, w->prompt, at[0], at[1], at[2]);
        if (!block) {
            memset(values + n, 0, (size_t)(end - n) * sizeof *values);
            continue;
        }
        any = true;
        for (int i = n; i < end; i++)
            values[i] = block[steps[i].inside + inside];
    }
    return any;
}

static bool fetch_blocks(void *context, const resample_request *wanted, float *values)
{
    const worker *w = context;
    const restore *r = w->owner;
    if (!take_steps(r, 2, wanted->slices, 0, wanted->slice_count, w->steps[2]) ||
        !take_steps(r, 1, wanted->columns, 0, wanted->column_count, w->steps[1]) ||
        !take_steps(r, 0, NULL, wanted->row_first, wanted->row_count, w->steps[0]))
        return false;
    bool any = false;
    const size_t row = (size_t)wanted->row_count;
    for (int s = 0; s < wanted->slice_count; s++)
        for (int c = 0; c < wanted->column_count; c++, values += row) {
            const block_step slice = w->steps[2][s], column = w->steps[1][c];
            if (slice.block < 0 || column.block < 0) {
                memset(values, 0, row * sizeof *values);
                continue;
            }
            int64_t at[3];
            at[r->map.oriented_axis[1]] = column.block;
            at[r->map.oriented_axis[2]] = slice.block;
            any |= read_row(w, at, slice.inside + column.inside, wanted->row_count, values);
        }
    return any;
}

/* ---------------------------------------------------------------- tiles and slabs */

/* Widens what was found by a row of `count` mask voxels from (i, j, k). */
static void note_row(restore_found *found, const uint8_t *mask, int count, int64_t i, int64_t j, int64_t k)
{
    int voxels = 0;
    for (int n = 0; n < count; n++)
        voxels += mask[n];
    if (!voxels) return;
    int first = 0, last = count - 1;
    while (!mask[first])
        first++;
    while (!mask[last])
        last--;
    const int64_t low[3] = {i + first, j, k}, high[3] = {i + last + 1, j + 1, k + 1};
    for (int axis = 0; axis < 3; axis++) {
        if (low[axis] < found->box_ijk[axis][0]) found->box_ijk[axis][0] = low[axis];
        if (high[axis] > found->box_ijk[axis][1]) found->box_ijk[axis][1] = high[axis];
    }
    found->voxels += voxels;
}

/* Writes a tile into the slab; `values` NULL: zeros. */
static void store_tile(restore *r, const resample_tile *tile, const float *values, float threshold, restore_found *found)
{
    const size_t ni = (size_t)r->map.output_shape[0], nj = (size_t)r->map.output_shape[1];
    const int count = tile->count[0];
    for (int s = 0; s < tile->count[2]; s++)
        for (int c = 0; c < tile->count[1]; c++) {
            const size_t at = ((size_t)s * nj + (size_t)(tile->first[1] + c)) * ni + (size_t)tile->first[0];
            uint8_t *mask = r->mask + at;
            if (!values) {
                memset(mask, 0, (size_t)count);
                if (r->probability) memset(r->probability + at, 0, (size_t)count * sizeof(float));
                continue;
            }
            const float *p = values + ((size_t)s * (size_t)r->map.tile[1] + (size_t)c) * (size_t)r->map.tile[0];
            for (int n = 0; n < count; n++)
                mask[n] = p[n] > threshold;
            if (r->probability) memcpy(r->probability + at, p, (size_t)count * sizeof *p);
            note_row(found, mask, count, tile->first[0], tile->first[1] + c, tile->first[2] + s);
        }
}

/* Computes slab number `slab`; returns whether any tile of it was computed. Tiles are independent of each other. */
static bool run_slab(restore *r, int64_t slab)
{
    const resample_map *map = &r->map;
    const int64_t wide = r->tile_box[0][1] - r->tile_box[0][0], tiles = wide * (r->tile_box[1][1] - r->tile_box[1][0]);
    const size_t column_pitch = (size_t)map->tile[0], slice_pitch = column_pitch * (size_t)map->tile[1];
    int computed = 0;
    /* a few tiles are done sooner by one thread than threads are woken */
#pragma omp parallel for num_threads(r->threads) schedule(dynamic) reduction(| : computed) if (tiles > ALONE)
    for (int64_t t = 0; t < tiles; t++) {
        worker *w = &r->workers[omp_get_thread_num()];
        const int64_t place = (r->tile_box[1][0] + t / wide) * map->tiles[0] + r->tile_box[0][0] + t % wide;
        resample_tile tile;
        resample_tile_at(map, slab * map->tiles[0] * map->tiles[1] + place, &tile);
        const bool some = resample_tile_run(map, r->kernels, &tile, fetch_blocks, w, w->scratch, w->tile, column_pitch, slice_pitch);
        if (some || r->dirty[place]) store_tile(r, &tile, some ? w->tile : NULL, w->threshold, &w->found);
        r->dirty[place] = some;
        computed |= some;
    }
    return computed;
}

/* The slab as it was before the prompt: zeros, and no tile dirty. */
static void wipe_slab(restore *r)
{
    memset(r->dirty, 0, (size_t)(r->map.tiles[0] * r->map.tiles[1]));
    memset(r->mask, 0, slab_voxels(&r->map));
    if (r->probability) memset(r->probability, 0, slab_voxels(&r->map) * sizeof *r->probability);
}

static sat_status deliver(const restore *r, const restore_sink *sink, bool computed, size_t voxels, sat_error *error)
{
    if (!computed && sink->nothing) return sink->nothing(sink->context, voxels, error);
    sat_status status = SAT_OK;
    if (sink->mask) status = sink->mask(sink->context, r->mask, voxels, error);
    if (status == SAT_OK && sink->probability) status = sink->probability(sink->context, r->probability, voxels, error);
    return status;
}

static const restore_found nothing_found = {0, {{INT64_MAX, 0}, {INT64_MAX, 0}, {INT64_MAX, 0}}};

static void add_found(restore_found *sum, const restore_found *part)
{
    sum->voxels += part->voxels;
    for (int axis = 0; axis < 3; axis++) {
        if (part->box_ijk[axis][0] < sum->box_ijk[axis][0]) sum->box_ijk[axis][0] = part->box_ijk[axis][0];
        if (part->box_ijk[axis][1] > sum->box_ijk[axis][1]) sum->box_ijk[axis][1] = part->box_ijk[axis][1];
    }
}

sat_status restore_prompt(restore *r, const merge *merged, int prompt, const restore_sink *sink, restore_found *found,
                          sat_error *error)
{
    *found = (restore_found){0};
    if (sink->probability && !r->probabilities)
        return sat_fail(error, SAT_BAD_ARGUMENT, "probabilities are wanted from a way back that was opened for masks alone");
    for (int a = 0; a < 3; a++)
        if (merge_shape(merged)[a] != r->grid.shape_xyz[a])
            return sat_fail(error, SAT_BAD_ARGUMENT, "the merged volume has %lld voxels along axis %d, the scan's standard form %lld",
                            (long long)merge_shape(merged)[a], a, (long long)r->grid.shape_xyz[a]);
    for (int t = 0; t < r->threads; t++) {
        r->workers[t].merged = merged;
        r->workers[t].prompt = prompt;
        r->workers[t].threshold = merge_threshold(merged);
        r->workers[t].found = nothing_found;
    }
    const bool any = find_block_box(merged, prompt, r->block_box);
    if (any) find_tile_box(r);
    wipe_slab(r);
    const int64_t *n = r->map.output_shape;
    bool clean = true; /* the slab's buffer holds zeros */
    sat_status status = SAT_OK;
    for (int64_t slab = 0; slab < r->map.tiles[2] && status == SAT_OK; slab++) {
        const int64_t left = n[2] - slab * r->map.tile[2], slices = left < r->map.tile[2] ? left : r->map.tile[2];
        const bool within = any && slab >= r->tile_box[2][0] && slab < r->tile_box[2][1];
        if (!within && !clean) wipe_slab(r);
        const bool computed = within && run_slab(r, slab);
        clean = !within;
        status = deliver(r, sink, computed, (size_t)(n[0] * n[1] * slices), error);
    }
    restore_found sum = nothing_found;
    for (int t = 0; t < r->threads; t++)
        add_found(&sum, &r->workers[t].found);
    if (sum.voxels) *found = sum;
    return status;
}
