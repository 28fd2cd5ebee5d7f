/* The walk over a box of voxels, row by row along z, that all fast tile kernels share: what is outside the map is
 * cleared here, what is inside goes to the level's own row kernel. Every level includes this; it is compiled with the
 * level's own moves. */
#ifndef SAT_CPU_BOX_H
#define SAT_CPU_BOX_H

#include "cpu/tile.h"

#include <stdbool.h>
#include <string.h>

/* Parameters that are constants where such a function is called become constants inside it: so one text serves
 * several element types, and each copy has no test of them left. */
#define ALWAYS_INLINE static inline __attribute__((always_inline))

/* Voxels in a row along z, from a map to a tile or from a tile to a map. Counted in elements. */
typedef struct voxel_row {
    const void *from;
    void *to;
    ptrdiff_t from_index, to_index; /* channel 0 of the first voxel */
    ptrdiff_t from_pitch, to_pitch; /* to the next voxel            */
    ptrdiff_t ahead;                /* in the map, to the next row: fetched in advance, since a row often ends where a
                                       page of memory does, and there the processor stops looking ahead by itself */
    int voxels, channels;
} voxel_row;

/* rule: NULL for none. */
typedef void row_load_kernel(element_type from_type, element_type to_type, const voxel_row *row, const load_rule *rule);
/* Adds to the statistics. From float32. */
typedef void row_store_kernel(element_type to_type, const voxel_row *row, channel_statistics *statistics);

/* Asks for the line of an element that will be read (or written) soon. It may lie outside the map: nothing is touched,
 * so its address is computed as a number. */
ALWAYS_INLINE void fetch(element_type type, const void *data, ptrdiff_t index, bool to_write)
{
    const ptrdiff_t bytes = type == ELEMENT_BFLOAT16 ? sizeof(bfloat16) : sizeof(float);
    const void *address = (const void *)((uintptr_t)data + (uintptr_t)(index * bytes));
    if (to_write)
        __builtin_prefetch(address, 1);
    else
        __builtin_prefetch(address, 0);
}

/* A row without gaps in both places is one long voxel, when no rule tells its channels apart. */
ALWAYS_INLINE voxel_row row_joined(const voxel_row *row)
{
    voxel_row joined = *row;
    if (row->from_pitch == row->channels && row->to_pitch == row->channels) {
        joined.channels *= row->voxels;
        joined.voxels = 1;
    }
    return joined;
}

/* Between equal types, as it is. */
ALWAYS_INLINE void row_copy(const voxel_row *row, size_t bytes)
{
    const voxel_row joined = row_joined(row);
    const char *from = (const char *)joined.from + joined.from_index * (ptrdiff_t)bytes;
    char *to = (char *)joined.to + joined.to_index * (ptrdiff_t)bytes;
    for (int v = 0; v < joined.voxels; v++)
        memcpy(to + v * joined.to_pitch * (ptrdiff_t)bytes, from + v * joined.from_pitch * (ptrdiff_t)bytes,
               (size_t)joined.channels * bytes);
}

ALWAYS_INLINE void row_clear(element_type type, void *tile, ptrdiff_t index, ptrdiff_t pitch, int voxels, int channels)
{
    const size_t bytes = element_bytes(type);
    char *to = (char *)tile + index * (ptrdiff_t)bytes;
    if (voxels <= 0) return;
    if (pitch == channels) {
        memset(to, 0, (size_t)voxels * (size_t)channels * bytes);
        return;
    }
    for (int v = 0; v < voxels; v++)
        memset(to + v * pitch * (ptrdiff_t)bytes, 0, (size_t)channels * bytes);
}

static inline int clamp(int value, int low, int high) { return value < low ? low : value > high ? high : value; }

/* tile_load_kernel. */
ALWAYS_INLINE void box_load(row_load_kernel *row_load, const feature_map *from, const load_rule *rule,
                            const int origin_xyz[3], const int shape_xyz[3], element_type type, void *tile,
                            int tile_channels, int channel_offset)
{
    /* The part of a row that lies in the map: voxels [first, last) of the box. */
    const int first = clamp(-origin_xyz[2], 0, shape_xyz[2]);
    const int last = clamp(from->shape_xyz[2] - origin_xyz[2], first, shape_xyz[2]);
    ptrdiff_t to = channel_offset;
    for (int x = origin_xyz[0]; x < origin_xyz[0] + shape_xyz[0]; x++)
        for (int y = origin_xyz[1]; y < origin_xyz[1] + shape_xyz[1]; y++) {
            const bool outside = x < 0 || x >= from->shape_xyz[0] || y < 0 || y >= from->shape_xyz[1] || first == last;
            if (outside) {
                row_clear(type, tile, to, tile_channels, shape_xyz[2], from->channels);
            } else {
                const voxel_row row = {
                    .from = from->data,
                    .to = tile,
                    .from_index =
                        x * from->pitch_xyz[0] + y * from->pitch_xyz[1] + (origin_xyz[2] + first) * from->pitch_xyz[2],
                    .to_index = to + first * (ptrdiff_t)tile_channels,
                    .from_pitch = from->pitch_xyz[2],
                    .to_pitch = tile_channels,
                    .ahead = from->pitch_xyz[1],
                    .voxels = last - first,
                    .channels = from->channels,
                };
                row_clear(type, tile, to, tile_channels, first, from->channels);
                row_load(from->type, type, &row, rule && rule->scale ? rule : NULL);
                row_clear(type, tile, to + last * (ptrdiff_t)tile_channels, tile_channels, shape_xyz[2] - last,
                          from->channels);
            }
            to += (ptrdiff_t)shape_xyz[2] * tile_channels;
        }
}

/* tile_store_kernel; without statistics a store is a load without a rule. */
ALWAYS_INLINE void box_store(row_store_kernel *row_store, row_load_kernel *row_load, const float *tile,
                             const int tile_shape_xyz[3], const int shape_xyz[3], const int origin_xyz[3],
                             feature_map *to, channel_statistics *statistics)
{
    for (int x = 0; x < shape_xyz[0]; x++)
        for (int y = 0; y < shape_xyz[1]; y++) {
            voxel_row row = {
                .from = tile,
                .to = to->data,
                .from_index = ((ptrdiff_t)x * tile_shape_xyz[1] + y) * tile_shape_xyz[2] * to->channels,
                .to_index = (origin_xyz[0] + x) * to->pitch_xyz[0] + (origin_xyz[1] + y) * to->pitch_xyz[1] +
                            origin_xyz[2] * to->pitch_xyz[2],
                .from_pitch = to->channels,
                .to_pitch = to->pitch_xyz[2],
                .ahead = to->pitch_xyz[1],
                .voxels = shape_xyz[2],
                .channels = to->channels,
            };
            if (statistics) {
                row_store(to->type, &row, statistics);
            } else {
                row.ahead = 0; /* what is read lies in the cache */
                row_load(ELEMENT_FLOAT32, to->type, &row, NULL);
            }
        }
}

#endif
