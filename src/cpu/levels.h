/* What each level's folder offers: one table per idea, defined where the kernels are (plain/tile.c, avx2/tile.c, ...).
 * Only tile.c and rows.c, which choose, and the tests of a single level include this. */
#ifndef SAT_CPU_LEVELS_H
#define SAT_CPU_LEVELS_H

#include "cpu/rows.h"
#include "cpu/tile.h"

extern const tile_kernels tile_kernels_plain, tile_kernels_avx2, tile_kernels_avx512, tile_kernels_avx512_bf16;
extern const row_kernels row_kernels_plain, row_kernels_avx2, row_kernels_avx512;

#endif
