/* Trilinear resampling between two grids, tile by tile: pipeline.md, section 3, step 6.
 *
 * Arrays are seen in memory order: array axis 0 is the row (fastest), 1 the column, 2 the slice. Output and source
 * have axes in the same order, each array axis along one oriented axis, with or against it:
 *
 *   output voxel -> oriented index o -> source index  x = matrix * (o, 1)  -> within 1e-9 of an integer: that integer
 *   -> clamped to the source -> float64 blends (1 - f) * a + f * b across slices, then columns, then along the row
 *   -> rounded to float32
 *
 * Where the matrix is diagonal (almost every scan) the indices and fractions are tables for each axis, blends are shared
 * between neighbours, and the result has the same bits as the general way. Nothing is read but what a tile asks for through
 * `resample_fetch`, so the source may be packed, sparse or of any voxel type. */
#ifndef SAT_IMAGE_RESAMPLE_H
#define SAT_IMAGE_RESAMPLE_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* For each output index along one array axis: the two source array indices (equal where the fraction is 0). */
typedef struct resample_table {
    int32_t *low, *high;
    double *fraction;
} resample_table;

/* What is resampled to what. Filled by the caller up to the line, the rest by resample_map_make. */
typedef struct resample_map {
    int64_t output_shape[3], source_shape[3]; /* array axes: row, column, slice                             */
    int oriented_axis[3];                     /* array axis p runs along this oriented axis ...             */
    bool flip_output[3], flip_source[3];      /* ... or against it                                          */
    double matrix[3][4];                      /* oriented output index -> oriented source index             */
    int tile[3];                              /* in: wanted output voxels of a tile; out: what fits         */
    /* ------------------------------------------------------------------------------------------------- */
    bool aligned;                             /* diagonal matrix: `tables` are used                         */
    resample_table tables[3];                 /* owned through `memory`                                     */
    int64_t tiles[3];                         /* tiles along each array axis                                */
    int footprint[3];                         /* source voxels that a tile reads at most along each axis    */
    void *memory;
} resample_map;

/* Fails with SAT_NO_MEMORY; SAT_BAD_INPUT for shapes beyond int32. Safe to free after failure. */
sat_status resample_map_make(resample_map *map, sat_error *error);
void resample_map_free(resample_map *map);

/* Source voxels that a tile needs: row_first ... of every listed column of every listed slice. */
typedef struct resample_request {
    int64_t row_first;
    int row_count, column_count, slice_count;
    const int32_t *columns, *slices; /* source array indices, possibly repeated */
} resample_request;

/* Writes values[slice][column][row] (finite numbers). Returns false where all of them are 0 (then nothing need be written). */
typedef bool resample_fetch(void *context, const resample_request *wanted, float *values);

/* A thread's working memory for tiles of `map`: 64-byte aligned, resample_scratch_bytes(map). */
size_t resample_scratch_bytes(const resample_map *map);

/* A tile's place in the output. */
typedef struct resample_tile {
    int64_t first[3];
    int count[3];
} resample_tile;
/* Tile number `index` of tiles[0] * tiles[1] * tiles[2], array axis 0 running fastest. */
void resample_tile_at(const resample_map *map, int64_t index, resample_tile *tile);

/* Resamples one tile into output[slice][column][row] with the given pitches (in floats). Returns false, with the output untouched,
 * where the tile is all 0. Thread-safe with scratch of one's own. `kernels` from resample_kernels_best. */
typedef struct resample_kernels resample_kernels;
bool resample_tile_run(const resample_map *map, const resample_kernels *kernels, const resample_tile *tile,
                       resample_fetch *fetch, void *context, void *scratch, float *output, size_t column_pitch,
                       size_t slice_pitch);

/* ---------------------------------------------------------------- kernels */

/* One voxel row of a tile in the general case. Oriented output indices along the row: start + n * step. */
typedef struct resample_points {
    double matrix[3][4];  /* by oriented axis                                                            */
    double start[3];
    int row_axis;         /* the oriented axis that changes along the row                                */
    double step;          /* +1 or -1                                                                    */
    double last[3];       /* largest source index, by oriented axis                                      */
    int array_axis[3];    /* of an oriented axis                                                         */
    bool flip[3];         /* source array index = last - oriented index; by oriented axis                */
    int32_t first[3];     /* source array index of values[0], by array axis                              */
    int32_t pitch[3];     /* of values, by array axis: 1, row_count, row_count * column_count            */
} resample_points;

struct resample_kernels {
    const char *name;
    /* out[i] = (1 - f) * a[i] + f * b[i] in float64; out overlaps neither. */
    void (*blend_floats)(double *out, const float *a, const float *b, double f, size_t count);
    void (*blend_doubles)(double *out, const double *a, const double *b, double f, size_t count);
    /* out[i] = (1 - f[i]) * line[low[i]] + f[i] * line[high[i]], rounded to float32; low and high monotone; line is
     * readable for RESAMPLE_PADDING elements beyond its end. */
    void (*sample_row)(float *out, const double *line, const int32_t *low, const int32_t *high, const double *f, int count);
    void (*sample_points)(float *out, const float *values, const resample_points *points, int count);
};
enum { RESAMPLE_PADDING = 16 };

extern const resample_kernels resample_kernels_plain;
#if defined(__x86_64__)
extern const resample_kernels resample_kernels_avx2;
extern const resample_kernels resample_kernels_avx512;
#endif
/* The fastest of this machine (base/processor.h); all give the same bits. */
const resample_kernels *resample_kernels_best(void);

#endif
