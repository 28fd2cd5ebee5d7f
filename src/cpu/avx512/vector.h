/* Sixteen or thirty-two values at a time, for the kernels of AVX-512. `lanes` selects: others read as 0 and are not
 * written; where all lanes are known to be wanted when compiling, no mask is left. */
#ifndef SAT_CPU_AVX512_VECTOR_H
#define SAT_CPU_AVX512_VECTOR_H

#include "cpu/box.h"

#include <immintrin.h>

enum { ALL_LANES = 0xffff };

/* The first `count` of sixteen lanes. */
ALWAYS_INLINE __mmask16 first_lanes(int count) { return (__mmask16)(count >= 16 ? ALL_LANES : (1u << count) - 1u); }

ALWAYS_INLINE __m512 widen(__m256i bits) /* bfloat16 to float32 */
{
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16));
}

ALWAYS_INLINE __m512 lanes_read(element_type type, const void *data, ptrdiff_t index, __mmask16 lanes)
{
    if (type == ELEMENT_BFLOAT16) {
        const bfloat16 *from = (const bfloat16 *)data + index;
        return widen(lanes == ALL_LANES ? _mm256_loadu_si256((const __m256i *)from)
                                        : _mm256_maskz_loadu_epi16(lanes, from));
    }
    const float *from = (const float *)data + index;
    return lanes == ALL_LANES ? _mm512_loadu_ps(from) : _mm512_maskz_loadu_ps(lanes, from);
}

ALWAYS_INLINE void floats_write(float *to, __m512 x, __mmask16 lanes)
{
    if (lanes == ALL_LANES)
        _mm512_storeu_ps(to, x);
    else
        _mm512_mask_storeu_ps(to, lanes, x);
}

ALWAYS_INLINE void halves_write(bfloat16 *to, __m256i bits, __mmask16 lanes)
{
    if (lanes == ALL_LANES)
        _mm256_storeu_si256((__m256i *)to, bits);
    else
        _mm256_mask_storeu_epi16(to, lanes, bits);
}

/* Thirty-two float32 to bfloat16: nearest even, subnormals kept, not-a-number quiet, as bfloat16_from_float. */
typedef __m512i round_kernel(__m512 low, __m512 high);

ALWAYS_INLINE __m512i round_lanes(__m512 value) /* the upper half of each lane is the result */
{
    const __m512i bits = _mm512_castps_si512(value);
    const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
    const __m512i rounded = _mm512_add_epi32(_mm512_add_epi32(bits, _mm512_set1_epi32(0x7fff)), odd);
    const __mmask16 nan = _mm512_cmp_ps_mask(value, value, _CMP_UNORD_Q);
    return _mm512_mask_or_epi32(rounded, nan, bits, _mm512_set1_epi32(0x400000));
}

ALWAYS_INLINE __m512i round_by_integers(__m512 low, __m512 high)
{
    const __m512i upper_halves = _mm512_set_epi16(63, 61, 59, 57, 55, 53, 51, 49, 47, 45, 43, 41, 39, 37, 35, 33, 31,
                                                  29, 27, 25, 23, 21, 19, 17, 15, 13, 11, 9, 7, 5, 3, 1);
    return _mm512_permutex2var_epi16(round_lanes(low), upper_halves, round_lanes(high));
}

/* v = scale * x + shift, then v < 0 ? slope * v : v; not-a-number and -0 pass. */
ALWAYS_INLINE __m512 rule_lanes(__m512 x, __m512 scale, __m512 shift, __m512 slope)
{
    const __m512 v = _mm512_fmadd_ps(scale, x, shift);
    return _mm512_mask_mul_ps(v, _mm512_cmp_ps_mask(v, _mm512_setzero_ps(), _CMP_LT_OQ), slope, v);
}

#endif
