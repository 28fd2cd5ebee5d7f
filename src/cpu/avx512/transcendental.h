/* cpu/transcendental.h, line by line, for sixteen values. */
#ifndef SAT_CPU_AVX512_TRANSCENDENTAL_H
#define SAT_CPU_AVX512_TRANSCENDENTAL_H

#include "cpu/transcendental.h"

#include "cpu/avx512/vector.h"

/* max and min give their second operand, x, when it is not-a-number. scalef multiplies by 2^n in one rounding, as
 * the twin's two steps do. */
ALWAYS_INLINE __m512 exp_of_sums(__m512 x, __m512 rest)
{
    const __m512 shifter = _mm512_set1_ps(EXP_SHIFTER);
    x = _mm512_max_ps(_mm512_set1_ps(EXP_LOWEST), x);
    x = _mm512_min_ps(_mm512_set1_ps(EXP_HIGHEST), x);
    const __m512 n = _mm512_sub_ps(_mm512_fmadd_ps(x, _mm512_set1_ps(EXP_LOG2_E), shifter), shifter);
    const __m512 coarse = _mm512_fmadd_ps(n, _mm512_set1_ps(-EXP_LN2_HIGH), x);
    const __m512 r = _mm512_add_ps(_mm512_fmadd_ps(n, _mm512_set1_ps(-EXP_LN2_LOW), coarse), rest);
    __m512 p = _mm512_set1_ps(EXP_C6);
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(EXP_C5));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(EXP_C4));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(EXP_C3));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(EXP_C2));
    p = _mm512_add_ps(_mm512_fmadd_ps(_mm512_mul_ps(r, r), p, r), _mm512_set1_ps(1.0f));
    return _mm512_scalef_ps(p, n);
}

ALWAYS_INLINE __m512 exp_lanes(__m512 x) { return exp_of_sums(x, _mm512_setzero_ps()); }

ALWAYS_INLINE __m512 sigmoid_lanes(__m512 x)
{
    const __m512 one = _mm512_set1_ps(1.0f);
    const __m512 e = exp_lanes(_mm512_or_ps(x, _mm512_set1_ps(-0.0f)));
    const __mmask16 negative = _mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_LT_OQ);
    return _mm512_div_ps(_mm512_mask_blend_ps(negative, one, e), _mm512_add_ps(one, e));
}

ALWAYS_INLINE __m512 gelu_lanes(__m512 x)
{
    const __m512 minus_half = _mm512_set1_ps(-0.5f), one = _mm512_set1_ps(1.0f);
    const __m512 t = _mm512_min_ps(_mm512_set1_ps(TAIL_FARTHEST), _mm512_abs_ps(x));
    const __m512 square = _mm512_mul_ps(t, t), rest = _mm512_fmsub_ps(t, t, square);
    const __m512 e = exp_of_sums(_mm512_mul_ps(minus_half, square), _mm512_mul_ps(minus_half, rest));
    const __m512 w = _mm512_div_ps(one, _mm512_add_ps(t, _mm512_set1_ps(3.0f)));
    const __m512 u = _mm512_fmadd_ps(_mm512_set1_ps(-6.0f), w, one);
    __m512 p = _mm512_set1_ps(TAIL_T9);
    p = _mm512_fmadd_ps(p, u, _mm512_set1_ps(TAIL_T8));
    p = _mm512_fmadd_ps(p, u, _mm512_set1_ps(TAIL_T7));
    p = _mm512_fmadd_ps(p, u, _mm512_set1_ps(TAIL_T6));
    p = _mm512_fmadd_ps(p, u, _mm512_set1_ps(TAIL_T5));
    p = _mm512_fmadd_ps(p, u, _mm512_set1_ps(TAIL_T4));
    p = _mm512_fmadd_ps(p, u, _mm512_set1_ps(TAIL_T3));
    p = _mm512_fmadd_ps(p, u, _mm512_set1_ps(TAIL_T2));
    p = _mm512_fmadd_ps(p, u, _mm512_set1_ps(TAIL_T1));
    p = _mm512_fmadd_ps(p, u, _mm512_set1_ps(TAIL_T0));
    return _mm512_fnmadd_ps(t, _mm512_mul_ps(e, _mm512_mul_ps(w, p)), _mm512_max_ps(x, _mm512_setzero_ps()));
}

#endif
