/* What this processor can do at most: multiply-adds out of registers, nothing else in the way. For reports ("share of
 * the measured peak"), never for choosing kernels. */
#ifndef SAT_CPU_PEAK_H
#define SAT_CPU_PEAK_H

#include "tensor/element.h"

/* Floating-point operations a second (a multiply-add counts as two) with operands of `type` on `threads` threads together:
 * the best of a few runs, about 0.1 s. */
double peak_flops(element_type type, int threads);

/* Inner loops of one level: `rounds` rounds of independent multiply-adds, and how many operations a round is. Each returns a value that
 * depends on all of them, so that no compiler drops them. */
typedef float peak_loop(long rounds);
peak_loop peak_plain, peak_avx2, peak_avx512, peak_avx512_bf16;

#endif
