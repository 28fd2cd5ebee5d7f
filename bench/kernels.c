/* The vector kernels of every processor level, timed in turns with one another and with memcpy of as many bytes, one
 * thread. Prints a Markdown table: per kernel the median of ROUNDS rounds, in GB/s of bytes read and written together,
 * or in GFLOP/s (attention). Usage: bench_kernels [part of a name] */
#include "base/processor.h"
#include "cpu/rows.h"
#include "cpu/tile.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ROUNDS = 7, CHANNELS = 64, MAP_EDGE = 96, LEVELS = PROCESSOR_AVX512_BF16 + 1, COPY = LEVELS };

/* A map of 96 x 96 x 96 voxels of 64 channels (113 MB in bfloat16: beyond every cache) is walked in tiles (of a size
 * that stays in the second-level cache), as a convolution does; rows are those of SAT-Nano. */
static const int map_shape[3] = {MAP_EDGE, MAP_EDGE, MAP_EDGE}, tile_shape[3] = {8, 8, 32};
enum { TILE_VOXELS = 8 * 8 * 32, ROWS = 243, WIDTH = 768, QUERIES = 64, HEAD = 96, COUNT = 1 << 18 };

typedef struct workplace {
    processor_level level;
    bool copy;         /* memcpy instead */
    feature_map map;   /* bfloat16 */
    feature_map small; /* the corner of `map` that the second-level cache holds */
    feature_map image; /* one channel, float32 */
    load_rule rule;
    float *tile; /* also as bfloat16 */
    float *x, *y, *z, *gain, *bias, *scratch;
    channel_statistics statistics;
} workplace;

typedef struct measured_kernel {
    const char *name;
    double (*run)(workplace *w); /* returns the bytes (or operations) done */
    bool operations;
} measured_kernel;

static void *take(size_t bytes)
{
    void *memory = aligned_alloc(64, (bytes + 63) / 64 * 64);
    if (!memory) {
        fprintf(stderr, "bench_kernels: %zu bytes could not be had\n", bytes);
        exit(4);
    }
    return memory;
}

static float *take_random(size_t count, uint32_t seed)
{
    float *x = take(count * sizeof *x);
    for (size_t i = 0; i < count; i++) {
        seed = seed * 1664525u + 1013904223u;
        x[i] = (float)(seed >> 8) / 8388608.0f - 1.0f;
    }
    return x;
}

/* ---------------------------------------------------------------- tiles */

/* The rows of a tile, as memcpy moves them: what a load without arithmetic would cost. */
static void copy_rows(const feature_map *map, const int origin[3], char *tile, bool out)
{
    const size_t row = (size_t)tile_shape[2] * CHANNELS * sizeof(bfloat16);
    for (int x = origin[0]; x < origin[0] + tile_shape[0]; x++)
        for (int y = origin[1]; y < origin[1] + tile_shape[1]; y++, tile += row) {
            bfloat16 *at =
                (bfloat16 *)map->data + x * map->pitch_xyz[0] + y * map->pitch_xyz[1] + origin[2] * map->pitch_xyz[2];
            memcpy(out ? (void *)at : (void *)tile, out ? (const void *)tile : (const void *)at, row);
        }
}

static double load_tiles(workplace *w, feature_map *map, const load_rule *rule, element_type type)
{
    const tile_kernels kernels = tile_kernels_for(w->level);
    double tiles = 0;
    int origin[3];
    for (origin[0] = 0; origin[0] < map->shape_xyz[0]; origin[0] += tile_shape[0])
        for (origin[1] = 0; origin[1] < map->shape_xyz[1]; origin[1] += tile_shape[1])
            for (origin[2] = 0; origin[2] < map->shape_xyz[2]; origin[2] += tile_shape[2], tiles++)
                if (w->copy)
                    copy_rows(map, origin, (char *)w->tile, false);
                else
                    kernels.load(map, rule, origin, tile_shape, type, w->tile, CHANNELS, 0);
    return tiles * TILE_VOXELS * CHANNELS *
           (double)(sizeof(bfloat16) + (w->copy ? sizeof(bfloat16) : element_bytes(type)));
}

static double load_ruled(workplace *w) { return load_tiles(w, &w->map, &w->rule, ELEMENT_BFLOAT16); }
static double load_ruled_near(workplace *w) { return load_tiles(w, &w->small, &w->rule, ELEMENT_BFLOAT16); }
static double load_plain(workplace *w) { return load_tiles(w, &w->map, NULL, ELEMENT_BFLOAT16); }
static double load_wide(workplace *w) { return load_tiles(w, &w->map, &w->rule, ELEMENT_FLOAT32); }

static double store_tiles(workplace *w, channel_statistics *statistics)
{
    const tile_kernels kernels = tile_kernels_for(w->level);
    double tiles = 0;
    int origin[3];
    for (origin[0] = 0; origin[0] < map_shape[0]; origin[0] += tile_shape[0])
        for (origin[1] = 0; origin[1] < map_shape[1]; origin[1] += tile_shape[1])
            for (origin[2] = 0; origin[2] < map_shape[2]; origin[2] += tile_shape[2], tiles++)
                if (w->copy)
                    copy_rows(&w->map, origin, (char *)w->tile, true);
                else
                    kernels.store(w->tile, tile_shape, tile_shape, origin, &w->map, statistics);
    return tiles * TILE_VOXELS * CHANNELS * (double)(sizeof(bfloat16) + (w->copy ? sizeof(bfloat16) : sizeof(float)));
}

static double store_counted(workplace *w) { return store_tiles(w, &w->statistics); }
static double store_uncounted(workplace *w) { return store_tiles(w, NULL); }

static double load_patches(workplace *w)
{
    enum { LENGTH = 32 };
    const tile_kernels kernels = tile_kernels_for(w->level);
    double tiles = 0;
    int origin[3];
    for (origin[0] = 0; origin[0] < map_shape[0]; origin[0] += tile_shape[0])
        for (origin[1] = 0; origin[1] < map_shape[1]; origin[1] += tile_shape[1])
            for (origin[2] = 0; origin[2] < map_shape[2]; origin[2] += tile_shape[2], tiles++)
                if (w->copy)
                    memcpy(w->tile, w->x, TILE_VOXELS * LENGTH * sizeof(bfloat16));
                else
                    kernels.load_patches(&w->image, NULL, origin, tile_shape, 1, ELEMENT_BFLOAT16, w->tile, LENGTH);
    return tiles * TILE_VOXELS * (LENGTH * sizeof(bfloat16) + (w->copy ? LENGTH * sizeof(bfloat16) : sizeof(float)));
}

/* ---------------------------------------------------------------- rows */

static double copied(const workplace *w, size_t floats)
{
    memcpy(w->y, w->x, floats * sizeof(float));
    return 2.0 * (double)floats * sizeof(float);
}

static double layer_norm(workplace *w)
{
    if (w->copy) return copied(w, ROWS * WIDTH);
    row_kernels_for(w->level).layer_norm(ROWS, WIDTH, w->x, w->gain, w->bias, 1e-5f, w->y);
    return 2.0 * ROWS * WIDTH * sizeof(float);
}

static double gelu(workplace *w)
{
    if (w->copy) return copied(w, COUNT);
    row_kernels_for(w->level).gelu(COUNT, w->x, w->y);
    return 2.0 * COUNT * sizeof(float);
}

static double sigmoid(workplace *w)
{
    if (w->copy) return copied(w, COUNT);
    row_kernels_for(w->level).sigmoid(COUNT, w->x, w->y);
    return 2.0 * COUNT * sizeof(float);
}

static double attention(workplace *w)
{
    row_kernels_for(w->level).attention(QUERIES, ROWS, HEAD, w->x, WIDTH, w->y, WIDTH, w->z, WIDTH, 0.1f, NULL, 0,
                                        w->tile, WIDTH, w->scratch);
    return 4.0 * QUERIES * ROWS * HEAD;
}

static double average_pool(workplace *w)
{
    const size_t bytes = (size_t)MAP_EDGE * MAP_EDGE * MAP_EDGE * CHANNELS * sizeof(bfloat16);
    if (w->copy) { /* read only: the copy is of half as much, so that as many bytes move */
        memcpy(w->map.data, (char *)w->map.data + bytes / 2, bytes / 2);
        return (double)bytes;
    }
    row_kernels_for(w->level).average_pool(&w->map, &w->rule, 32, 0, MAP_EDGE / 32, w->y, CHANNELS);
    return (double)bytes;
}

static double bfloat16_to_floats(workplace *w)
{
    const size_t count = 4 * COUNT;
    if (w->copy) return copied(w, COUNT);
    elements_to_float(ELEMENT_BFLOAT16, w->map.data, count / 2, w->y);
    return 3.0 * (double)count / 2 * sizeof(bfloat16);
}

static double float16_to_floats(workplace *w)
{
    if (w->copy) return copied(w, COUNT);
    elements_to_float(ELEMENT_FLOAT16, w->map.data, COUNT, w->y);
    return 3.0 * COUNT * sizeof(float16);
}

static double floats_to_bfloat16(workplace *w)
{
    if (w->copy) return copied(w, COUNT);
    elements_from_float(ELEMENT_BFLOAT16, w->x, COUNT, w->y);
    return 3.0 * COUNT * sizeof(bfloat16);
}

/* ---------------------------------------------------------------- the run */

static const measured_kernel measured[] = {
    {"load, rule, bf16 to bf16", load_ruled, false},
    {"load, rule, bf16 to bf16, 0.5 MB map", load_ruled_near, false},
    {"load, rule, bf16 to f32", load_wide, false},
    {"load, no rule, bf16 to bf16", load_plain, false},
    {"store with statistics, f32 to bf16", store_counted, false},
    {"store, f32 to bf16", store_uncounted, false},
    {"patches of 1 channel, f32 to bf16", load_patches, false},
    {"layer norm, 243 x 768", layer_norm, false},
    {"gelu, 2^18 values", gelu, false},
    {"sigmoid, 2^18 values", sigmoid, false},
    {"average pool 32^3, rule, bf16", average_pool, false},
    {"attention, 64 x 243, width 96 (GFLOP/s)", attention, true},
    {"elements: bf16 to f32", bfloat16_to_floats, false},
    {"elements: f16 to f32", float16_to_floats, false},
    {"elements: f32 to bf16", floats_to_bfloat16, false},
};

/* Billions of bytes or operations a second of processor time (which other programs on the machine do not lengthen,
 * but for the caches and the memory that they share): of one run, or of as many as take 10 ms. */
static double rate_of(const measured_kernel *kernel, workplace *w)
{
    const clock_t begin = clock();
    clock_t end;
    double done = 0;
    do {
        done += kernel->run(w);
        end = clock();
    } while (end - begin < CLOCKS_PER_SEC / 100);
    return done * CLOCKS_PER_SEC / (double)(end - begin) / 1e9;
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void measure(const measured_kernel *kernel, workplace *w)
{
    double rates[LEVELS + 1][ROUNDS];
    const processor_level best = processor_best();
    for (int round = 0; round < ROUNDS; round++)
        for (int column = 0; column <= COPY; column++) {
            w->copy = column == COPY;
            w->level = w->copy ? best : (processor_level)column;
            if (w->level > best || (w->copy && kernel->operations)) continue;
            rates[column][round] = rate_of(kernel, w);
        }
    printf("| %s |", kernel->name);
    for (int column = 0; column <= COPY; column++) {
        if ((column < COPY && column > (int)best) || (column == COPY && kernel->operations)) {
            printf(" - |");
            continue;
        }
        qsort(rates[column], ROUNDS, sizeof(double), ascending);
        printf(" %.3g |", rates[column][ROUNDS / 2]);
    }
    printf("\n");
    fflush(stdout);
}

int main(int argc, char **argv)
{
    const size_t map_elements = (size_t)MAP_EDGE * MAP_EDGE * MAP_EDGE * CHANNELS;
    const int small_shape[3] = {8, 16, 32}; /* 0.5 MB */
    workplace w = {.x = take_random(COUNT, 1), .y = take_random(2 * COUNT, 2), .z = take_random(COUNT, 3)};
    w.map = feature_map_dense(take(map_elements * sizeof(bfloat16)), ELEMENT_BFLOAT16, map_shape, CHANNELS);
    for (size_t i = 0; i < map_elements; i++)
        ((bfloat16 *)w.map.data)[i] = bfloat16_from_float(w.x[i % COUNT]);
    w.small = feature_map_dense(w.map.data, ELEMENT_BFLOAT16, small_shape, CHANNELS);
    w.image = feature_map_dense(take_random(map_elements / CHANNELS, 4), ELEMENT_FLOAT32, map_shape, 1);
    w.rule = (load_rule){take_random(CHANNELS, 5), take_random(CHANNELS, 6), 0.01f};
    w.tile = take_random(TILE_VOXELS * CHANNELS, 7);
    w.gain = take_random(WIDTH, 8);
    w.bias = take_random(WIDTH, 9);
    w.scratch = take_random(ROWS, 10);
    double sums[2 * CHANNELS] = {0};
    float extremes[2 * CHANNELS] = {0};
    w.statistics = (channel_statistics){sums, sums + CHANNELS, extremes, extremes + CHANNELS};

    printf("| kernel (GB/s, one thread) | plain | avx2 | avx512 | avx512_bf16 | memcpy |\n|---|---|---|---|---|---|\n");
    for (size_t i = 0; i < sizeof measured / sizeof measured[0]; i++)
        if (argc < 2 || strstr(measured[i].name, argv[1])) measure(&measured[i], &w);
    return 0; /* the system takes the memory back */
}
