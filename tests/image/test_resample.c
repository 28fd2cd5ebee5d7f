#include "tests/support/cmocka.h"
#include "tests/support/golden.h"

#include "base/processor.h"
#include "image/resample.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A dense source [slice][column][row]. */
typedef struct source {
    const float *values;
    int64_t shape[3];
} source;

static bool fetch(void *context, const resample_request *wanted, float *values)
{
    const source *s = context;
    for (int k = 0; k < wanted->slice_count; k++)
        for (int j = 0; j < wanted->column_count; j++)
            for (int i = 0; i < wanted->row_count; i++)
                *values++ = s->values[(wanted->slices[k] * s->shape[1] + wanted->columns[j]) * s->shape[0] + wanted->row_first + i];
    return true;
}

/* The whole output of a map, tile by tile. */
static float *run(const resample_map *map, const resample_kernels *kernels, const float *values)
{
    source s = {values, {map->source_shape[0], map->source_shape[1], map->source_shape[2]}};
    const int64_t *n = map->output_shape;
    float *out = malloc((size_t)(n[0] * n[1] * n[2]) * sizeof *out);
    void *scratch = aligned_alloc(64, (resample_scratch_bytes(map) + 63) / 64 * 64);
    for (int64_t t = 0; t < map->tiles[0] * map->tiles[1] * map->tiles[2]; t++) {
        resample_tile tile;
        resample_tile_at(map, t, &tile);
        float *first = out + (tile.first[2] * n[1] + tile.first[1]) * n[0] + tile.first[0];
        assert_true(resample_tile_run(map, kernels, &tile, fetch, &s, scratch, first, (size_t)n[0], (size_t)(n[0] * n[1])));
    }
    free(scratch);
    return out;
}

/* A random map; diagonal, or slightly oblique. */
static void random_map(uint64_t key, bool oblique, resample_map *map)
{
    static const int orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    *map = (resample_map){0};
    for (int p = 0; p < 3; p++) {
        map->oriented_axis[p] = orders[random_below(6, key, 0)][p];
        map->source_shape[p] = 1 + (int64_t)random_below(30, key, 10 + (uint64_t)p);
        map->output_shape[p] = 1 + (int64_t)random_below(40, key, 20 + (uint64_t)p);
        map->flip_output[p] = random_below(2, key, 30 + (uint64_t)p);
        map->flip_source[p] = random_below(2, key, 40 + (uint64_t)p);
        map->tile[p] = 1 + (int)random_below(20, key, 50 + (uint64_t)p);
    }
    for (int row = 0; row < 3; row++)
        for (int column = 0; column < 4; column++) {
            const double x = (double)random_below(4000, key, 60 + (uint64_t)(4 * row + column)) / 1000;
            map->matrix[row][column] = column == row ? 0.1 + x : column == 3 ? x - 2 : oblique ? (x - 2) * 0.1 : 0;
        }
    if (random_below(3, key, 99) == 0 && !oblique) /* whole steps: fractions of 0 */
        for (int row = 0; row < 3; row++)
            map->matrix[row][row] = floor(map->matrix[row][row] + 1), map->matrix[row][3] = 0;
}

/* Eight weights, as pipeline.md writes it. */
static double by_definition(const resample_map *map, const float *values, const int64_t at[3])
{
    double o[3], total = 0, fraction[3];
    int64_t low[3];
    for (int p = 0; p < 3; p++)
        o[map->oriented_axis[p]] = (double)(map->flip_output[p] ? map->output_shape[p] - 1 - at[p] : at[p]);
    for (int p = 0; p < 3; p++) {
        const double *m = map->matrix[map->oriented_axis[p]], last = (double)(map->source_shape[p] - 1);
        double x = m[0] * o[0] + m[1] * o[1] + m[2] * o[2] + m[3];
        if (fabs(x - rint(x)) <= 1e-9) x = rint(x);
        x = fmin(fmax(x, 0), last);
        low[p] = (int64_t)floor(x);
        fraction[p] = x - floor(x);
    }
    for (int corner = 0; corner < 8; corner++) {
        int64_t index[3];
        double weight = 1;
        for (int p = 0; p < 3; p++) {
            const int64_t last = map->source_shape[p] - 1;
            weight *= corner >> p & 1 ? fraction[p] : 1 - fraction[p];
            index[p] = low[p] + (corner >> p & 1);
            if (index[p] > last) index[p] = last;
            if (map->flip_source[p]) index[p] = last - index[p];
        }
        total += weight * (double)values[(index[2] * map->source_shape[1] + index[1]) * map->source_shape[0] + index[0]];
    }
    return total;
}

static size_t output_voxels(const resample_map *map)
{
    return (size_t)(map->output_shape[0] * map->output_shape[1] * map->output_shape[2]);
}

static void tiles_follow_the_definition(void **state)
{
    (void)state;
    static float values[30 * 30 * 30];
    random_fill(values, sizeof values / sizeof *values, 5);
    for (uint64_t key = 0; key < 60; key++) {
        resample_map map;
        random_map(key, key % 2, &map);
        assert_int_equal(resample_map_make(&map, NULL), SAT_OK);
        assert_int_equal(map.aligned, key % 2 == 0);
        float *out = run(&map, &resample_kernels_plain, values);
        int64_t at[3];
        for (at[2] = 0; at[2] < map.output_shape[2]; at[2]++)
            for (at[1] = 0; at[1] < map.output_shape[1]; at[1]++)
                for (at[0] = 0; at[0] < map.output_shape[0]; at[0]++) {
                    const double expected = by_definition(&map, values, at);
                    const double actual = (double)out[(at[2] * map.output_shape[1] + at[1]) * map.output_shape[0] + at[0]];
                    if (!(fabs(actual - expected) <= 1.2e-7))
                        fail_msg("map %d at %d %d %d: %.9g, expected %.9g", (int)key, (int)at[0], (int)at[1], (int)at[2], actual, expected);
                }
        free(out);
        resample_map_free(&map);
    }
}

static void tables_give_the_bits_of_the_general_way(void **state)
{
    (void)state;
    static float values[30 * 30 * 30];
    random_fill(values, sizeof values / sizeof *values, 6);
    for (uint64_t key = 100; key < 160; key++) {
        resample_map map, general;
        random_map(key, false, &map);
        general = map;
        assert_int_equal(resample_map_make(&map, NULL), SAT_OK);
        general.matrix[0][1] = 1e-300; /* not diagonal in form, the same in every sum */
        assert_int_equal(resample_map_make(&general, NULL), SAT_OK);
        assert_true(map.aligned && !general.aligned);
        float *a = run(&map, &resample_kernels_plain, values), *b = run(&general, &resample_kernels_plain, values);
        for (size_t n = 0; n < output_voxels(&map); n++)
            if (a[n] != b[n]) fail_msg("map %d voxel %zu: %.9g and %.9g", (int)key, n, (double)a[n], (double)b[n]);
        free(a);
        free(b);
        resample_map_free(&map);
        resample_map_free(&general);
    }
}

static void every_processor_gives_the_bits_of_plain(void **state)
{
    (void)state;
    const resample_kernels *tried[2] = {NULL, NULL};
#if defined(__x86_64__)
    if (processor_best() >= PROCESSOR_AVX2) tried[0] = &resample_kernels_avx2;
    if (processor_best() >= PROCESSOR_AVX512) tried[1] = &resample_kernels_avx512;
#endif
    if (!tried[0]) {
        print_message("[  SKIPPED ] no AVX2 here\n");
        skip();
    }
    static float values[30 * 30 * 30];
    random_fill(values, sizeof values / sizeof *values, 7);
    for (uint64_t key = 200; key < 320; key++) {
        resample_map map;
        random_map(key, key % 2, &map);
        assert_int_equal(resample_map_make(&map, NULL), SAT_OK);
        float *plain = run(&map, &resample_kernels_plain, values);
        for (int k = 0; k < 2 && tried[k]; k++) {
            float *fast = run(&map, tried[k], values);
            assert_memory_equal(plain, fast, output_voxels(&map) * sizeof *fast);
            free(fast);
        }
        free(plain);
        resample_map_free(&map);
    }
}

/* A background of exactly 0 stays 0 where samples coincide, and a source much finer than the output still fits its tile. */
static void edges(void **state)
{
    (void)state;
    float values[6] = {0, 0, 5, 0, 0, 7};
    resample_map map = {.output_shape = {11, 1, 1}, .source_shape = {6, 1, 1}, .oriented_axis = {0, 1, 2}, .tile = {64, 8, 32},
                        .matrix = {{0.5 + 1e-12, 0, 0, 1e-11}, {0, 1, 0, 0}, {0, 0, 1, 0}}};
    assert_int_equal(resample_map_make(&map, NULL), SAT_OK);
    float *out = run(&map, &resample_kernels_plain, values);
    const float expected[11] = {0, 0, 0, 2.5f, 5, 2.5f, 0, 0, 0, 3.5f, 7};
    for (int n = 0; n < 11; n++)
        assert_true(n % 2 ? fabsf(out[n] - expected[n]) < 1e-6f : out[n] == expected[n]);
    free(out);
    resample_map_free(&map);
    resample_map fine = {.output_shape = {50, 50, 50}, .source_shape = {5000, 5000, 5000}, .oriented_axis = {0, 1, 2}, .tile = {64, 8, 32},
                         .matrix = {{100, 1, 0, 0}, {0, 100, 0, 0}, {0, 0, 100, 0}}};
    assert_int_equal(resample_map_make(&fine, NULL), SAT_OK);
    assert_true(resample_scratch_bytes(&fine) < 4 << 20);
    resample_map_free(&fine);
    fine.source_shape[1] = 0;
    assert_int_equal(resample_map_make(&fine, NULL), SAT_BAD_INPUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tiles_follow_the_definition),
        cmocka_unit_test(tables_give_the_bits_of_the_general_way),
        cmocka_unit_test(every_processor_gives_the_bits_of_plain),
        cmocka_unit_test(edges),
    };
    return cmocka_run_group_tests_name("image/resample", tests, NULL, NULL);
}
