/* Row-wise and element-wise operations on float32 matrices [rows][width]: layer norm, activations, softmax
 * attention, pooling, sigmoid. No threads inside: callers split the rows. Each row's result is the same
 * whatever rows stand beside it, and bit for bit the same at every processor level (not-a-numbers may differ in their
 * payload). */
#ifndef SAT_CPU_ROWS_H
#define SAT_CPU_ROWS_H

#include "base/processor.h"
#include "cpu/feature_map.h"

typedef struct row_kernels {
    /* out = (x - mean) / sqrt(variance + epsilon) * gain + bias, per row; biased variance; sums in double
     * by a fixed tree of 16 lanes (plain/rows.c). In place allowed. */
    void (*layer_norm)(int rows, int width, const float *x, const float *gain, const float *bias, float epsilon,
                       float *out);
    /* x * (1 + erf(x / sqrt 2)) / 2; relative error <= 8e-7 (cpu/transcendental.h); 0 below -14.5, also
     * at -infinity; not-a-number stays one. In place allowed. */
    void (*gelu)(size_t count, const float *x, float *out);
    /* 1 / (1 + exp(-x)), absolute error <= 2e-7; x > 0 gives > 0.5 where float32 can say so, x = 0 gives 0.5.
     * In place allowed. */
    void (*sigmoid)(size_t count, const float *x, float *out);
    /* One head of attention for `rows` queries over `tokens` keys:
     *   out[r] = sum_t softmax_t(scale * q[r] . k[t] + bias[r][t]) v[t]
     * q, k, v, out have row pitches (elements) so that heads may lie side by side; bias may be NULL, with row
     * pitch bias_pitch (0: one row for all); use -FLT_MAX for a masked key (masked keys get weight exactly 0
     * where any other key is not masked). A score of +infinity or not-a-number makes the row not-a-number;
     * one of -infinity has weight 0.
     * tokens >= 1. scratch: `tokens` floats. */
    void (*attention)(int rows, int tokens, int head_width, const float *q, ptrdiff_t q_pitch, const float *k,
                      ptrdiff_t k_pitch, const float *v, ptrdiff_t v_pitch, float scale, const float *bias,
                      ptrdiff_t bias_pitch, float *out, ptrdiff_t out_pitch, float *scratch);
    /* Mean over kernel x kernel x kernel voxels (stride = kernel) of the values after `rule` (NULL: none), for the
     * pooled cells with x in [x_begin, x_end) of the pooled grid (shape / kernel). Cell (x, y, z) of the WHOLE pooled
     * grid is row (x * ny + y) * nz + z of `out`: channel c goes to out[row * out_pitch + c]. Fixed order of summation. */
    void (*average_pool)(const feature_map *from, const load_rule *rule, int kernel, int x_begin, int x_end, float *out,
                         ptrdiff_t out_pitch);
} row_kernels;

/* The kernels for a processor level; PROCESSOR_PLAIN gives the twins. */
row_kernels row_kernels_for(processor_level level);

#endif
