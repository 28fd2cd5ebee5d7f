#include "segment/standardise.h"

#include "base/arena.h"
#include "image/intensity.h"
#include "image/percentile.h"
#include "image/resample.h"
#include "segment/modality.h"

#include <float.h>
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------- the grids */

/* Box, shape and affine of the processed volume, from the crop within the spaced grid. */
static void set_box(standard_grid *grid, int64_t box[3][2])
{
    double shift[3][4] = {{1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 1, 0}};
    for (int axis = 0; axis < 3; axis++) {
        grid->box[axis][0] = box[axis][0];
        grid->box[axis][1] = box[axis][1];
        grid->shape_xyz[axis] = box[axis][1] - box[axis][0];
        shift[axis][3] = (double)box[axis][0];
    }
    affine_multiply(grid->spaced.affine, shift, grid->affine);
}

sat_status standard_plan(const geometry *scan, const standard_settings *settings, standard_grid *grid, sat_error *error)
{
    *grid = (standard_grid){.scan = *scan};
    for (int axis = 0; axis < 3; axis++)
        if (scan->shape_ijk[axis] < 1 || scan->shape_ijk[axis] > INT32_MAX - 1)
            return sat_fail(error, SAT_BAD_INPUT, "a scan of %lld x %lld x %lld voxels cannot be used",
                            (long long)scan->shape_ijk[0], (long long)scan->shape_ijk[1], (long long)scan->shape_ijk[2]);
    const char *code = settings->orientation_code ? settings->orientation_code : "RAS";
    double affine[3][4]; /* a copy: gcc 12 takes the member after an int64_t[3] for too short */
    memcpy(affine, scan->voxel_to_world, sizeof affine);
    sat_status status = orientation_find(affine, code, &grid->orient, error);
    if (status != SAT_OK) return status;
    orientation_apply(&grid->orient, scan->shape_ijk, affine, grid->oriented_shape, grid->oriented_affine);
    status = regrid_find(grid->oriented_shape, grid->oriented_affine, settings->spacing_mm, &grid->spaced, error);
    if (status != SAT_OK) return status;
    const int64_t *n = grid->spaced.shape;
    int64_t whole[3][2] = {{0, n[0]}, {0, n[1]}, {0, n[2]}};
    set_box(grid, whole);
    return SAT_OK;
}

/* The map from the spaced grid back into the file's array, and its tile: long along the row that the file has
 * contiguous, and along z, which the result has contiguous. */
static void describe_map(const standard_grid *grid, resample_map *map)
{
    *map = (resample_map){0};
    memcpy(map->matrix, grid->spaced.pull, sizeof map->matrix);
    for (int a = 0; a < 3; a++) {
        const int p = grid->orient.source[a];
        map->oriented_axis[p] = a;
        map->output_shape[p] = grid->spaced.shape[a];
        map->source_shape[p] = grid->oriented_shape[a];
        map->flip_source[p] = grid->orient.flip[a];
        map->tile[p] = p == 0 ? 64 : a == 2 ? 32 : 8;
    }
}

static size_t spaced_voxels(const standard_grid *grid)
{
    return (size_t)grid->spaced.shape[0] * (size_t)grid->spaced.shape[1] * (size_t)grid->spaced.shape[2];
}

/* ---------------------------------------------------------------- reading the scan */

typedef struct scan_source {
    const volume *scan;
    float background;     /* stands for voxels that are not finite */
    bool check;           /* whether there are such                */
} scan_source;

static bool fetch_scan(void *context, const resample_request *wanted, float *values)
{
    const scan_source *source = context;
    const size_t row = (size_t)source->scan->grid.shape_ijk[0], column = (size_t)source->scan->grid.shape_ijk[1];
    const size_t count = (size_t)wanted->row_count;
    float *to = values;
    for (int s = 0; s < wanted->slice_count; s++)
        for (int c = 0; c < wanted->column_count; c++, to += count)
            volume_values(source->scan, ((size_t)wanted->slices[s] * column + (size_t)wanted->columns[c]) * row + (size_t)wanted->row_first,
                          count, to);
    if (source->check)
        for (float *value = values; value < to; value++)
            if (!isfinite(*value)) *value = source->background;
    return true;
}

/* True where no stored value can come out NaN or beyond float32. */
static bool always_finite(const volume *scan)
{
    if (scan->type == VOXEL_FLOAT32 || scan->type == VOXEL_FLOAT64) return false;
    return !scan->scaled || fabs(scan->slope) * 0x1p64 + fabs(scan->intercept) < FLT_MAX;
}

/* Counts the voxels that are not finite and finds the first of them in the file. */
static void count_not_finite(const volume *scan, int threads, standard_scan *made)
{
    if (always_finite(scan)) return;
    enum { CHUNK = 4096 };
    const size_t voxels = volume_voxels(scan);
    const int64_t chunks = (int64_t)((voxels + CHUNK - 1) / CHUNK);
    int64_t count = 0, first = INT64_MAX;
#pragma omp parallel for num_threads(threads) schedule(static) reduction(+ : count) reduction(min : first)
    for (int64_t chunk = 0; chunk < chunks; chunk++) {
        float values[CHUNK];
        const size_t from = (size_t)chunk * CHUNK, length = voxels - from < CHUNK ? voxels - from : CHUNK;
        volume_values(scan, from, length, values);
        int64_t here = 0;
        for (size_t n = 0; n < length; n++)
            here += !(fabsf(values[n]) <= FLT_MAX);
        for (size_t n = 0; here && n < length && first > (int64_t)from; n++)
            if (!(fabsf(values[n]) <= FLT_MAX)) {
                if ((int64_t)(from + n) < first) first = (int64_t)(from + n);
                break;
            }
        count += here;
    }
    made->not_finite = count;
    if (!count) return;
    made->warnings |= STANDARD_WARNS_NOT_FINITE;
    const int64_t *shape = scan->grid.shape_ijk;
    made->first_not_finite_ijk[0] = first % shape[0];
    made->first_not_finite_ijk[1] = first / shape[0] % shape[1];
    made->first_not_finite_ijk[2] = first / shape[0] / shape[1];
}

/* ---------------------------------------------------------------- respacing */

/* A tile [slice][column][row] into the volume [x][y][z], z innermost: strides are those of the tile along x, y, z. */
static void store_tile(const standard_grid *grid, const resample_map *map, const resample_tile *tile, const float *values,
                       const size_t pitch[3], float *spaced)
{
    int64_t first[3], count[3];
    size_t stride[3];
    for (int p = 0; p < 3; p++) {
        const int a = map->oriented_axis[p];
        first[a] = tile->first[p];
        count[a] = tile->count[p];
        stride[a] = pitch[p];
    }
    const int64_t ny = grid->spaced.shape[1], nz = grid->spaced.shape[2];
    for (int64_t x = 0; x < count[0]; x++)
        for (int64_t y = 0; y < count[1]; y++) {
            const float *from = values + (size_t)x * stride[0] + (size_t)y * stride[1];
            float *to = spaced + ((first[0] + x) * ny + first[1] + y) * nz + first[2];
            for (int64_t z = 0; z < count[2]; z++)
                to[z] = from[(size_t)z * stride[2]];
        }
}

/* Floats between columns and slices of a tile buffer: an odd number of cache lines apart, so that reading it across
 * does not fall on the same few places of the cache. */
static void tile_pitch(const resample_map *map, size_t pitch[3])
{
    pitch[0] = 1;
    pitch[1] = ((size_t)map->tile[0] + 15) / 16 * 16 + 16;
    pitch[2] = pitch[1] * (size_t)map->tile[1] + 16;
}

static size_t thread_bytes(const resample_map *map)
{
    size_t pitch[3];
    tile_pitch(map, pitch);
    return arena_bytes(resample_scratch_bytes(map), 1) + arena_bytes(pitch[2] * (size_t)map->tile[2], sizeof(float));
}

static sat_status respace(const scan_source *source, const standard_grid *grid, int threads, float *spaced, sat_error *error)
{
    resample_map map;
    describe_map(grid, &map);
    arena memory = {0};
    sat_status status = resample_map_make(&map, error);
    if (status != SAT_OK) return status;
    const size_t each = thread_bytes(&map);
    status = arena_open(&memory, each * (size_t)threads, error);
    if (status != SAT_OK) goto done;
    char *base = arena_take(&memory, each * (size_t)threads, 1);
    const resample_kernels *kernels = resample_kernels_best();
    size_t pitch[3];
    tile_pitch(&map, pitch);
    const int64_t tiles = map.tiles[0] * map.tiles[1] * map.tiles[2];
    /* which thread takes which tile does not show in the result */
#pragma omp parallel for num_threads(threads) schedule(dynamic, 4)
    for (int64_t t = 0; t < tiles; t++) {
        char *mine = base + each * (size_t)omp_get_thread_num();
        float *values = (float *)(void *)(mine + arena_bytes(resample_scratch_bytes(&map), 1));
        resample_tile tile;
        resample_tile_at(&map, t, &tile);
        resample_tile_run(&map, kernels, &tile, fetch_scan, (void *)(uintptr_t)source, mine, values, pitch[1], pitch[2]);
        store_tile(grid, &map, &tile, values, pitch, spaced);
    }
done:
    arena_close(&memory);
    resample_map_free(&map);
    return status;
}

/* ---------------------------------------------------------------- intensities */

static sat_status normalise(standard_scan *made, const standard_settings *settings, sat_error *error)
{
    const int64_t *n = made->grid.shape_xyz;
    const size_t count = (size_t)n[0] * (size_t)n[1] * (size_t)n[2];
    const intensity_rules *rules = &settings->intensity;
    double bounds[2] = {rules->ct_clip_low_hu, rules->ct_clip_high_hu};
    if (!made->hounsfield) {
        const double percent[2] = {rules->percentile_low, rules->percentile_high};
        const sat_status status = percentiles_find(made->voxels, count, percent, 2, settings->threads, bounds, error);
        if (status != SAT_OK) return status;
    }
    const float low = (float)bounds[0], high = (float)bounds[1];
    intensity_summary summary;
    const sat_status status = intensity_clip(made->voxels, count, low, high, settings->threads, &summary, error);
    if (status != SAT_OK) return status;
    const bool constant = summary.least == summary.most;
    if (constant) made->warnings |= STANDARD_WARNS_CONSTANT;
    made->statistics = (intensity_statistics){low, high, summary.mean, summary.std};
    intensity_scale(made->voxels, count, summary.mean, constant ? 0 : summary.std, settings->threads);
    made->lowest = constant ? 0 : (float)(((double)summary.least - summary.mean) * (1.0 / summary.std));
    return SAT_OK;
}

/* ---------------------------------------------------------------- all of it */

size_t standard_peak_bytes(const standard_grid *grid, int threads)
{
    resample_map map;
    describe_map(grid, &map);
    if (resample_map_make(&map, NULL) != SAT_OK) return SIZE_MAX;
    const size_t scratch = thread_bytes(&map) * (size_t)threads;
    resample_map_free(&map);
    const size_t counting = (size_t)threads * 5 * 65536 * sizeof(uint64_t); /* percentiles_find for two */
    return spaced_voxels(grid) * sizeof(float) + (scratch > counting ? scratch : counting);
}

sat_status standard_make(const volume *scan, const standard_settings *settings, standard_scan *made, sat_error *error)
{
    *made = (standard_scan){.hounsfield = modality_is_hounsfield(settings->modality)};
    standard_grid *grid = &made->grid;
    sat_status status = standard_plan(&scan->grid, settings, grid, error);
    if (status != SAT_OK) goto done;
    count_not_finite(scan, settings->threads, made);
    if (made->not_finite == (int64_t)volume_voxels(scan)) {
        status = sat_fail(error, SAT_BAD_INPUT, "all %lld voxels of the scan are not-a-number or infinite; was the file "
                                                "damaged, or a computation before it?",
                          (long long)made->not_finite);
        goto done;
    }
    made->voxels = malloc(spaced_voxels(grid) * sizeof *made->voxels);
    if (!made->voxels) {
        status = sat_fail(error, SAT_NO_MEMORY, "%.2f GB of memory for the scan at %g x %g x %g mm could not be had",
                          (double)spaced_voxels(grid) * sizeof(float) / 1e9, settings->spacing_mm[0],
                          settings->spacing_mm[1], settings->spacing_mm[2]);
        goto done;
    }
    const scan_source source = {scan, made->hounsfield ? (float)settings->intensity.ct_clip_low_hu : 0.0f, made->not_finite > 0};
    status = respace(&source, grid, settings->threads, made->voxels, error);
    if (status != SAT_OK) goto done;

    int64_t box[3][2];
    if (!intensity_foreground_box(made->voxels, grid->spaced.shape, settings->threads, box))
        made->warnings |= STANDARD_WARNS_NO_FOREGROUND;
    intensity_crop(made->voxels, grid->spaced.shape, box);
    set_box(grid, box);
    float *smaller = realloc(made->voxels, (size_t)grid->shape_xyz[0] * (size_t)grid->shape_xyz[1] *
                                               (size_t)grid->shape_xyz[2] * sizeof *smaller);
    if (smaller) made->voxels = smaller;
    status = normalise(made, settings, error);
done:
    if (status != SAT_OK) standard_free(made);
    return status;
}

void standard_warning_text(const standard_scan *scan, unsigned bit, char *text, size_t size)
{
    const int64_t *at = scan->first_not_finite_ijk;
    switch (bit) {
    case STANDARD_WARNS_NO_FOREGROUND:
        snprintf(text, size, "no voxel is above 0%s, so the scan could not be cropped to its foreground",
                 scan->hounsfield ? " HU" : "");
        break;
    case STANDARD_WARNS_CONSTANT:
        snprintf(text, size, "all voxels are equal after clipping to %g ... %g; there is nothing to be found",
                 scan->statistics.clip_low, scan->statistics.clip_high);
        break;
    case STANDARD_WARNS_NOT_FINITE:
        snprintf(text, size, "%lld voxels are not-a-number or infinite, the first at (%lld, %lld, %lld); taken as background",
                 (long long)scan->not_finite, (long long)at[0], (long long)at[1], (long long)at[2]);
        break;
    default: snprintf(text, size, "unknown warning");
    }
}

void standard_free(standard_scan *scan)
{
    free(scan->voxels);
    *scan = (standard_scan){0};
}
