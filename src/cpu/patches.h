/* Patches cut from boxes: for each run of output voxels along z, the 3 x 3 x span box of input voxels beneath is
 * loaded by the level's own kernel into a small buffer on the stack, and the rows are copied from it. Every level
 * includes this and is compiled with its own moves. */
#ifndef SAT_CPU_PATCHES_H
#define SAT_CPU_PATCHES_H

#include "cpu/box.h"

enum { PATCH_BUFFER = 4096 }; /* elements, 16 KiB of float32: stays in the first-level cache */

/* Rows of one-channel patches: nine pieces of three values each. A piece is moved as four values, the fourth of
 * which the next piece overwrites; so the last one needs a row of at least 28. `bytes` of an element. */
ALWAYS_INLINE void patch_cut_single(const char *box, int span, char *row, int row_length, size_t bytes)
{
    for (int line = 0; line < 9; line++)
        memcpy(row + 3 * (size_t)line * bytes, box + (size_t)line * (size_t)span * bytes, 4 * bytes);
    memset(row + 27 * bytes, 0, (size_t)(row_length - 27) * bytes);
}

/* Any number of channels: nine pieces of three voxels. */
static inline void patch_cut(const char *box, size_t line_bytes, char *row, size_t row_bytes, size_t piece_bytes)
{
    for (size_t line = 0; line < 9; line++)
        memcpy(row + line * piece_bytes, box + line * line_bytes, piece_bytes);
    memset(row + 9 * piece_bytes, 0, row_bytes - 9 * piece_bytes);
}

/* Rows of a run of `count` output voxels, from the box that starts at its first neighbourhood. */
static inline void patches_cut(const char *box, int span, int channels, int stride, int count, char *rows,
                               int row_length, size_t bytes)
{
    const size_t voxel_bytes = (size_t)channels * bytes, row_bytes = (size_t)row_length * bytes;
    for (int z = 0; z < count; z++, box += (size_t)stride * voxel_bytes, rows += row_bytes)
        if (channels == 1 && row_length == 32 && bytes == 2) /* the usual case, known to the compiler */
            patch_cut_single(box, span, rows, 32, 2);
        else if (channels == 1 && row_length == 32 && bytes == 4)
            patch_cut_single(box, span, rows, 32, 4);
        else
            patch_cut(box, (size_t)span * voxel_bytes, rows, row_bytes, 3 * voxel_bytes);
}

/* tile_load_patches by way of `load`; `plain` takes over where not even one neighbourhood fits the buffer. */
ALWAYS_INLINE void patches_by_boxes(tile_load_kernel *load, tile_load_patches_kernel *plain, const feature_map *from,
                                    const load_rule *rule, const int origin_xyz[3], const int shape_xyz[3], int stride,
                                    element_type type, void *rows, int row_length)
{
    const int longest_span = PATCH_BUFFER / 9 / from->channels;
    if (longest_span < 3) {
        plain(from, rule, origin_xyz, shape_xyz, stride, type, rows, row_length);
        return;
    }
    const int longest_run = (longest_span - 3) / stride + 1;
    const size_t bytes = element_bytes(type);
    char box[(PATCH_BUFFER + 1) * sizeof(float)] __attribute__((aligned(64))); /* one more: see patch_cut_single */
    char *row = rows;
    for (int x = 0; x < shape_xyz[0]; x++)
        for (int y = 0; y < shape_xyz[1]; y++)
            for (int z = 0; z < shape_xyz[2]; z += longest_run) {
                const int count = shape_xyz[2] - z < longest_run ? shape_xyz[2] - z : longest_run;
                const int span = stride * (count - 1) + 3;
                const int corner[3] = {stride * (origin_xyz[0] + x) - 1, stride * (origin_xyz[1] + y) - 1,
                                       stride * (origin_xyz[2] + z) - 1};
                load(from, rule, corner, (const int[]){3, 3, span}, type, box, from->channels, 0);
                patches_cut(box, span, from->channels, stride, count, row, row_length, bytes);
                row += (size_t)count * (size_t)row_length * bytes;
            }
}

#endif
