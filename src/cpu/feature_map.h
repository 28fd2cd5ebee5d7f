/* A feature map in memory, and what is done to its values as they are loaded. */
#ifndef SAT_CPU_FEATURE_MAP_H
#define SAT_CPU_FEATURE_MAP_H

#include "tensor/element.h"

#include <stddef.h>

/* Voxel (x, y, z), channel c is element  x * pitch_xyz[0] + y * pitch_xyz[1] + z * pitch_xyz[2] + c  of `data`.
 * Channels are contiguous; pitches are free (rows may be longer than their voxels, maps may lie inside larger ones). */
typedef struct feature_map {
    void *data;              /* borrowed                                    */
    element_type type;       /* ELEMENT_FLOAT32 or ELEMENT_BFLOAT16         */
    int shape_xyz[3];        /* voxels                                      */
    int channels;
    ptrdiff_t pitch_xyz[3];  /* elements between neighbours along each axis */
} feature_map;

/* Applied to every value when it is loaded: v = scale[c] * x + shift[c] (one fused multiply-add), then
 * v < 0 ? slope * v : v. This is instance norm with LeakyReLU, done by the consumer so that a map is
 * written once and read as it is. scale == NULL: values are taken as they are. */
typedef struct load_rule {
    const float *scale, *shift; /* one per channel; borrowed */
    float slope;
} load_rule;

/* Per channel over all voxels of a map AS STORED (after rounding to its type). */
typedef struct channel_statistics {
    double *sum, *square;     /* sum of values, sum of squares */
    float *minimum, *maximum;
} channel_statistics;

/* A dense map over `data`. */
static inline feature_map feature_map_dense(void *data, element_type type, const int shape_xyz[3], int channels)
{
    const ptrdiff_t z = channels, y = z * shape_xyz[2], x = y * shape_xyz[1];
    return (feature_map){data, type, {shape_xyz[0], shape_xyz[1], shape_xyz[2]}, channels, {x, y, z}};
}

#endif
