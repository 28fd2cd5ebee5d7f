#include "image/resample.h"

#include "base/processor.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double index_snap = 1e-9; /* coordinates this close to an integer are that integer */
enum { SOURCE_MOST = 1 << 17 };        /* source voxels of a tile: half a megabyte of float32 stays in the L2 cache */

const resample_kernels *resample_kernels_best(void)
{
#if defined(__x86_64__)
    const processor_level level = processor_best();
    if (level >= PROCESSOR_AVX512) return &resample_kernels_avx512;
    if (level >= PROCESSOR_AVX2) return &resample_kernels_avx2;
#endif
    return &resample_kernels_plain;
}

/* ---------------------------------------------------------------- the map */

static bool is_diagonal(double matrix[3][4])
{
    for (int row = 0; row < 3; row++)
        for (int column = 0; column < 3; column++)
            if (row != column && matrix[row][column] != 0) return false;
    return true;
}

/* Fills the table of array axis p: the same arithmetic as the general kernels with two of the three products 0. */
static void fill_table(const resample_map *map, int p)
{
    const int axis = map->oriented_axis[p];
    const double scale = map->matrix[axis][axis], offset = map->matrix[axis][3];
    const int32_t last = (int32_t)(map->source_shape[p] - 1);
    for (int64_t n = 0; n < map->output_shape[p]; n++) {
        const double o = (double)(map->flip_output[p] ? map->output_shape[p] - 1 - n : n);
        double x = scale * o + offset;
        const double near = rint(x);
        if (fabs(x - near) <= index_snap) x = near;
        x = x < 0 ? 0 : x > last ? last : x;
        const int32_t low = (int32_t)x;
        const double fraction = x - low;
        const int32_t high = fraction > 0 && low < last ? low + 1 : low;
        map->tables[p].fraction[n] = fraction;
        map->tables[p].low[n] = map->flip_source[p] ? last - low : low;
        map->tables[p].high[n] = map->flip_source[p] ? last - high : high;
    }
}

/* The distinct source indices that outputs [first, first + count) read, in order of need; local[] are places in the list. */
static int list_needed(const resample_table *table, int64_t first, int count, int32_t *list, int32_t *local_low,
                       int32_t *local_high)
{
    int listed = 0;
    for (int n = 0; n < count; n++) {
        const int32_t wanted[2] = {table->low[first + n], table->high[first + n]};
        for (int b = 0; b < 2; b++) {
            int at = listed - 1;
            while (at >= 0 && at >= listed - 3 && list[at] != wanted[b])
                at--;
            if (at < 0 || at < listed - 3) list[at = listed++] = wanted[b];
            *(b ? &local_high[n] : &local_low[n]) = at;
        }
    }
    return listed;
}

/* Smallest and largest source index of outputs [first, first + count): monotone tables need their ends only. */
static void table_range(const resample_table *table, int64_t first, int count, int32_t *low, int32_t *high)
{
    const int32_t ends[4] = {table->low[first], table->high[first], table->low[first + count - 1],
                             table->high[first + count - 1]};
    *low = *high = ends[0];
    for (int n = 1; n < 4; n++) {
        if (ends[n] < *low) *low = ends[n];
        if (ends[n] > *high) *high = ends[n];
    }
}

/* Source voxels along array axis p that tiles of the map's present size read at most. */
static int64_t footprint_along(const resample_map *map, int p)
{
    if (!map->aligned) { /* the tile's edges projected; 3: both ends' neighbours, and rounding */
        const int axis = map->oriented_axis[p];
        double length = 3;
        for (int q = 0; q < 3; q++)
            length += fabs(map->matrix[axis][map->oriented_axis[q]]) * (map->tile[q] - 1);
        const double most = (double)map->source_shape[p];
        return (int64_t)ceil(length < most ? length : most);
    }
    int64_t most = 0;
    for (int64_t first = 0; first < map->output_shape[p]; first += map->tile[p]) {
        const int64_t left = map->output_shape[p] - first;
        int32_t low, high;
        table_range(&map->tables[p], first, (int)(left < map->tile[p] ? left : map->tile[p]), &low, &high);
        const int64_t range = high - low + 1, pairs = 2 * (int64_t)map->tile[p];
        const int64_t needed = p > 0 && pairs < range ? pairs : range;
        if (needed > most) most = needed;
    }
    return most;
}

/* Halves the tile until what it reads fits the cache. */
static void fit_tile(resample_map *map)
{
    for (int p = 0; p < 3; p++) {
        if (map->tile[p] > map->output_shape[p]) map->tile[p] = (int)map->output_shape[p];
        if (map->tile[p] < 1) map->tile[p] = 1;
    }
    for (;;) {
        int widest = 0;
        double voxels = 1;
        for (int p = 0; p < 3; p++) {
            map->footprint[p] = (int)footprint_along(map, p);
            voxels *= map->footprint[p];
            if (map->tile[p] > map->tile[widest]) widest = p;
        }
        if (voxels <= SOURCE_MOST || map->tile[widest] == 1) break;
        map->tile[widest] = (map->tile[widest] + 1) / 2;
    }
    for (int p = 0; p < 3; p++)
        map->tiles[p] = (map->output_shape[p] + map->tile[p] - 1) / map->tile[p];
}

sat_status resample_map_make(resample_map *map, sat_error *error)
{
    map->memory = NULL;
    size_t entries = 0;
    for (int p = 0; p < 3; p++) {
        if (map->output_shape[p] < 1 || map->source_shape[p] < 1 || map->output_shape[p] > INT32_MAX - 1 ||
            map->source_shape[p] > INT32_MAX - 1)
            return sat_fail(error, SAT_BAD_INPUT, "a grid of %lld voxels along one axis cannot be resampled",
                            (long long)(map->output_shape[p] < 1 ? map->source_shape[p] : map->output_shape[p]));
        entries += (size_t)map->output_shape[p];
    }
    map->aligned = is_diagonal(map->matrix);
    if (map->aligned) {
        char *memory = malloc(entries * (sizeof(double) + 2 * sizeof(int32_t)));
        if (!memory) return sat_fail(error, SAT_NO_MEMORY, "no memory for %zu table entries for resampling", entries);
        map->memory = memory;
        double *fractions = (double *)(void *)memory;
        int32_t *indices = (int32_t *)(void *)(fractions + entries);
        for (int p = 0; p < 3; p++) {
            const size_t n = (size_t)map->output_shape[p];
            map->tables[p] = (resample_table){indices, indices + n, fractions};
            fractions += n;
            indices += 2 * n;
            fill_table(map, p);
        }
    }
    fit_tile(map);
    return SAT_OK;
}

void resample_map_free(resample_map *map)
{
    free(map->memory);
    map->memory = NULL;
}

void resample_tile_at(const resample_map *map, int64_t index, resample_tile *tile)
{
    for (int p = 0; p < 3; p++) {
        tile->first[p] = index % map->tiles[p] * map->tile[p];
        index /= map->tiles[p];
        const int64_t left = map->output_shape[p] - tile->first[p];
        tile->count[p] = (int)(left < map->tile[p] ? left : map->tile[p]);
    }
}

/* ---------------------------------------------------------------- a thread's memory */

typedef struct tile_memory {
    float *values;                        /* [slice][column][row] of the request       */
    double *plane, *line;                 /* aligned: blended slice; blended row       */
    int32_t *list[3], *low[3], *high[3];  /* requested indices; places within them     */
} tile_memory;

/* The next `bytes` of `base`, 64-byte aligned; only counts where base is NULL. */
static void *place(char *base, size_t *used, size_t bytes)
{
    void *at = base ? base + *used : NULL;
    *used += (bytes + 63) / 64 * 64;
    return at;
}

/* Lays out a thread's memory from `base`; returns its size. */
static size_t lay_out(const resample_map *map, char *base, tile_memory *memory)
{
    const size_t row = (size_t)map->footprint[0], column = (size_t)map->footprint[1], slice = (size_t)map->footprint[2];
    size_t used = 0;
    memory->values = place(base, &used, (row * column * slice + RESAMPLE_PADDING) * sizeof(float));
    memory->plane = place(base, &used, map->aligned ? (row * column + RESAMPLE_PADDING) * sizeof(double) : 0);
    memory->line = place(base, &used, map->aligned ? (row + RESAMPLE_PADDING) * sizeof(double) : 0);
    for (int p = 0; p < 3; p++) {
        const int entries = 2 * map->tile[p] > map->footprint[p] ? 2 * map->tile[p] : map->footprint[p];
        memory->list[p] = place(base, &used, (size_t)entries * sizeof(int32_t));
        memory->low[p] = place(base, &used, (size_t)map->tile[p] * sizeof(int32_t));
        memory->high[p] = place(base, &used, (size_t)map->tile[p] * sizeof(int32_t));
    }
    return used;
}

size_t resample_scratch_bytes(const resample_map *map)
{
    tile_memory memory;
    return lay_out(map, NULL, &memory);
}

/* ---------------------------------------------------------------- tiles */

static bool run_aligned(const resample_map *map, const resample_kernels *kernels, const resample_tile *tile,
                        resample_fetch *fetch, void *context, tile_memory *memory, float *output, size_t column_pitch,
                        size_t slice_pitch)
{
    int32_t row_first, row_last;
    table_range(&map->tables[0], tile->first[0], tile->count[0], &row_first, &row_last);
    for (int n = 0; n < tile->count[0]; n++) {
        memory->low[0][n] = map->tables[0].low[tile->first[0] + n] - row_first;
        memory->high[0][n] = map->tables[0].high[tile->first[0] + n] - row_first;
    }
    resample_request request = {.row_first = row_first, .row_count = row_last - row_first + 1,
                                .columns = memory->list[1], .slices = memory->list[2]};
    request.column_count = list_needed(&map->tables[1], tile->first[1], tile->count[1], memory->list[1], memory->low[1], memory->high[1]);
    request.slice_count = list_needed(&map->tables[2], tile->first[2], tile->count[2], memory->list[2], memory->low[2], memory->high[2]);
    if (!fetch(context, &request, memory->values)) return false;

    const size_t row = (size_t)request.row_count, slice = row * (size_t)request.column_count;
    const double *column_fraction = map->tables[1].fraction + tile->first[1];
    const double *slice_fraction = map->tables[2].fraction + tile->first[2];
    for (int s = 0; s < tile->count[2]; s++) {
        kernels->blend_floats(memory->plane, memory->values + (size_t)memory->low[2][s] * slice,
                              memory->values + (size_t)memory->high[2][s] * slice, slice_fraction[s], slice);
        for (int c = 0; c < tile->count[1]; c++) {
            const double *line = memory->plane + (size_t)memory->low[1][c] * row;
            if (column_fraction[c] != 0) {
                kernels->blend_doubles(memory->line, line, memory->plane + (size_t)memory->high[1][c] * row, column_fraction[c], row);
                line = memory->line;
            }
            kernels->sample_row(output + (size_t)s * slice_pitch + (size_t)c * column_pitch, line, memory->low[0],
                                memory->high[0], map->tables[0].fraction + tile->first[0], tile->count[0]);
        }
    }
    return true;
}

/* Oriented output index of array index n along array axis p. */
static double oriented_index(const resample_map *map, int p, int64_t n)
{
    return (double)(map->flip_output[p] ? map->output_shape[p] - 1 - n : n);
}

/* The source box that a tile's voxels and their neighbours lie in; array axes. */
static void oblique_box(const resample_map *map, const resample_tile *tile, int32_t first[3], int32_t count[3])
{
    for (int p = 0; p < 3; p++) {
        const int axis = map->oriented_axis[p];
        const double last = (double)(map->source_shape[p] - 1);
        double low = map->matrix[axis][3], high = low;
        for (int q = 0; q < 3; q++) {
            const double m = map->matrix[axis][map->oriented_axis[q]];
            const double a = m * oriented_index(map, q, tile->first[q]);
            const double b = m * oriented_index(map, q, tile->first[q] + tile->count[q] - 1);
            low += a < b ? a : b;
            high += a < b ? b : a;
        }
        low = floor(low - 1e-6); /* more than the snap and the sums' rounding */
        high = floor(high + 1e-6) + 1;
        const int32_t from = (int32_t)(low < 0 ? 0 : low > last ? last : low);
        const int32_t to = (int32_t)(high < 0 ? 0 : high > last ? last : high);
        first[p] = map->flip_source[p] ? (int32_t)last - to : from;
        count[p] = to - from + 1;
    }
}

static bool run_oblique(const resample_map *map, const resample_kernels *kernels, const resample_tile *tile,
                        resample_fetch *fetch, void *context, tile_memory *memory, float *output, size_t column_pitch,
                        size_t slice_pitch)
{
    int32_t first[3], count[3];
    oblique_box(map, tile, first, count);
    for (int p = 1; p < 3; p++)
        for (int n = 0; n < count[p]; n++)
            memory->list[p][n] = first[p] + n;
    const resample_request request = {first[0], count[0], count[1], count[2], memory->list[1], memory->list[2]};
    if (!fetch(context, &request, memory->values)) return false;

    resample_points points = {.row_axis = map->oriented_axis[0], .step = map->flip_output[0] ? -1 : 1};
    memcpy(points.matrix, map->matrix, sizeof points.matrix);
    for (int p = 0; p < 3; p++) {
        const int axis = map->oriented_axis[p];
        points.array_axis[axis] = p;
        points.flip[axis] = map->flip_source[p];
        points.last[axis] = (double)(map->source_shape[p] - 1);
        points.first[p] = first[p];
    }
    points.pitch[0] = 1;
    points.pitch[1] = count[0];
    points.pitch[2] = count[0] * count[1];
    points.start[map->oriented_axis[0]] = oriented_index(map, 0, tile->first[0]);
    for (int s = 0; s < tile->count[2]; s++)
        for (int c = 0; c < tile->count[1]; c++) {
            points.start[map->oriented_axis[1]] = oriented_index(map, 1, tile->first[1] + c);
            points.start[map->oriented_axis[2]] = oriented_index(map, 2, tile->first[2] + s);
            kernels->sample_points(output + (size_t)s * slice_pitch + (size_t)c * column_pitch, memory->values, &points,
                                   tile->count[0]);
        }
    return true;
}

bool resample_tile_run(const resample_map *map, const resample_kernels *kernels, const resample_tile *tile,
                       resample_fetch *fetch, void *context, void *scratch, float *output, size_t column_pitch,
                       size_t slice_pitch)
{
    tile_memory memory;
    lay_out(map, scratch, &memory);
    return (map->aligned ? run_aligned : run_oblique)(map, kernels, tile, fetch, context, &memory, output, column_pitch,
                                                      slice_pitch);
}
