/* One value of a feature map or a tile: read, rule applied, written. The plain kernels are loops around these. */
#ifndef SAT_CPU_PLAIN_VALUE_H
#define SAT_CPU_PLAIN_VALUE_H

#include "cpu/feature_map.h"

#include <math.h>
#include <stdbool.h>

static inline bool inside(const feature_map *map, int x, int y, int z)
{
    return x >= 0 && x < map->shape_xyz[0] && y >= 0 && y < map->shape_xyz[1] && z >= 0 && z < map->shape_xyz[2];
}

/* Element index of channel 0 of voxel (x, y, z). */
static inline ptrdiff_t voxel_index(const feature_map *map, int x, int y, int z)
{
    return x * map->pitch_xyz[0] + y * map->pitch_xyz[1] + z * map->pitch_xyz[2];
}

static inline float value_read(element_type type, const void *data, ptrdiff_t index)
{
    return type == ELEMENT_BFLOAT16 ? bfloat16_to_float(((const bfloat16 *)data)[index]) : ((const float *)data)[index];
}

static inline void value_write(element_type type, void *data, ptrdiff_t index, float value)
{
    if (type == ELEMENT_BFLOAT16)
        ((bfloat16 *)data)[index] = bfloat16_from_float(value);
    else
        ((float *)data)[index] = value;
}

/* From one place to another as it is: bits where the types agree (even those of a signalling not-a-number). */
static inline void value_copy(element_type from_type, const void *from, ptrdiff_t from_index, element_type to_type,
                              void *to, ptrdiff_t to_index)
{
    if (from_type == ELEMENT_BFLOAT16 && to_type == ELEMENT_BFLOAT16)
        ((bfloat16 *)to)[to_index] = ((const bfloat16 *)from)[from_index];
    else
        value_write(to_type, to, to_index, value_read(from_type, from, from_index));
}

/* Not-a-number and -0 are not below zero: they pass. */
static inline float rule_apply(const load_rule *rule, int channel, float x)
{
    const float v = fmaf(rule->scale[channel], x, rule->shift[channel]);
    return v < 0 ? rule->slope * v : v;
}

static inline void statistics_add(channel_statistics *statistics, int c, float value)
{
    statistics->sum[c] += (double)value;
    statistics->square[c] += (double)value * (double)value;
    if (value < statistics->minimum[c]) statistics->minimum[c] = value; /* never with not-a-number; sum shows it */
    if (value > statistics->maximum[c]) statistics->maximum[c] = value;
}

#endif
