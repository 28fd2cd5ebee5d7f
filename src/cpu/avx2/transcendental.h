/* cpu/transcendental.h, line by line, for eight values. */
#ifndef SAT_CPU_AVX2_TRANSCENDENTAL_H
#define SAT_CPU_AVX2_TRANSCENDENTAL_H

#include "cpu/transcendental.h"

#include "cpu/avx2/vector.h"

ALWAYS_INLINE __m256 powers_of_two(__m256i n)
{
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(n, _mm256_set1_epi32(127)), 23));
}

/* max and min give their second operand, x, when it is not-a-number. */
ALWAYS_INLINE __m256 exp_of_sums(__m256 x, __m256 rest)
{
    const __m256 shifter = _mm256_set1_ps(EXP_SHIFTER);
    x = _mm256_max_ps(_mm256_set1_ps(EXP_LOWEST), x);
    x = _mm256_min_ps(_mm256_set1_ps(EXP_HIGHEST), x);
    const __m256 n = _mm256_sub_ps(_mm256_fmadd_ps(x, _mm256_set1_ps(EXP_LOG2_E), shifter), shifter);
    const __m256 coarse = _mm256_fmadd_ps(n, _mm256_set1_ps(-EXP_LN2_HIGH), x);
    const __m256 r = _mm256_add_ps(_mm256_fmadd_ps(n, _mm256_set1_ps(-EXP_LN2_LOW), coarse), rest);
    __m256 p = _mm256_set1_ps(EXP_C6);
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(EXP_C5));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(EXP_C4));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(EXP_C3));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(EXP_C2));
    p = _mm256_add_ps(_mm256_fmadd_ps(_mm256_mul_ps(r, r), p, r), _mm256_set1_ps(1.0f));
    const __m256i exponent = _mm256_cvtps_epi32(n), half = _mm256_srai_epi32(exponent, 1);
    return _mm256_mul_ps(_mm256_mul_ps(p, powers_of_two(half)), powers_of_two(_mm256_sub_epi32(exponent, half)));
}

ALWAYS_INLINE __m256 exp_lanes(__m256 x) { return exp_of_sums(x, _mm256_setzero_ps()); }

ALWAYS_INLINE __m256 sigmoid_lanes(__m256 x)
{
    const __m256 one = _mm256_set1_ps(1.0f);
    const __m256 e = exp_lanes(_mm256_or_ps(x, _mm256_set1_ps(-0.0f)));
    const __m256 negative = _mm256_cmp_ps(x, _mm256_setzero_ps(), _CMP_LT_OQ);
    return _mm256_div_ps(_mm256_blendv_ps(one, e, negative), _mm256_add_ps(one, e));
}

ALWAYS_INLINE __m256 gelu_lanes(__m256 x)
{
    const __m256 minus_half = _mm256_set1_ps(-0.5f), one = _mm256_set1_ps(1.0f);
    const __m256 t = _mm256_min_ps(_mm256_set1_ps(TAIL_FARTHEST), _mm256_andnot_ps(_mm256_set1_ps(-0.0f), x));
    const __m256 square = _mm256_mul_ps(t, t), rest = _mm256_fmsub_ps(t, t, square);
    const __m256 e = exp_of_sums(_mm256_mul_ps(minus_half, square), _mm256_mul_ps(minus_half, rest));
    const __m256 w = _mm256_div_ps(one, _mm256_add_ps(t, _mm256_set1_ps(3.0f)));
    const __m256 u = _mm256_fmadd_ps(_mm256_set1_ps(-6.0f), w, one);
    __m256 p = _mm256_set1_ps(TAIL_T9);
    p = _mm256_fmadd_ps(p, u, _mm256_set1_ps(TAIL_T8));
    p = _mm256_fmadd_ps(p, u, _mm256_set1_ps(TAIL_T7));
    p = _mm256_fmadd_ps(p, u, _mm256_set1_ps(TAIL_T6));
    p = _mm256_fmadd_ps(p, u, _mm256_set1_ps(TAIL_T5));
    p = _mm256_fmadd_ps(p, u, _mm256_set1_ps(TAIL_T4));
    p = _mm256_fmadd_ps(p, u, _mm256_set1_ps(TAIL_T3));
    p = _mm256_fmadd_ps(p, u, _mm256_set1_ps(TAIL_T2));
    p = _mm256_fmadd_ps(p, u, _mm256_set1_ps(TAIL_T1));
    p = _mm256_fmadd_ps(p, u, _mm256_set1_ps(TAIL_T0));
    return _mm256_fnmadd_ps(t, _mm256_mul_ps(e, _mm256_mul_ps(w, p)), _mm256_max_ps(x, _mm256_setzero_ps()));
}

#endif
