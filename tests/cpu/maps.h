/* Feature maps for the tests of this floor: random values, free pitches, canaries between and around the voxels. */
#ifndef SAT_TESTS_CPU_MAPS_H
#define SAT_TESTS_CPU_MAPS_H

#include "cpu/feature_map.h"
#include "tests/support/golden.h"

#include <stdlib.h>

#define CANARY 0x7fc5u /* a not-a-number in both halves of a float32: it spreads if it is ever read */

typedef struct test_map {
    feature_map map;
    uint16_t *memory;
    size_t halves; /* uint16 elements of memory */
} test_map;

/* gap: elements left free after each voxel, row and plane (0: dense). Filled with canaries. */
static inline test_map test_map_make(element_type type, const int shape_xyz[3], int channels, int gap)
{
    test_map m = {.map = feature_map_dense(NULL, type, shape_xyz, channels)};
    m.map.pitch_xyz[2] = channels + gap;
    m.map.pitch_xyz[1] = m.map.pitch_xyz[2] * shape_xyz[2] + gap;
    m.map.pitch_xyz[0] = m.map.pitch_xyz[1] * shape_xyz[1] + gap;
    const size_t halves_each = element_bytes(type) / 2, margin = 32;
    m.halves = ((size_t)m.map.pitch_xyz[0] * (size_t)shape_xyz[0] + 2 * margin) * halves_each;
    m.memory = malloc(m.halves * sizeof *m.memory);
    for (size_t i = 0; i < m.halves; i++) m.memory[i] = CANARY;
    m.map.data = m.memory + margin * halves_each;
    return m;
}

static inline void test_map_free(test_map *m) { free(m->memory); }

static inline ptrdiff_t test_map_at(const feature_map *m, int x, int y, int z)
{
    return x * m->pitch_xyz[0] + y * m->pitch_xyz[1] + z * m->pitch_xyz[2];
}

static inline float test_map_value(const feature_map *m, int x, int y, int z, int c)
{
    const ptrdiff_t at = test_map_at(m, x, y, z) + c;
    return m->type == ELEMENT_BFLOAT16 ? bfloat16_to_float(((const bfloat16 *)m->data)[at]) : ((const float *)m->data)[at];
}

/* Random values; whole numbers in [-whole, whole] if `whole` is not 0. */
static inline void test_map_fill(feature_map *m, uint64_t key, int whole)
{
    const int *n = m->shape_xyz;
    float *row = malloc((size_t)m->channels * sizeof *row);
    for (int x = 0, voxel = 0; x < n[0]; x++)
        for (int y = 0; y < n[1]; y++)
            for (int z = 0; z < n[2]; z++, voxel++) {
                random_fill(row, (size_t)m->channels, key * 1000003 + (uint64_t)voxel);
                for (int c = 0; whole && c < m->channels; c++) row[c] = (float)(int)(row[c] * ((float)whole + 0.99f));
                const ptrdiff_t at = test_map_at(m, x, y, z);
                elements_from_float(m->type, row, (size_t)m->channels, (char *)m->data + at * (ptrdiff_t)element_bytes(m->type));
            }
    free(row);
}

/* The voxels' values, dense float32 [x][y][z][c]; the caller frees. */
static inline float *test_map_dense(const feature_map *m)
{
    const int *n = m->shape_xyz;
    float *all = malloc((size_t)n[0] * (size_t)n[1] * (size_t)n[2] * (size_t)m->channels * sizeof *all);
    size_t i = 0;
    for (int x = 0; x < n[0]; x++)
        for (int y = 0; y < n[1]; y++)
            for (int z = 0; z < n[2]; z++)
                for (int c = 0; c < m->channels; c++) all[i++] = test_map_value(m, x, y, z, c);
    return all;
}

/* How many canaries outside the voxels are no longer alive. */
static inline size_t test_map_harm(const test_map *m)
{
    const int *n = m->map.shape_xyz;
    const size_t each = element_bytes(m->map.type) / 2;
    unsigned char *inside = calloc(m->halves, 1);
    const size_t first = (size_t)((const uint16_t *)m->map.data - m->memory);
    for (int x = 0; x < n[0]; x++)
        for (int y = 0; y < n[1]; y++)
            for (int z = 0; z < n[2]; z++)
                for (size_t h = 0; h < (size_t)m->map.channels * each; h++)
                    inside[first + (size_t)test_map_at(&m->map, x, y, z) * each + h] = 1;
    size_t harm = 0;
    for (size_t i = 0; i < m->halves; i++) harm += !inside[i] && m->memory[i] != CANARY;
    free(inside);
    return harm;
}

#endif
