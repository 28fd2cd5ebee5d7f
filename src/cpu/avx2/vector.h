/* Eight or sixteen values at a time, for the kernels of AVX2 with FMA. */
#ifndef SAT_CPU_AVX2_VECTOR_H
#define SAT_CPU_AVX2_VECTOR_H

#include "cpu/box.h"

#include <immintrin.h>

ALWAYS_INLINE __m256 widen(__m128i bits) /* bfloat16 to float32 */
{
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(bits), 16));
}

ALWAYS_INLINE __m256 eight_read(element_type type, const void *data, ptrdiff_t index)
{
    if (type == ELEMENT_BFLOAT16) return widen(_mm_loadu_si128((const __m128i *)((const bfloat16 *)data + index)));
    return _mm256_loadu_ps((const float *)data + index);
}

/* The first `count` of eight lanes, for the masked moves below; count may be negative or large. */
ALWAYS_INLINE __m256i first_lanes(int count)
{
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(count), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

/* Lanes beyond `count` read as 0 and are not written. */
ALWAYS_INLINE __m256 some_read(const float *from, int count)
{
    return count >= 8 ? _mm256_loadu_ps(from) : _mm256_maskload_ps(from, first_lanes(count));
}

ALWAYS_INLINE void some_write(float *to, int count, __m256 x)
{
    if (count >= 8)
        _mm256_storeu_ps(to, x);
    else
        _mm256_maskstore_ps(to, first_lanes(count), x);
}

/* Nearest even, subnormals kept, not-a-number quiet, as bfloat16_from_float; in the low half of each lane. */
ALWAYS_INLINE __m256i round_lanes(__m256 value)
{
    const __m256i bits = _mm256_castps_si256(value);
    const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
    const __m256i rounded = _mm256_add_epi32(_mm256_add_epi32(bits, _mm256_set1_epi32(0x7fff)), odd);
    const __m256i quiet = _mm256_or_si256(bits, _mm256_set1_epi32(0x400000));
    const __m256i nan = _mm256_castps_si256(_mm256_cmp_ps(value, value, _CMP_UNORD_Q));
    return _mm256_srli_epi32(_mm256_blendv_epi8(rounded, quiet, nan), 16);
}

/* Sixteen float32 to bfloat16. packus works in halves of 128 bits; the permutation mends the order. */
ALWAYS_INLINE __m256i round_sixteen(__m256 low, __m256 high)
{
    return _mm256_permute4x64_epi64(_mm256_packus_epi32(round_lanes(low), round_lanes(high)), 0xd8);
}

ALWAYS_INLINE __m128i round_eight(__m256 value) { return _mm256_castsi256_si128(round_sixteen(value, value)); }

/* v = scale * x + shift, then v < 0 ? slope * v : v; not-a-number and -0 pass. */
ALWAYS_INLINE __m256 rule_lanes(__m256 x, __m256 scale, __m256 shift, __m256 slope)
{
    const __m256 v = _mm256_fmadd_ps(scale, x, shift);
    return _mm256_blendv_ps(v, _mm256_mul_ps(slope, v), _mm256_cmp_ps(v, _mm256_setzero_ps(), _CMP_LT_OQ));
}

#endif
