/* oneDNN behind a narrow door: the only header and file that know it (2.6 and 3.x).
 *
 * A kernel is compiled for one thread and one small dense shape; callers cut the work into tiles and run
 * the same kernel from several threads at once, each with its own slot. So results do not depend on the
 * number of threads, and oneDNN's own threading is never used. */
#ifndef SAT_CPU_ONEDNN_H
#define SAT_CPU_ONEDNN_H

#include "base/error.h"
#include "tensor/element.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct onednn_kernel onednn_kernel;

/* A 3x3x3 convolution without padding of a dense tile [x][y][z][input_channels] to float32
 * [x'][y'][z'][output_channels], x' = (x - 3) / stride + 1. type: of source and weights.
 * slots: how many threads may run it at once. */
typedef struct onednn_convolution_shape {
    int output_shape_xyz[3]; /* x', y', z' */
    int input_channels, output_channels, stride;
} onednn_convolution_shape;
sat_status onednn_convolution_make(const onednn_convolution_shape *shape, element_type type, int slots,
                                   onednn_kernel **kernel, sat_error *error);

/* out[rows][columns] (float32, row pitch `out_pitch` >= columns) = a[rows][inner] * B (+ bias[columns]).
 * type: of a and B. B comes packed by onednn_pack from [inner][columns] float32, or, with `transposed`, as
 * it lies in memory as [columns][inner] of `type` (a linear layer's weight): then it needs no packing and is
 * used where it is mapped. */
typedef struct onednn_product_shape {
    int rows, inner, columns;
    int out_pitch;
    bool transposed, with_bias;
} onednn_product_shape;
sat_status onednn_product_make(const onednn_product_shape *shape, element_type type, int slots,
                               onednn_kernel **kernel, sat_error *error);

/* Bytes of the packed weights; 0 for a transposed product. */
size_t onednn_packed_bytes(const onednn_kernel *kernel);
/* Packs weights, float32: (output_channels, input_channels, 3, 3, 3) for a convolution, [inner][columns] for
 * a product. Packed memory is 64-byte aligned. */
sat_status onednn_pack(const onednn_kernel *kernel, const float *weights, void *packed, sat_error *error);

/* Names the packed form: kernels with equal shape of weights and equal forms read the same packed bytes, whatever
 * their tiles are. */
uint64_t onednn_packed_form(const onednn_kernel *kernel);

/* Scratch bytes that each running slot needs. */
size_t onednn_scratch_bytes(const onednn_kernel *kernel);
/* Runs in slot `slot` (0 <= slot < slots; one thread at a time per slot). Allocates nothing.
 * bias: float32 or NULL. */
sat_status onednn_run(const onednn_kernel *kernel, int slot, const void *source, const void *weights,
                      const float *bias, float *out, void *scratch);

void onednn_free(onednn_kernel *kernel); /* NULL does nothing */

/* "2.6.3", and the name of the implementation that oneDNN chose, for reports. */
const char *onednn_version(void);
const char *onednn_implementation(const onednn_kernel *kernel);

#endif
