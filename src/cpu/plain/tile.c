/* The definitions of cpu/tile.h, a value at a time. */
#include "cpu/levels.h"
#include "cpu/plain/value.h"

#define NOWHERE PTRDIFF_MIN

/* Channel c of the voxel at element `voxel` of the map (NOWHERE: 0), through the rule, to element `at` of a tile. */
static void value_load(const feature_map *from, const load_rule *rule, ptrdiff_t voxel, int c, element_type type,
                       void *tile, ptrdiff_t at)
{
    if (voxel == NOWHERE)
        value_write(type, tile, at, 0.0f);
    else if (rule && rule->scale)
        value_write(type, tile, at, rule_apply(rule, c, value_read(from->type, from->data, voxel + c)));
    else
        value_copy(from->type, from->data, voxel + c, type, tile, at);
}

static void load(const feature_map *from, const load_rule *rule, const int origin_xyz[3], const int shape_xyz[3],
                 element_type type, void *tile, int tile_channels, int channel_offset)
{
    ptrdiff_t to = channel_offset; /* of the tile's voxel, first written channel */
    for (int x = origin_xyz[0]; x < origin_xyz[0] + shape_xyz[0]; x++)
        for (int y = origin_xyz[1]; y < origin_xyz[1] + shape_xyz[1]; y++)
            for (int z = origin_xyz[2]; z < origin_xyz[2] + shape_xyz[2]; z++, to += tile_channels)
                for (int c = 0; c < from->channels; c++)
                    value_load(from, rule, inside(from, x, y, z) ? voxel_index(from, x, y, z) : NOWHERE, c, type, tile,
                               to + c);
}

/* One row: the neighbourhood whose first voxel is (x, y, z). */
static void load_patch(const feature_map *from, const load_rule *rule, int x, int y, int z, element_type type,
                       void *rows, ptrdiff_t row, int row_length)
{
    for (int value = 0; value < row_length; value++) {
        const int c = value % from->channels, tap = value / from->channels;
        const int u = x + tap / 9, v = y + tap / 3 % 3, w = z + tap % 3;
        const bool there = tap < 27 && inside(from, u, v, w);
        value_load(from, rule, there ? voxel_index(from, u, v, w) : NOWHERE, c, type, rows, row + value);
    }
}

static void load_patches(const feature_map *from, const load_rule *rule, const int origin_xyz[3],
                         const int shape_xyz[3], int stride, element_type type, void *rows, int row_length)
{
    ptrdiff_t row = 0; /* its first element */
    for (int x = origin_xyz[0]; x < origin_xyz[0] + shape_xyz[0]; x++)
        for (int y = origin_xyz[1]; y < origin_xyz[1] + shape_xyz[1]; y++)
            for (int z = origin_xyz[2]; z < origin_xyz[2] + shape_xyz[2]; z++, row += row_length)
                load_patch(from, rule, stride * x - 1, stride * y - 1, stride * z - 1, type, rows, row, row_length);
}

static void store(const float *tile, const int tile_shape_xyz[3], const int shape_xyz[3], const int origin_xyz[3],
                  feature_map *to, channel_statistics *statistics)
{
    for (int x = 0; x < shape_xyz[0]; x++)
        for (int y = 0; y < shape_xyz[1]; y++)
            for (int z = 0; z < shape_xyz[2]; z++) {
                const ptrdiff_t voxel = ((ptrdiff_t)x * tile_shape_xyz[1] + y) * tile_shape_xyz[2] + z;
                const ptrdiff_t at = voxel_index(to, origin_xyz[0] + x, origin_xyz[1] + y, origin_xyz[2] + z);
                for (int c = 0; c < to->channels; c++) {
                    value_write(to->type, to->data, at + c, tile[voxel * to->channels + c]);
                    if (statistics) statistics_add(statistics, c, value_read(to->type, to->data, at + c));
                }
            }
}

const tile_kernels tile_kernels_plain = {load, load_patches, store};
