/* Tile kernels: cases by hand, and every level of this machine against the plain twin, bit for bit. */
#include "tests/support/cmocka.h"
#include "tests/support/golden.h"

#include "cpu/tile.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { GUARD = 64 /* bytes before and after each output that must stay as they were */, GUARD_BYTE = 0xa5 };

/* Memory between two guards, every byte GUARD_BYTE at first. */
typedef struct guarded {
    unsigned char *all, *data;
    size_t bytes;
} guarded;

static guarded guarded_make(size_t bytes)
{
    guarded g = {malloc(bytes + 2 * GUARD), NULL, bytes};
    assert_non_null(g.all);
    memset(g.all, GUARD_BYTE, bytes + 2 * GUARD);
    g.data = g.all + GUARD;
    return g;
}

static void guarded_free(guarded *g)
{
    for (size_t i = 0; i < GUARD; i++) {
        assert_int_equal(g->all[i], GUARD_BYTE);
        assert_int_equal(g->data[g->bytes + i], GUARD_BYTE);
    }
    free(g->all);
}

static int below(int n, uint64_t key, uint64_t counter) { return (int)random_below((uint64_t)n, key, counter); }

static float float_of(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* Values over many magnitudes, with the awkward ones among them: zeros of both signs, subnormals, the largest,
 * infinities, not-a-numbers (quiet and signalling), ties of the rounding to bfloat16. */
static float awkward(uint64_t key, uint64_t counter)
{
    static const uint32_t special[] = {0x00000000, 0x80000000, 0x00000001, 0x80012345, 0x007fffff, 0x7f7fffff,
                                       0xff7fffff, 0x7f800000, 0xff800000, 0x7fc00000, 0x7f800001, 0xffa5a5a5,
                                       0x3f808000, 0x3f818000, 0x3f807fff, 0x7f7f8000, 0x00008000, 0x00018000};
    const uint32_t r = (uint32_t)random_below(1u << 31, key, 2 * counter);
    if (r % 16 == 0) return float_of(special[(r >> 4) % (sizeof special / sizeof *special)]);
    const uint32_t exponent = 1 + (uint32_t)random_below(254, key, 2 * counter + 1);
    return float_of((r & 0x807fffff) | (r % 3 ? 110 + exponent % 30 : exponent) << 23 | (r & 16) << 27);
}

static void write_value(element_type type, void *data, size_t i, float value)
{
    if (type == ELEMENT_BFLOAT16)
        ((bfloat16 *)data)[i] = bfloat16_from_float(value);
    else
        ((float *)data)[i] = value;
}

/* A map of random shape with gaps in all its pitches, filled throughout. */
static feature_map random_map(element_type type, int channels, uint64_t key, size_t *elements)
{
    feature_map map = {.type = type, .channels = channels};
    for (int a = 0; a < 3; a++)
        map.shape_xyz[a] = 1 + below(9, key, (uint64_t)a);
    map.pitch_xyz[2] = channels + below(2, key, 3) * below(5, key, 4);
    map.pitch_xyz[1] = map.pitch_xyz[2] * map.shape_xyz[2] + below(7, key, 5);
    map.pitch_xyz[0] = map.pitch_xyz[1] * map.shape_xyz[1] + below(7, key, 6);
    *elements = (size_t)(map.pitch_xyz[0] * map.shape_xyz[0]);
    map.data = malloc(*elements * element_bytes(type));
    assert_non_null(map.data);
    for (size_t i = 0; i < *elements; i++)
        write_value(type, map.data, i, awkward(key, 100 + i));
    return map;
}

static load_rule random_rule(int channels, uint64_t key)
{
    float *scale = malloc(2 * (size_t)channels * sizeof *scale);
    assert_non_null(scale);
    random_fill(scale, 2 * (size_t)channels, key);
    return (load_rule){scale, scale + channels, below(4, key, 1) == 0 ? -2.0f : 0.01f};
}

/* Equal bits, or both not-a-number: which payload a sum of two keeps is the compiler's choice. */
static void assert_same(element_type type, const void *expected, const void *actual, size_t count)
{
    const size_t bytes = element_bytes(type);
    if (memcmp(expected, actual, count * bytes) == 0) return;
    for (size_t i = 0; i < count; i++) {
        if (memcmp((const char *)expected + i * bytes, (const char *)actual + i * bytes, bytes) == 0) continue;
        float e, a;
        elements_to_float(type, (const char *)expected + i * bytes, 1, &e);
        elements_to_float(type, (const char *)actual + i * bytes, 1, &a);
        if (isnan(e) && isnan(a)) continue;
        fail_msg("element %zu of %zu is %.9g (%a), not %.9g (%a)", i, count, (double)a, (double)a, (double)e, (double)e);
    }
}

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
        tile_kernels_for(level).load(&map, &rule, (const int[]){0, 0, -1}, (const int[]){1, 1, 4}, ELEMENT_FLOAT32, tile,
                                     3, 1);
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
        tile_kernels_for(level).store(tile, (const int[]){1, 1, 4}, (const int[]){1, 1, 2}, (const int[]){0, 0, 1}, &map,
                                      &statistics);
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
        shape[a] = 1 + below(map.shape_xyz[a] + 3, key, 20 + (uint64_t)a);
        origin[a] = below(map.shape_xyz[a] + shape[a] + 4, key, 30 + (uint64_t)a) - shape[a] - 2;
        if (below(2, key, 40 + (uint64_t)a)) origin[a] = -1;
    }
    const int offset = below(2, key, 50) * below(9, key, 51);
    const int tile_channels = channels + offset + below(2, key, 52) * below(9, key, 53);
    const size_t count = (size_t)(shape[0] * shape[1] * shape[2] * tile_channels);
    guarded expected = guarded_make(count * element_bytes(type));
    tile_kernels_for(PROCESSOR_PLAIN)
        .load(&map, ruled ? &rule : NULL, origin, shape, type, expected.data, tile_channels, offset);
    for (processor_level level = PROCESSOR_AVX2; level <= processor_best(); level++) {
        guarded actual = guarded_make(expected.bytes);
        tile_kernels_for(level).load(&map, ruled ? &rule : NULL, origin, shape, type, actual.data, tile_channels, offset);
        assert_same(type, expected.data, actual.data, count);
        guarded_free(&actual);
    }
    guarded_free(&expected);
    free((void *)(uintptr_t)rule.scale);
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
        const int channels = channel_choice[below(8, key, 0)], stride = 1 + below(2, key, 1);
        size_t elements;
        feature_map map = random_map(from_type, channels, key, &elements);
        load_rule rule = random_rule(channels, key);
        int origin[3], shape[3];
        for (int a = 0; a < 3; a++) {
            shape[a] = 1 + below(6, key, 20 + (uint64_t)a);
            origin[a] = below(12, key, 30 + (uint64_t)a) - 3;
        }
        if (channels == 1 && below(4, key, 40) == 0) shape[2] = 1000; /* more than one run of the buffer */
        const int row_length = below(2, key, 41) && channels == 1 ? 32 : 27 * channels + below(3, key, 42) * below(9, key, 43);
        const size_t count = (size_t)(shape[0] * shape[1] * shape[2]) * (size_t)row_length;
        guarded expected = guarded_make(count * element_bytes(type));
        const load_rule *used = below(2, key, 44) ? &rule : NULL;
        tile_kernels_for(PROCESSOR_PLAIN).load_patches(&map, used, origin, shape, stride, type, expected.data, row_length);
        for (processor_level level = PROCESSOR_AVX2; level <= processor_best(); level++) {
            guarded actual = guarded_make(expected.bytes);
            tile_kernels_for(level).load_patches(&map, used, origin, shape, stride, type, actual.data, row_length);
            assert_same(type, expected.data, actual.data, count);
            guarded_free(&actual);
        }
        guarded_free(&expected);
        free((void *)(uintptr_t)rule.scale);
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
        tile_kernels_for(level).load_patches(&map, NULL, (const int[]){1, 2, 2}, (const int[]){1, 1, 1}, 2, ELEMENT_FLOAT32,
                                             row, 32);
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

static stored store_by(processor_level level, feature_map map, size_t elements, const float *tile, const int tile_shape[3],
                       const int shape[3], const int origin[3], bool counted)
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
            shape[a] = 1 + below(map.shape_xyz[a], key, 20 + (uint64_t)a);
            origin[a] = below(map.shape_xyz[a] - shape[a] + 1, key, 30 + (uint64_t)a);
            tile_shape[a] = shape[a] + below(3, key, 40 + (uint64_t)a);
        }
        const size_t tile_count = (size_t)(tile_shape[0] * tile_shape[1] * tile_shape[2] * channels);
        float *tile = malloc(tile_count * sizeof *tile);
        assert_non_null(tile);
        for (size_t i = 0; i < tile_count; i++) {
            tile[i] = awkward(key, 200 + i);
            if (below(3, key, 60) && !isfinite(tile[i])) tile[i] = 1; /* mostly sums that are numbers */
        }
        const bool counted = below(4, key, 50) > 0;
        stored expected = store_by(PROCESSOR_PLAIN, map, elements, tile, tile_shape, shape, origin, counted);
        for (processor_level level = PROCESSOR_AVX2; level <= processor_best(); level++) {
            stored actual = store_by(level, map, elements, tile, tile_shape, shape, origin, counted);
            assert_same(type, expected.map.data, actual.map.data, elements);
            assert_same(ELEMENT_FLOAT32, expected.extremes.data, actual.extremes.data, 2 * (size_t)channels);
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
