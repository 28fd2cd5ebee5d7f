/* The resampling kernels with eight doubles a step; the same operations in the same order as plain/. Points of oblique
 * grids are bound by their gathers, for which four at a time are as good: those come from avx2/. */
#include "image/resample.h"

#if defined(__x86_64__)
#include <immintrin.h>

static void blend_floats(double *restrict out, const float *a, const float *b, double f, size_t count)
{
    const __m512d low = _mm512_set1_pd(1.0 - f), high = _mm512_set1_pd(f);
    size_t i = 0;
    if (f == 0) {
        for (; i + 8 <= count; i += 8)
            _mm512_storeu_pd(out + i, _mm512_cvtps_pd(_mm256_loadu_ps(a + i)));
    } else {
        for (; i + 8 <= count; i += 8) {
            const __m512d x = _mm512_mul_pd(low, _mm512_cvtps_pd(_mm256_loadu_ps(a + i)));
            const __m512d y = _mm512_mul_pd(high, _mm512_cvtps_pd(_mm256_loadu_ps(b + i)));
            _mm512_storeu_pd(out + i, _mm512_add_pd(x, y));
        }
    }
    if (i < count) resample_kernels_plain.blend_floats(out + i, a + i, b + i, f, count - i);
}

static void blend_doubles(double *restrict out, const double *a, const double *b, double f, size_t count)
{
    const __m512d low = _mm512_set1_pd(1.0 - f), high = _mm512_set1_pd(f);
    size_t i = 0;
    for (; i + 8 <= count; i += 8)
        _mm512_storeu_pd(out + i, _mm512_add_pd(_mm512_mul_pd(low, _mm512_loadu_pd(a + i)),
                                                _mm512_mul_pd(high, _mm512_loadu_pd(b + i))));
    if (i < count) resample_kernels_plain.blend_doubles(out + i, a + i, b + i, f, count - i);
}

static int32_t smaller(int32_t a, int32_t b) { return a < b ? a : b; }
static int32_t larger(int32_t a, int32_t b) { return a > b ? a : b; }

/* Eight outputs of a row that shrinks or grows by less than two lie within sixteen inputs: two loads and a
 * permutation instead of a gather. */
static void sample_row(float *out, const double *line, const int32_t *low, const int32_t *high, const double *f, int count)
{
    const __m512d one = _mm512_set1_pd(1.0);
    int i = 0;
    for (; i + 8 <= count; i += 8) {
        const __m256i at_low = _mm256_loadu_si256((const __m256i *)(const void *)(low + i));
        const __m256i at_high = _mm256_loadu_si256((const __m256i *)(const void *)(high + i));
        const int32_t from = smaller(smaller(low[i], high[i]), smaller(low[i + 7], high[i + 7]));
        const int32_t to = larger(larger(low[i], high[i]), larger(low[i + 7], high[i + 7]));
        __m512d a, b;
        if (to - from < 16) {
            const __m512d first = _mm512_loadu_pd(line + from), second = _mm512_loadu_pd(line + from + 8);
            const __m256i base = _mm256_set1_epi32(from);
            a = _mm512_permutex2var_pd(first, _mm512_cvtepi32_epi64(_mm256_sub_epi32(at_low, base)), second);
            b = _mm512_permutex2var_pd(first, _mm512_cvtepi32_epi64(_mm256_sub_epi32(at_high, base)), second);
        } else {
            a = _mm512_i32gather_pd(at_low, line, 8);
            b = _mm512_i32gather_pd(at_high, line, 8);
        }
        const __m512d fraction = _mm512_loadu_pd(f + i);
        const __m512d sum = _mm512_add_pd(_mm512_mul_pd(_mm512_sub_pd(one, fraction), a), _mm512_mul_pd(fraction, b));
        _mm256_storeu_ps(out + i, _mm512_cvtpd_ps(sum));
    }
    if (i < count) resample_kernels_plain.sample_row(out + i, line, low + i, high + i, f + i, count - i);
}

static void sample_points(float *out, const float *values, const resample_points *points, int count)
{
    resample_kernels_avx2.sample_points(out, values, points, count);
}

const resample_kernels resample_kernels_avx512 = {"avx512", blend_floats, blend_doubles, sample_row, sample_points};
#endif
