/* Tiles: small dense boxes of voxels between a feature map and a matrix kernel.
 * A convolution works tile by tile: load (normalise, activate, convert, pad), multiply, store (convert,
 * take statistics). Every processor level gives the same bits: subnormals are kept, not-a-numbers and infinities pass
 * (a payload may differ). Nothing outside the voxels and channels named is read or written. */
#ifndef SAT_CPU_TILE_H
#define SAT_CPU_TILE_H

#include "base/processor.h"
#include "cpu/feature_map.h"

/* Loads voxels [origin, origin + shape) of `from` into `tile`, dense [x][y][z][tile_channels], writing
 * channels [channel_offset, channel_offset + from->channels) of each voxel. `rule` (NULL: none) is applied;
 * voxels outside the map become 0 after it (zero padding pads the activated values).
 * type: float32 or bfloat16 (nearest even) elements of the tile. */
typedef void tile_load_kernel(const feature_map *from, const load_rule *rule, const int origin_xyz[3],
                              const int shape_xyz[3], element_type type, void *tile, int tile_channels,
                              int channel_offset);

/* The 3x3x3 neighbourhoods of output voxels [origin, origin + shape), for a convolution with few input
 * channels as one matrix product: rows of `row_length` values, in the order [x][y][z]; value
 * ((dx * 3 + dy) * 3 + dz) * channels + c of a row is channel c of input voxel
 * stride * (x, y, z) + (dx, dy, dz) - 1 after `rule` (NULL: none), 0 outside the map; values from 27 * channels
 * to row_length are 0. */
typedef void tile_load_patches_kernel(const feature_map *from, const load_rule *rule, const int origin_xyz[3],
                                      const int shape_xyz[3], int stride, element_type type, void *rows,
                                      int row_length);

/* Stores the first `shape` voxels of a dense float32 tile of `tile_shape` voxels, all `to->channels` channels
 * of each, at `origin` of `to`, converting to its type, and ADDS to `statistics` (NULL: none) the values as
 * stored: sums in double, each channel in the order x, y, z (so that every kernel gives the same bits: the
 * square of a float is exact in double); minimum and maximum likewise, which ignore not-a-numbers (the sums show
 * them). The caller starts with sums 0, minimum +infinity, maximum -infinity. */
typedef void tile_store_kernel(const float *tile, const int tile_shape_xyz[3], const int shape_xyz[3],
                               const int origin_xyz[3], feature_map *to, channel_statistics *statistics);

typedef struct tile_kernels {
    tile_load_kernel *load;
    tile_load_patches_kernel *load_patches;
    tile_store_kernel *store;
} tile_kernels;

/* The kernels for a processor level; PROCESSOR_PLAIN gives the twins. */
tile_kernels tile_kernels_for(processor_level level);

#endif
