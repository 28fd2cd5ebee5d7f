#include "tests/support/kernels.h"

#include "tests/support/cmocka.h"
#include "tests/support/golden.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { GUARD = 64 };

guarded guarded_make(size_t bytes)
{
    guarded g = {malloc(bytes + 2 * GUARD), NULL, bytes};
    assert_non_null(g.all);
    memset(g.all, GUARD_BYTE, bytes + 2 * GUARD);
    g.data = g.all + GUARD;
    return g;
}

void guarded_free(guarded *g)
{
    for (size_t i = 0; i < GUARD; i++) {
        assert_int_equal(g->all[i], GUARD_BYTE);
        assert_int_equal(g->data[g->bytes + i], GUARD_BYTE);
    }
    free(g->all);
}

int random_int(int n, uint64_t key, uint64_t counter) { return (int)random_below((uint64_t)n, key, counter); }

float float_from_bits(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

float awkward_value(uint64_t key, uint64_t counter)
{
    static const uint32_t special[] = {0x00000000, 0x80000000, 0x00000001, 0x80012345, 0x007fffff, 0x7f7fffff,
                                       0xff7fffff, 0x7f800000, 0xff800000, 0x7fc00000, 0x7f800001, 0xffa5a5a5,
                                       0x3f808000, 0x3f818000, 0x3f807fff, 0x7f7f8000, 0x00008000, 0x00018000};
    const uint32_t r = (uint32_t)random_below(1u << 31, key, 2 * counter);
    if (r % 16 == 0) return float_from_bits(special[(r >> 4) % (sizeof special / sizeof *special)]);
    const uint32_t exponent = 1 + (uint32_t)random_below(254, key, 2 * counter + 1);
    return float_from_bits((r & 0x807fffff) | (r % 3 ? 110 + exponent % 30 : exponent) << 23 | (r & 16) << 27);
}

static void write_value(element_type type, void *data, size_t i, float value)
{
    if (type == ELEMENT_BFLOAT16)
        ((bfloat16 *)data)[i] = bfloat16_from_float(value);
    else
        ((float *)data)[i] = value;
}

feature_map random_map(element_type type, int channels, uint64_t key, size_t *elements)
{
    feature_map map = {.type = type, .channels = channels};
    for (int a = 0; a < 3; a++)
        map.shape_xyz[a] = 1 + random_int(9, key, (uint64_t)a);
    map.pitch_xyz[2] = channels + random_int(2, key, 3) * random_int(5, key, 4);
    map.pitch_xyz[1] = map.pitch_xyz[2] * map.shape_xyz[2] + random_int(7, key, 5);
    map.pitch_xyz[0] = map.pitch_xyz[1] * map.shape_xyz[1] + random_int(7, key, 6);
    *elements = (size_t)(map.pitch_xyz[0] * map.shape_xyz[0]);
    map.data = malloc(*elements * element_bytes(type));
    assert_non_null(map.data);
    for (size_t i = 0; i < *elements; i++)
        write_value(type, map.data, i, awkward_value(key, 100 + i));
    return map;
}

load_rule random_rule(int channels, uint64_t key)
{
    float *scale = malloc(2 * (size_t)channels * sizeof *scale);
    assert_non_null(scale);
    random_fill(scale, 2 * (size_t)channels, key);
    return (load_rule){scale, scale + channels, random_int(4, key, 1) == 0 ? -2.0f : 0.01f};
}

void assert_same_values(element_type type, const void *expected, const void *actual, size_t count)
{
    const size_t bytes = element_bytes(type);
    if (memcmp(expected, actual, count * bytes) == 0) return;
    for (size_t i = 0; i < count; i++) {
        if (memcmp((const char *)expected + i * bytes, (const char *)actual + i * bytes, bytes) == 0) continue;
        float e, a;
        elements_to_float(type, (const char *)expected + i * bytes, 1, &e);
        elements_to_float(type, (const char *)actual + i * bytes, 1, &a);
        if (isnan(e) && isnan(a)) continue;
        fail_msg("element %zu of %zu is %.9g (%a), not %.9g (%a)", i, count, (double)a, (double)a, (double)e,
                 (double)e);
    }
}

void rule_free(load_rule *rule)
{
    free((void *)(uintptr_t)rule->scale);
    *rule = (load_rule){0};
}
