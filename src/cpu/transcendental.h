/* exp, the logistic function and the GELU in float32, written so that every processor level gives the same bits:
 * additions, fused multiply-adds, one division, nothing that rounds differently from one machine to the next. These
 * are the definitions; avx2/ and avx512/ have the same lines with wider types. Coefficients:
 * scripts/fit_transcendentals.py. The bounds are measured against double by tests/cpu/test_rows.c, over all
 * exponents. */
#ifndef SAT_CPU_TRANSCENDENTAL_H
#define SAT_CPU_TRANSCENDENTAL_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#define EXP_LOWEST -104.0f    /* exp below is less than half the smallest subnormal: 0            */
#define EXP_HIGHEST 89.0f     /* exp above is infinite                                            */
#define EXP_SHIFTER 0x1.8p23f /* x + this - this rounds x to an integer, which the low bits show */
#define EXP_LOG2_E 0x1.715476p+0f
#define EXP_LN2_HIGH 0x1.62e4p-1f /* ln 2 = high + low */
#define EXP_LN2_LOW 0x1.7f7d1cp-20f
/* exp(r) = 1 + r + r^2 (C2 + C3 r + ...), |r| <= ln 2 / 2, relative error 4e-9 */
#define EXP_C2 0x1.fffffcp-2f
#define EXP_C3 0x1.555492p-3f
#define EXP_C4 0x1.5558f2p-5f
#define EXP_C5 0x1.1239e2p-7f
#define EXP_C6 0x1.6a244ap-10f

/* Phi(-t) = exp(-t^2 / 2) w (T0 + T1 u + ...), w = 1 / (t + 3), u = 1 - 6 w, 0 <= t <= 14.5, relative error 6e-8.
 * Phi is the distribution function of the standard normal; beyond 14.5 it is 0 in float32. */
#define TAIL_FARTHEST 14.5f
#define TAIL_T0 0x1.754a76p-1f
#define TAIL_T1 -0x1.04c730p-1f
#define TAIL_T2 0x1.d71386p-3f
#define TAIL_T3 -0x1.83239cp-5f
#define TAIL_T4 -0x1.56d55ep-7f
#define TAIL_T5 0x1.c6a746p-8f
#define TAIL_T6 0x1.0aa27cp-10f
#define TAIL_T7 -0x1.f05dfep-11f
#define TAIL_T8 -0x1.ab9a44p-13f
#define TAIL_T9 0x1.b30140p-15f

static inline float power_of_two(int32_t n) /* -126 <= n <= 127 */
{
    const uint32_t bits = (uint32_t)(n + 127) << 23;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* exp(x + rest), |rest| small. Not-a-number stays one. */
static inline float exp_of_sum(float x, float rest)
{
    x = EXP_LOWEST > x ? EXP_LOWEST : x;
    x = EXP_HIGHEST < x ? EXP_HIGHEST : x;
    const float shifted = fmaf(x, EXP_LOG2_E, EXP_SHIFTER), n = shifted - EXP_SHIFTER; /* nearest to x / ln 2 */
    const float r = fmaf(n, -EXP_LN2_LOW, fmaf(n, -EXP_LN2_HIGH, x)) + rest;
    float p = EXP_C6;
    p = fmaf(p, r, EXP_C5);
    p = fmaf(p, r, EXP_C4);
    p = fmaf(p, r, EXP_C3);
    p = fmaf(p, r, EXP_C2);
    p = fmaf(r * r, p, r) + 1.0f;
    if (x != x) return p;
    const int32_t exponent = (int32_t)n, half = exponent / 2; /* two steps: 2^n alone may be no float */
    return p * power_of_two(half) * power_of_two(exponent - half);
}

/* exp(x): subnormal results too, 0 below -104, infinity from 88.73 on; relative error <= 1e-7 where the result is
 * normal, that of rounding below. */
static inline float exp_float(float x) { return exp_of_sum(x, 0.0f); }

/* 1 / (1 + exp(-x)), by exp of a negative number, so that nothing overflows and small probabilities keep their
 * digits: relative error <= 2.5e-7 where the result is normal, absolute <= 1e-7; 0 and 1 at the infinities. */
static inline float sigmoid_float(float x)
{
    const float e = exp_float(-fabsf(x));
    return (x < 0 ? e : 1.0f) / (1.0f + e);
}

/* x Phi(x) = max(x, 0) - |x| Phi(-|x|): nothing cancels, so small results keep their digits too: relative error <= 8e-7
 * where the result is normal (negative tail included), absolute <= 2.5e-7 for |x| < 8. The square of |x| is taken
 * exactly, as a sum, because exp multiplies its relative error by up to 100.
 * gelu(-infinity) is the limit, 0. */
static inline float gelu_float(float x)
{
    float t = fabsf(x);
    t = TAIL_FARTHEST < t ? TAIL_FARTHEST : t;
    const float square = t * t, rest = fmaf(t, t, -square);
    const float e = exp_of_sum(-0.5f * square, -0.5f * rest);
    const float w = 1.0f / (t + 3.0f), u = fmaf(-6.0f, w, 1.0f);
    float p = TAIL_T9;
    p = fmaf(p, u, TAIL_T8);
    p = fmaf(p, u, TAIL_T7);
    p = fmaf(p, u, TAIL_T6);
    p = fmaf(p, u, TAIL_T5);
    p = fmaf(p, u, TAIL_T4);
    p = fmaf(p, u, TAIL_T3);
    p = fmaf(p, u, TAIL_T2);
    p = fmaf(p, u, TAIL_T1);
    p = fmaf(p, u, TAIL_T0);
    return fmaf(-t, e * (w * p), x > 0 ? x : 0.0f);
}

#endif
