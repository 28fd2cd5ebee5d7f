/* 3x3x3 convolution, zero padding 1, stride 1 or 2, of one or two feature maps (two: as if concatenated along
 * channels, without the copy), with normalisation and activation on load and statistics of the result: the
 * operation that is 99 % of a window.
 *
 * The work is cut into tiles, whole output boxes that fit the caches; each is loaded, multiplied by oneDNN and
 * stored by one thread. The cut depends on shapes and the processor's level only, never on the number of
 * threads: results are bitwise equal for every thread count. Other kernels (Winograd) are to be chosen behind
 * this same interface. */
#ifndef SAT_CPU_CONVOLUTION_H
#define SAT_CPU_CONVOLUTION_H

#include "base/error.h"
#include "base/processor.h"
#include "cpu/feature_map.h"

#include <stdint.h>

typedef struct convolution_shape {
    int input_shape_xyz[3];
    int source_count;         /* 1 or 2 */
    int source_channels[2];
    int output_channels;
    int stride;               /* output shape = (input - 1) / stride + 1 */
} convolution_shape;

typedef struct convolution convolution;

/* Chooses tiles and the kernel (few input channels: patches and one matrix product; else direct).
 * type: of operands and of packed weights. */
sat_status convolution_make(const convolution_shape *shape, element_type type, int threads, processor_level level,
                            convolution **made, sat_error *error);
void convolution_free(convolution *c);

size_t convolution_packed_bytes(const convolution *c);
/* Names the packed form: two convolutions of the same weights with equal forms can share the packed bytes, whatever
 * their maps and tiles are. */
uint64_t convolution_packed_form(const convolution *c);
size_t convolution_scratch_bytes(const convolution *c); /* for all threads and the partial statistics */

/* Packs (output_channels, input_channels, 3, 3, 3) float32 weights, input channels of all sources side by side. */
sat_status convolution_pack(const convolution *c, const float *weights, void *packed, sat_error *error);

/* out = convolution(rules(sources)) + bias, stored in out's type; statistics (NULL: none) are overwritten, all
 * tiles' added in index order. sources and rules: source_count entries. bias: float32. scratch: 64-byte aligned.
 * Runs on the `threads` of convolution_make. */
sat_status convolution_run(const convolution *c, const feature_map *sources, const load_rule *rules,
                           const void *packed, const float *bias, feature_map *out,
                           channel_statistics *statistics, void *scratch, sat_error *error);

/* One line for reports: tile shape, kernel, implementation. */
void convolution_describe(const convolution *c, char *text, size_t size);
double convolution_operations(const convolution *c); /* 2 * multiply-accumulates of the direct form */

/* The definition, in a few loops over float64 sums: for tests. Weights as convolution_pack. */
void convolution_plain(const convolution_shape *shape, const feature_map *sources, const load_rule *rules,
                       const float *weights, const float *bias, feature_map *out);

/* Transposed convolution, kernel 2 and stride 2, of one map:
 *   out[2x+a, 2y+b, 2z+c][o] = bias[o] + sum_i in[x, y, z][i] * weight[i][o][a][b][c]
 * Same rules for tiles, threads and memory as above. Weights (input_channels, output_channels, 2, 2, 2). */
typedef struct upsampling upsampling;
sat_status upsampling_make(const int input_shape_xyz[3], int input_channels, int output_channels, element_type type,
                           int threads, processor_level level, upsampling **made, sat_error *error);
void upsampling_free(upsampling *u);
size_t upsampling_packed_bytes(const upsampling *u);
uint64_t upsampling_packed_form(const upsampling *u); /* as convolution_packed_form */
size_t upsampling_scratch_bytes(const upsampling *u);
sat_status upsampling_pack(const upsampling *u, const float *weights, void *packed, sat_error *error);
sat_status upsampling_run(const upsampling *u, const feature_map *source, const load_rule *rule, const void *packed,
                          const float *bias, feature_map *out, void *scratch, sat_error *error);
double upsampling_operations(const upsampling *u);
void upsampling_plain(const feature_map *source, const load_rule *rule, const float *weights, const float *bias,
                      feature_map *out);

#endif
