/* How a map is cut into tiles: which axis runs innermost, how long the tiles are, what one task is.
 * The cut follows from shapes alone, never from the number of threads, so results do not depend on it. */
#ifndef SAT_CPU_TILING_H
#define SAT_CPU_TILING_H

#include "cpu/feature_map.h"

#include <stdbool.h>

/* What a tile costs and may cost. An output voxel at o of the tile needs input voxels stride * o + [0, reach). */
typedef struct tiling_costs {
    int reach, stride;                 /* 3 and 1 or 2 for a 3x3x3 convolution; 1 and 1 for a voxel-wise product */
    double input_bytes, output_bytes;  /* of one voxel in the tile buffers                                       */
    double input_work, output_work;    /* loading, storing a voxel, in operations that take as long              */
    double multiply_work;              /* operations for one output voxel                                        */
    double task_work;                  /* what every task costs, whatever its size: reading a group's weights    */
    int groups;                        /* groups of output channels: tasks = tiles * groups                      */
    double bytes_limit;                /* of both tile buffers together                                          */
    bool keep_axes;                    /* z runs innermost whatever its length                                   */
} tiling_costs;

/* Tile axis i is map axis axes[i]; the last runs innermost. Lengths and counts are in tile axes. */
typedef struct tiling {
    int axes[3];
    int map_shape[3];  /* of the output, voxels    */
    int tile_shape[3]; /* of the output, voxels    */
    int counts[3];     /* tiles along each axis    */
    int tiles;         /* their product            */
} tiling;

tiling tiling_choose(const int output_shape_xyz[3], const tiling_costs *costs);

/* How many of `channels` output channels are computed at a time: all, or the most that divide them evenly,
 * come in whole vectors and have at most `bytes_limit` of weights at `channel_bytes` each. */
int tiling_group(int channels, double channel_bytes, double bytes_limit);

/* The map with its axes in tile order: the same memory, seen from another side. */
feature_map tiling_view(const tiling *t, const feature_map *map);
/* Where tile `index` begins and how many of its voxels lie inside the map, both of the output. */
void tiling_tile(const tiling *t, int index, int origin[3], int inside[3]);
size_t tiling_tile_voxels(const tiling *t);
/* Voxels of the input box that a tile needs, and its shape. */
size_t tiling_input_voxels(const tiling *t, int reach, int stride, int shape[3]);

/* Tasks [*begin, *end) of `tasks` for thread `thread` of `threads`: contiguous, sizes differ by one at most. */
void tiling_share(int tasks, int thread, int threads, int *begin, int *end);

#endif
