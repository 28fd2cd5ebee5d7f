/* The resampling kernels with four doubles a step; the same operations in the same order as plain/. */
#include "image/resample.h"

#if defined(__x86_64__)
#include <immintrin.h>

static void blend_floats(double *restrict out, const float *a, const float *b, double f, size_t count)
{
    const __m256d low = _mm256_set1_pd(1.0 - f), high = _mm256_set1_pd(f);
    size_t i = 0;
    if (f == 0) {
        for (; i + 4 <= count; i += 4)
            _mm256_storeu_pd(out + i, _mm256_cvtps_pd(_mm_loadu_ps(a + i)));
    } else {
        for (; i + 4 <= count; i += 4) {
            const __m256d x = _mm256_mul_pd(low, _mm256_cvtps_pd(_mm_loadu_ps(a + i)));
            const __m256d y = _mm256_mul_pd(high, _mm256_cvtps_pd(_mm_loadu_ps(b + i)));
            _mm256_storeu_pd(out + i, _mm256_add_pd(x, y));
        }
    }
    if (i < count) resample_kernels_plain.blend_floats(out + i, a + i, b + i, f, count - i);
}

static void blend_doubles(double *restrict out, const double *a, const double *b, double f, size_t count)
{
    const __m256d low = _mm256_set1_pd(1.0 - f), high = _mm256_set1_pd(f);
    size_t i = 0;
    for (; i + 4 <= count; i += 4)
        _mm256_storeu_pd(out + i, _mm256_add_pd(_mm256_mul_pd(low, _mm256_loadu_pd(a + i)),
                                                _mm256_mul_pd(high, _mm256_loadu_pd(b + i))));
    if (i < count) resample_kernels_plain.blend_doubles(out + i, a + i, b + i, f, count - i);
}

static void sample_row(float *out, const double *line, const int32_t *low, const int32_t *high, const double *f, int count)
{
    const __m256d one = _mm256_set1_pd(1.0);
    int i = 0;
    for (; i + 4 <= count; i += 4) {
        const __m256d fraction = _mm256_loadu_pd(f + i);
        const __m256d a = _mm256_i32gather_pd(line, _mm_loadu_si128((const __m128i *)(const void *)(low + i)), 8);
        const __m256d b = _mm256_i32gather_pd(line, _mm_loadu_si128((const __m128i *)(const void *)(high + i)), 8);
        const __m256d sum = _mm256_add_pd(_mm256_mul_pd(_mm256_sub_pd(one, fraction), a), _mm256_mul_pd(fraction, b));
        _mm_storeu_ps(out + i, _mm256_cvtpd_ps(sum));
    }
    if (i < count) resample_kernels_plain.sample_row(out + i, line, low + i, high + i, f + i, count - i);
}

/* Values of four voxels at byte-free offsets `at`, as doubles. */
static inline __m256d values_at(const float *values, __m128i at) { return _mm256_cvtps_pd(_mm_i32gather_ps(values, at, 4)); }

static inline __m256d blend(__m256d a, __m256d b, __m256d f)
{
    return _mm256_add_pd(_mm256_mul_pd(_mm256_sub_pd(_mm256_set1_pd(1.0), f), a), _mm256_mul_pd(f, b));
}

static void sample_points(float *out, const float *values, const resample_points *p, int count)
{
    int n = 0;
    for (; n + 4 <= count; n += 4) {
        __m256d fraction[3];
        __m128i at[3][2];
        const __m256d along = _mm256_add_pd(
            _mm256_set1_pd(p->start[p->row_axis]),
            _mm256_mul_pd(_mm256_set_pd(n + 3, n + 2, n + 1, n), _mm256_set1_pd(p->step)));
        for (int axis = 0; axis < 3; axis++) {
            __m256d x = _mm256_setzero_pd();
            for (int q = 0; q < 3; q++) {
                const __m256d o = q == p->row_axis ? along : _mm256_set1_pd(p->start[q]);
                const __m256d product = _mm256_mul_pd(_mm256_set1_pd(p->matrix[axis][q]), o);
                x = q ? _mm256_add_pd(x, product) : product;
            }
            x = _mm256_add_pd(x, _mm256_set1_pd(p->matrix[axis][3]));
            const __m256d near = _mm256_round_pd(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
            const __m256d distance = _mm256_andnot_pd(_mm256_set1_pd(-0.0), _mm256_sub_pd(x, near));
            x = _mm256_blendv_pd(x, near, _mm256_cmp_pd(distance, _mm256_set1_pd(1e-9), _CMP_LE_OQ));
            x = _mm256_min_pd(_mm256_max_pd(x, _mm256_setzero_pd()), _mm256_set1_pd(p->last[axis]));
            const int q = p->array_axis[axis];
            const __m128i low = _mm256_cvttpd_epi32(x), last = _mm_set1_epi32((int)p->last[axis]);
            fraction[q] = _mm256_sub_pd(x, _mm256_cvtepi32_pd(low));
            /* one further where a fraction is left: the clamp leaves none at the last index */
            const __m256d more = _mm256_and_pd(_mm256_cmp_pd(fraction[q], _mm256_setzero_pd(), _CMP_GT_OQ), _mm256_set1_pd(1.0));
            const __m128i high = _mm_add_epi32(low, _mm256_cvttpd_epi32(more));
            const __m128i first = _mm_set1_epi32(p->first[q]), pitch = _mm_set1_epi32(p->pitch[q]);
            const __m128i a = p->flip[axis] ? _mm_sub_epi32(last, low) : low;
            const __m128i b = p->flip[axis] ? _mm_sub_epi32(last, high) : high;
            at[q][0] = _mm_mullo_epi32(_mm_sub_epi32(a, first), pitch);
            at[q][1] = _mm_mullo_epi32(_mm_sub_epi32(b, first), pitch);
        }
        __m256d row[2];
        for (int r = 0; r < 2; r++) {
            __m256d column[2];
            for (int c = 0; c < 2; c++) {
                const __m128i base = _mm_add_epi32(at[0][r], at[1][c]);
                column[c] = blend(values_at(values, _mm_add_epi32(base, at[2][0])),
                                  values_at(values, _mm_add_epi32(base, at[2][1])), fraction[2]);
            }
            row[r] = blend(column[0], column[1], fraction[1]);
        }
        _mm_storeu_ps(out + n, _mm256_cvtpd_ps(blend(row[0], row[1], fraction[0])));
    }
    if (n < count) {
        resample_points rest = *p;
        rest.start[p->row_axis] += n * p->step;
        resample_kernels_plain.sample_points(out + n, values, &rest, count - n);
    }
}

const resample_kernels resample_kernels_avx2 = {"avx2", blend_floats, blend_doubles, sample_row, sample_points};
#endif
