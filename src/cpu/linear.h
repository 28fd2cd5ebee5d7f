/* Linear layers: out = activation(x Wt + b) + residual, rows of float32; and the dot products of queries with
 * voxel features. Work is cut into fixed blocks of rows and columns, each computed by one thread with a kernel
 * of one fixed shape (short blocks are padded with zero rows), so a row's result depends neither on the thread
 * count nor on how many rows stand beside it. */
#ifndef SAT_CPU_LINEAR_H
#define SAT_CPU_LINEAR_H

#include "base/error.h"
#include "base/processor.h"
#include "cpu/feature_map.h"

#include <stdbool.h>

typedef enum activation { ACTIVATION_NONE, ACTIVATION_GELU, ACTIVATION_RELU } activation;

typedef struct linear linear;

/* type: operands are rounded to it, sums are float32. */
sat_status linear_make(int inner, int columns, element_type type, int threads, processor_level level, linear **made,
                       sat_error *error);
void linear_free(linear *l);
/* Weights lie as a checkpoint has them, [columns][inner] (out, in) of `type`, so that a mapped file is used
 * where it is when its type agrees. */
size_t linear_scratch_bytes(const linear *l, int rows);
/* x [rows][x_pitch], out [rows][out_pitch]; residual (same layout as out) or NULL; bias float32 or NULL.
 * x and out may not overlap; residual may be out. */
sat_status linear_run(const linear *l, int rows, const float *x, ptrdiff_t x_pitch, const void *weights,
                      const float *bias, activation act, const float *residual, float *out, ptrdiff_t out_pitch,
                      void *scratch, sat_error *error);
/* The definition, sums in double. */
void linear_plain(int rows, int inner, int columns, const float *x, ptrdiff_t x_pitch, const float *weights,
                  const float *bias, activation act, const float *residual, float *out, ptrdiff_t out_pitch);

/* Logits or probabilities of `queries` masks for planes [x_begin, x_end) of a feature map:
 *   out[q][x - x_begin][y][z] = f(sum_c embeddings[q][c] * rule(features[x][y][z][c])), f identity or sigmoid
 * Operands are rounded to `type`. Not parallel inside: several threads may call it at once, each with a slot
 * of its own (0 <= slot < threads). */
typedef struct query_masks query_masks;
sat_status query_masks_make(const int shape_xyz[3], int channels, int queries, element_type type, int threads,
                            processor_level level, query_masks **made, sat_error *error);
void query_masks_free(query_masks *m);
size_t query_masks_scratch_bytes(const query_masks *m); /* for each slot */
sat_status query_masks_run(const query_masks *m, int slot, const feature_map *features, const load_rule *rule,
                           int x_begin, int x_end, const float *embeddings, bool as_probability, float *out,
                           void *scratch, sat_error *error);

#endif
