/* Tile kernels: cases by hand, and every level of this machine against the plain twin, bit for bit. */
#include "tests/support/cmocka.h"
#include "tests/support/golden.h"
#include "tests/support/kernels.h"

#include "cpu/tile.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const int channel_counts[] = {1, 2, 3, 7, 8, 12, 15, 16, 18, 20, 24, 31, 32, 33, 48, 64, 72, 100, 128, 131};
enum { CHANNEL_COUNTS = sizeof channel_counts / sizeof channel_counts[0], TYPE_PAIRS = 4 };

static element_type first_type(int pair) { return pair & 1 ? ELEMENT_BFLOAT16 : ELEMENT_FLOAT32; }
static element_type second_type(int pair) { return pair & 2 ? ELEMENT_BFLOAT16 : ELEMENT_FLOAT32; }

/* ---------------------------------------------------------------- by hand */

static void a_load_pads_scales_and_bends(void **state)
{
    (void)state;
    float voxels[] = {1, -1, 2, -2}; /* two voxels along z, two channels */
    const float scale[] = {2, 3}, shift[] = {0.5f, -1};
    const load_rule rule = {scale, shift, 0.5f};
    const feature_map map = feature_map_dense(voxels, ELEMENT_FLOAT32, (const int[]){1, 1, 2}, 2);
    for (processor_level level = PROCESSOR_PLAIN; level <= processor_best(); level++) {
        float tile[12];
        for (int i = 0; i < 12; i++)
            tile[i] = 9; /* between the voxels lie another map's channels: they stay */
        tile_kernels_for(level).load(&map, &rule, (const int[]){0, 0, -1}, (const int[]){1, 1, 4}, ELEMENT_FLOAT32,
                                     tile, 3, 1);
        for (int v = 0; v < 4; v++) {
            const float first[] = {0, 2.5f, 4.5f, 0}, second[] = {0, -2, -3.5f, 0};
            assert_true(tile[3 * v] == 9 && tile[3 * v + 1] == first[v] && tile[3 * v + 2] == second[v]);
        }
    }
}

static void a_store_rounds_and_counts_what_it_stored(void **state)
{
    (void)state;
    const float tile[] = {1.00390625f /* halfway between two bfloat16, the even one is 1 */, -3, 5, 77};
    for (processor_level level = PROCESSOR_PLAIN; level <= processor_best(); level++) {
        bfloat16 stored[3] = {0};
        feature_map map = feature_map_dense(stored, ELEMENT_BFLOAT16, (const int[]){1, 1, 3}, 1);
        double sum = 10, square = 100;
        float minimum = INFINITY, maximum = -INFINITY;
        channel_statistics statistics = {&sum, &square, &minimum, &maximum};
        tile_kernels_for(level).store(tile, (const int[]){1, 1, 4}, (const int[]){1, 1, 2}, (const int[]){0, 0, 1},
                                      &map, &statistics);
        assert_int_equal(stored[0], 0);
        assert_int_equal(stored[1], 0x3f80);
        assert_int_equal(stored[2], 0xc040);
        assert_true(sum == 8 && square == 110 && minimum == -3 && maximum == 1);
    }
}

/* ---------------------------------------------------------------- against the twin */

static void load_equals_the_twin(element_type from_type, element_type type, int channels, bool ruled, uint64_t key)
{
    size_t elements;
    feature_map map = random_map(from_type, channels, key, &elements);
    load_rule rule = random_rule(channels, key);
    int origin[3], shape[3];
    for (int a = 0; a < 3; a++) {
        shape[a] = 1 + random_int(map.shape_xyz[a] + 3, key, 20 + (uint64_t)a);
        origin[a] = random_int(map.shape_xyz[a] + shape[a] + 4, key, 30 + (uint64_t)a) - shape[a] - 2;
        if (random_int(2, key, 40 + (uint64_t)a)) origin[a] = -1;
    }
    const int offset = random_int(2, key, 50) * random_int(9, key, 51);
    const int tile_channels = channels + offset + random_int(2, key, 52) * random_int(9, key, 53);
    const size_t count = (size_t)(shape[0] * shape[1] * shape[2] * tile_channels);
    guarded expected = guarded_make(count * element_bytes(type));
    tile_kernels_for(PROCESSOR_PLAIN)
        .load(&map, ruled ? &rule : NULL, origin, shape, type, expected.data, tile_channels, offset);
    for (processor_level level = PROCESSOR_AVX2; level <= processor_best(); level++) {
        guarded actual = guarded_make(expected.bytes);
        tile_kernels_for(level).load(&map, ruled ? &rule : NULL, origin, shape, type, actual.data, tile_channels,
                                     offset);
        assert_same_values(type, expected.data, actual.data, count);
        guarded_free(&actual);
    }
    guarded_free(&expected);
    rule_free(&rule);
    free(map.data);
}

static void loads_equal_the_twin(void **state)
{
    (void)state;
    for (uint64_t key = 0; key < 4 * TYPE_PAIRS * CHANNEL_COUNTS; key++) {
        const int pair = (int)(key % TYPE_PAIRS), channels = channel_counts[key / TYPE_PAIRS % CHANNEL_COUNTS];
        load_equals_the_twin(first_type(pair), second_type(pair), channels, true, 2 * key);
        load_equals_the_twin(first_type(pair), second_type(pair), channels, false, 2 * key + 1);
    }
}

static void patches_equal_the_twin(void **state)
{
    (void)state;
    const int channel_choice[] = {1, 1, 1, 2, 3, 8, 64, 200}; /* 200: beyond what the buffer holds */
    for (uint64_t key = 0; key < 400; key++) {
        const element_type from_type = first_type((int)key), type = second_type((int)key);
        const int channels = channel_choice[random_int(8, key, 0)], stride = 1 + random_int(2, key, 1);
        size_t elements;
        feature_map map = random_map(from_type, channels, key, &elements);
        load_rule rule = random_rule(channels, key);
        int origin[3], shape[3];
        for (int a = 0; a < 3; a++) {
            shape[a] = 1 + random_int(6, key, 20 + (uint64_t)a);
            origin[a] = random_int(12, key, 30 + (uint64_t)a) - 3;
        }
        if (channels == 1 && random_int(4, key, 40) == 0) shape[2] = 1000; /* more than one run of the buffer */
        const int row_length = random_int(2, key, 41) && channels == 1
                                   ? 32
                                   : 27 * channels + random_int(3, key, 42) * random_int(9, key, 43);
        const size_t count = (size_t)(shape[0] * shape[1] * shape[2]) * (size_t)row_length;
        guarded expected = guarded_make(count * element_bytes(type));
        const load_rule *used = random_int(2, key, 44) ? &rule : NULL;
        tile_kernels_for(PROCESSOR_PLAIN)
            .load_patches(&map, used, origin, shape, stride, type, expected.data, row_length);
        for (processor_level level = PROCESSOR_AVX2; level <= processor_best(); level++) {
            guarded actual = guarded_make(expected.bytes);
            tile_kernels_for(level).load_patches(&map, used, origin, shape, stride, type, actual.data, row_length);
            assert_same_values(type, expected.data, actual.data, count);
            guarded_free(&actual);
        }
        guarded_free(&expected);
        rule_free(&rule);
        free(map.data);
    }
}

static void patches_of_one_channel_are_the_neighbourhood(void **state)
{
    (void)state;
    float voxels[4 * 5 * 6];
    for (int i = 0; i < 4 * 5 * 6; i++)
        voxels[i] = (float)(1 + i);
    const feature_map map = feature_map_dense(voxels, ELEMENT_FLOAT32, (const int[]){4, 5, 6}, 1);
    for (processor_level level = PROCESSOR_PLAIN; level <= processor_best(); level++) {
        float row[32];
        tile_kernels_for(level).load_patches(&map, NULL, (const int[]){1, 2, 2}, (const int[]){1, 1, 1}, 2,
                                             ELEMENT_FLOAT32, row, 32);
        for (int tap = 0; tap < 27; tap++) {
            const int x = 1 + tap / 9, y = 3 + tap / 3 % 3, z = 3 + tap % 3;
            assert_true(row[tap] == (y < 5 ? voxels[(x * 5 + y) * 6 + z] : 0));
        }
        for (int i = 27; i < 32; i++)
            assert_true(row[i] == 0);
    }
}

/* Everything that a store writes, for one level. */
typedef struct stored {
    guarded map, sums, extremes;
} stored;

static stored store_by(processor_level level, feature_map map, size_t elements, const float *tile,
                       const int tile_shape[3], const int shape[3], const int origin[3], bool counted)
{
    const size_t channels = (size_t)map.channels;
    stored s = {guarded_make(elements * element_bytes(map.type)), guarded_make(2 * channels * sizeof(double)),
                guarded_make(2 * channels * sizeof(float))};
    double *sums = (double *)(void *)s.sums.data;
    float *extremes = (float *)(void *)s.extremes.data;
    for (size_t c = 0; c < channels; c++) {
        sums[c] = (double)c / 3;
        sums[channels + c] = (double)c / 7;
        extremes[c] = INFINITY;
        extremes[channels + c] = -INFINITY;
    }
    map.data = s.map.data;
    channel_statistics statistics = {sums, sums + channels, extremes, extremes + channels};
    tile_kernels_for(level).store(tile, tile_shape, shape, origin, &map, counted ? &statistics : NULL);
    return s;
}

static void stored_free(stored *s)
{
    guarded_free(&s->map);
    guarded_free(&s->sums);
    guarded_free(&s->extremes);
}

/* Squares of the largest floats stay finite in double, so sums show only what the input had. */
static void stores_equal_the_twin(void **state)
{
    (void)state;
    for (uint64_t key = 0; key < 12 * CHANNEL_COUNTS; key++) {
        const element_type type = first_type((int)key);
        const int channels = channel_counts[key / 2 % CHANNEL_COUNTS];
        size_t elements;
        feature_map map = random_map(type, channels, key, &elements);
        int tile_shape[3], shape[3], origin[3];
        for (int a = 0; a < 3; a++) {
            shape[a] = 1 + random_int(map.shape_xyz[a], key, 20 + (uint64_t)a);
            origin[a] = random_int(map.shape_xyz[a] - shape[a] + 1, key, 30 + (uint64_t)a);
            tile_shape[a] = shape[a] + random_int(3, key, 40 + (uint64_t)a);
        }
        const size_t tile_count = (size_t)(tile_shape[0] * tile_shape[1] * tile_shape[2] * channels);
        float *tile = malloc(tile_count * sizeof *tile);
        assert_non_null(tile);
        for (size_t i = 0; i < tile_count; i++) {
            tile[i] = awkward_value(key, 200 + i);
            if (random_int(3, key, 60) && !isfinite(tile[i])) tile[i] = 1; /* mostly sums that are numbers */
        }
        const bool counted = random_int(4, key, 50) > 0;
        stored expected = store_by(PROCESSOR_PLAIN, map, elements, tile, tile_shape, shape, origin, counted);
        for (processor_level level = PROCESSOR_AVX2; level <= processor_best(); level++) {
            stored actual = store_by(level, map, elements, tile, tile_shape, shape, origin, counted);
            assert_same_values(type, expected.map.data, actual.map.data, elements);
            assert_same_values(ELEMENT_FLOAT32, expected.extremes.data, actual.extremes.data, 2 * (size_t)channels);
            for (int i = 0; i < 2 * channels; i++) {
                double e, a;
                memcpy(&e, expected.sums.data + 8 * (size_t)i, 8);
                memcpy(&a, actual.sums.data + 8 * (size_t)i, 8);
                assert_true(memcmp(&e, &a, 8) == 0 || (isnan(e) && isnan(a)));
            }
            stored_free(&actual);
        }
        stored_free(&expected);
        free(tile);
        free(map.data);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_load_pads_scales_and_bends),
        cmocka_unit_test(a_store_rounds_and_counts_what_it_stored),
        cmocka_unit_test(patches_of_one_channel_are_the_neighbourhood),
        cmocka_unit_test(loads_equal_the_twin),
        cmocka_unit_test(patches_equal_the_twin),
        cmocka_unit_test(stores_equal_the_twin),
    };
    printf("levels of this machine: plain to %s\n", processor_level_name(processor_best()));
    return cmocka_run_group_tests_name("cpu/tile", tests, NULL, NULL);
}
