/* Rows with AVX-512. A register's sixteen lanes are the sixteen lanes of the twin's sums (plain/rows.c). */
#if defined(__x86_64__)
#include "cpu/avx512/transcendental.h"
#include "cpu/avx512/vector.h"
#include "cpu/levels.h"

/* ---------------------------------------------------------------- activations */

static void gelu(size_t count, const float *x, float *out)
{
    size_t i = 0;
    for (; i + 16 <= count; i += 16)
        _mm512_storeu_ps(out + i, gelu_lanes(_mm512_loadu_ps(x + i)));
    const __mmask16 rest = first_lanes((int)(count - i));
    if (rest) _mm512_mask_storeu_ps(out + i, rest, gelu_lanes(_mm512_maskz_loadu_ps(rest, x + i)));
}

static void sigmoid(size_t count, const float *x, float *out)
{
    size_t i = 0;
    for (; i + 16 <= count; i += 16)
        _mm512_storeu_ps(out + i, sigmoid_lanes(_mm512_loadu_ps(x + i)));
    const __mmask16 rest = first_lanes((int)(count - i));
    if (rest) _mm512_mask_storeu_ps(out + i, rest, sigmoid_lanes(_mm512_maskz_loadu_ps(rest, x + i)));
}

/* ---------------------------------------------------------------- layer norm */

typedef struct doubles {
    __m512d low, high; /* lanes 0 to 7, 8 to 15 */
} doubles;

ALWAYS_INLINE doubles doubles_of(__m512 x)
{
    return (doubles){_mm512_cvtps_pd(_mm512_castps512_ps256(x)), _mm512_cvtps_pd(_mm512_extractf32x8_ps(x, 1))};
}

ALWAYS_INLINE double doubles_sum(doubles x)
{
    const __m512d eight = _mm512_add_pd(x.low, x.high);
    const __m256d four = _mm256_add_pd(_mm512_castpd512_pd256(eight), _mm512_extractf64x4_pd(eight, 1));
    const __m128d two = _mm_add_pd(_mm256_castpd256_pd128(four), _mm256_extractf128_pd(four, 1));
    return _mm_cvtsd_f64(_mm_add_sd(two, _mm_unpackhi_pd(two, two)));
}

/* x - mean; lanes that are not asked for: 0. */
ALWAYS_INLINE doubles deviations(const float *x, __mmask16 lanes, __m512d mean)
{
    const doubles value = doubles_of(lanes_read(ELEMENT_FLOAT32, x, 0, lanes));
    return (doubles){_mm512_maskz_sub_pd((__mmask8)lanes, value.low, mean),
                     _mm512_maskz_sub_pd((__mmask8)(lanes >> 8), value.high, mean)};
}

static void layer_norm_row(int width, const float *x, const float *gain, const float *bias, double epsilon, float *out)
{
    doubles sum = {_mm512_setzero_pd(), _mm512_setzero_pd()}, square = sum;
    for (int i = 0; i < width; i += 16) {
        const doubles value = doubles_of(lanes_read(ELEMENT_FLOAT32, x, i, first_lanes(width - i)));
        sum.low = _mm512_add_pd(sum.low, value.low);
        sum.high = _mm512_add_pd(sum.high, value.high);
    }
    const __m512d mean = _mm512_set1_pd(doubles_sum(sum) / width);
    for (int i = 0; i < width; i += 16) {
        const doubles d = deviations(x + i, first_lanes(width - i), mean);
        square.low = _mm512_add_pd(square.low, _mm512_mul_pd(d.low, d.low));
        square.high = _mm512_add_pd(square.high, _mm512_mul_pd(d.high, d.high));
    }
    const __m512d scale =
        _mm512_div_pd(_mm512_set1_pd(1.0), _mm512_sqrt_pd(_mm512_set1_pd(doubles_sum(square) / width + epsilon)));
    for (int i = 0; i < width; i += 16) {
        const __mmask16 lanes = first_lanes(width - i);
        const doubles d = deviations(x + i, lanes, mean);
        const __m256 low = _mm512_cvtpd_ps(_mm512_mul_pd(d.low, scale));
        const __m256 high = _mm512_cvtpd_ps(_mm512_mul_pd(d.high, scale));
        const __m512 normal = _mm512_insertf32x8(_mm512_castps256_ps512(low), high, 1);
        floats_write(out + i,
                     _mm512_fmadd_ps(normal, lanes_read(ELEMENT_FLOAT32, gain, i, lanes),
                                     lanes_read(ELEMENT_FLOAT32, bias, i, lanes)),
                     lanes);
    }
}

static void layer_norm(int rows, int width, const float *x, const float *gain, const float *bias, float epsilon,
                       float *out)
{
    for (int r = 0; r < rows; r++, x += width, out += width)
        layer_norm_row(width, x, gain, bias, (double)epsilon, out);
}

/* ---------------------------------------------------------------- attention */

/* The first two steps of the sum over sixteen lanes: l and l + 8, l and l + 4. */
ALWAYS_INLINE __m128 sum_to_four(__m512 x)
{
    const __m256 eight = _mm256_add_ps(_mm512_castps512_ps256(x), _mm512_extractf32x8_ps(x, 1));
    return _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
}

/* The last two, for four sums at once: lane i of the result is the sum of x[i]. */
ALWAYS_INLINE __m128 sums_of_four(const __m128 x[4])
{
    const __m128 low01 = _mm_unpacklo_ps(x[0], x[1]), high01 = _mm_unpackhi_ps(x[0], x[1]);
    const __m128 low23 = _mm_unpacklo_ps(x[2], x[3]), high23 = _mm_unpackhi_ps(x[2], x[3]);
    const __m128 pair01 = _mm_add_ps(low01, high01), pair23 = _mm_add_ps(low23, high23); /* l and l + 2 */
    return _mm_add_ps(_mm_movelh_ps(pair01, pair23), _mm_movehl_ps(pair23, pair01));
}

ALWAYS_INLINE float sum_of(__m512 x)
{
    const __m128 four[4] = {sum_to_four(x), _mm_setzero_ps(), _mm_setzero_ps(), _mm_setzero_ps()};
    return _mm_cvtss_f32(sums_of_four(four));
}

ALWAYS_INLINE __m512 products(int width, const float *a, const float *b)
{
    __m512 sum = _mm512_setzero_ps();
    int i = 0;
    for (; i + 16 <= width; i += 16)
        sum = _mm512_fmadd_ps(_mm512_loadu_ps(a + i), _mm512_loadu_ps(b + i), sum);
    const __mmask16 rest = first_lanes(width - i);
    if (rest) sum = _mm512_fmadd_ps(_mm512_maskz_loadu_ps(rest, a + i), _mm512_maskz_loadu_ps(rest, b + i), sum);
    return sum;
}

/* scores[t] = q . k[t], four keys at a time. */
static void scores_of(int tokens, int width, const float *q, const float *k, ptrdiff_t k_pitch, float *scores)
{
    for (int t = 0; t < tokens; t += 4) {
        __m128 four[4];
        for (int i = 0; i < 4; i++) /* beyond the end: the last key once more */
            four[i] = sum_to_four(products(width, q, k + (t + i < tokens ? t + i : tokens - 1) * k_pitch));
        _mm_mask_storeu_ps(scores + t, (__mmask8)first_lanes(tokens - t), sums_of_four(four));
    }
}

/* Scores to weights; returns their sum. */
static float weights_of(int tokens, float scale, const float *bias, float *scores)
{
    const __m512 scales = _mm512_set1_ps(scale), lowest = _mm512_set1_ps(-INFINITY);
    __m512 largest = lowest, sum = _mm512_setzero_ps();
    for (int t = 0; t < tokens; t += 16) {
        const __mmask16 lanes = first_lanes(tokens - t);
        const __m512 x = lanes_read(ELEMENT_FLOAT32, scores, t, lanes);
        const __m512 score =
            bias ? _mm512_fmadd_ps(x, scales, lanes_read(ELEMENT_FLOAT32, bias, t, lanes)) : _mm512_mul_ps(x, scales);
        floats_write(scores + t, score, lanes);
        largest = _mm512_mask_max_ps(largest, lanes, score, largest);
    }
    const __m512 top = _mm512_set1_ps(_mm512_reduce_max_ps(largest));
    for (int t = 0; t < tokens; t += 16) {
        const __mmask16 lanes = first_lanes(tokens - t);
        const __m512 weight = exp_lanes(_mm512_sub_ps(lanes_read(ELEMENT_FLOAT32, scores, t, lanes), top));
        floats_write(scores + t, weight, lanes);
        sum = _mm512_mask_add_ps(sum, lanes, sum, weight);
    }
    return sum_of(sum);
}

/* out[0 .. 16 vectors) = (sum over t of weight[t] v[t]) / sum; of the last vector the lanes `last`. */
ALWAYS_INLINE void mix_block(int vectors, int tokens, const float *weights, float sum, const float *v,
                             ptrdiff_t v_pitch, float *out, __mmask16 last)
{
    __m512 value[4];
    for (int i = 0; i < vectors; i++)
        value[i] = _mm512_setzero_ps();
    for (int t = 0; t < tokens; t++, v += v_pitch) {
        const __m512 weight = _mm512_set1_ps(weights[t]);
        for (int i = 0; i < vectors; i++)
            value[i] = _mm512_fmadd_ps(weight, lanes_read(ELEMENT_FLOAT32, v, 16 * i, last), value[i]);
    }
    for (int i = 0; i < vectors; i++)
        floats_write(out + 16 * i, _mm512_div_ps(value[i], _mm512_set1_ps(sum)), last);
}

static void attention(int rows, int tokens, int head_width, const float *q, ptrdiff_t q_pitch, const float *k,
                      ptrdiff_t k_pitch, const float *v, ptrdiff_t v_pitch, float scale, const float *bias,
                      ptrdiff_t bias_pitch, float *out, ptrdiff_t out_pitch, float *scratch)
{
    for (int r = 0; r < rows; r++, q += q_pitch, out += out_pitch) {
        scores_of(tokens, head_width, q, k, k_pitch, scratch);
        const float sum = weights_of(tokens, scale, bias ? bias + r * bias_pitch : NULL, scratch);
        int c = 0;
        for (; c + 64 <= head_width; c += 64)
            mix_block(4, tokens, scratch, sum, v + c, v_pitch, out + c, ALL_LANES);
        for (; c + 32 <= head_width; c += 32)
            mix_block(2, tokens, scratch, sum, v + c, v_pitch, out + c, ALL_LANES);
        for (; c < head_width; c += 16)
            mix_block(1, tokens, scratch, sum, v + c, v_pitch, out + c, first_lanes(head_width - c));
    }
}

/* ---------------------------------------------------------------- pooling */

/* Channels [first, first + 16 * vectors) of one cell, whose first voxel is element `corner`. vectors: 1 or 4. */
ALWAYS_INLINE void pool_block(element_type type, int vectors, const feature_map *from, const load_rule *rule,
                              int kernel, ptrdiff_t corner, int first, __mmask16 last, float *out)
{
    __m512 scale[4], shift[4];
    const __m512 slope = _mm512_set1_ps(rule ? rule->slope : 0.0f);
    doubles sum[4];
    for (int i = 0; i < vectors; i++) {
        sum[i].low = sum[i].high = _mm512_setzero_pd();
        if (!rule) continue;
        scale[i] = lanes_read(ELEMENT_FLOAT32, rule->scale, first + 16 * i, last);
        shift[i] = lanes_read(ELEMENT_FLOAT32, rule->shift, first + 16 * i, last);
    }
    for (int x = 0; x < kernel; x++)
        for (int y = 0; y < kernel; y++) {
            ptrdiff_t at = corner + x * from->pitch_xyz[0] + y * from->pitch_xyz[1] + first;
            for (int z = 0; z < kernel; z++, at += from->pitch_xyz[2])
                for (int i = 0; i < vectors; i++) {
                    __m512 value = lanes_read(type, from->data, at + 16 * i, last);
                    if (type == ELEMENT_FLOAT32 || i % 2 == 0)
                        fetch(type, from->data, at + 16 * i + from->pitch_xyz[1], false);
                    if (rule) value = rule_lanes(value, scale[i], shift[i], slope);
                    const doubles wide = doubles_of(value);
                    sum[i].low = _mm512_add_pd(sum[i].low, wide.low);
                    sum[i].high = _mm512_add_pd(sum[i].high, wide.high);
                }
        }
    const __m512d voxels = _mm512_set1_pd((double)kernel * kernel * kernel);
    for (int i = 0; i < vectors; i++) {
        const __m256 low = _mm512_cvtpd_ps(_mm512_div_pd(sum[i].low, voxels));
        const __m256 high = _mm512_cvtpd_ps(_mm512_div_pd(sum[i].high, voxels));
        floats_write(out + first + 16 * i, _mm512_insertf32x8(_mm512_castps256_ps512(low), high, 1), last);
    }
}

ALWAYS_INLINE void pool_cell(element_type type, const feature_map *from, const load_rule *rule, int kernel,
                             ptrdiff_t corner, float *out)
{
    int c = 0;
    for (; c + 64 <= from->channels; c += 64)
        pool_block(type, 4, from, rule, kernel, corner, c, ALL_LANES, out);
    for (; c < from->channels; c += 16)
        pool_block(type, 1, from, rule, kernel, corner, c, first_lanes(from->channels - c), out);
}

static void average_pool(const feature_map *from, const load_rule *rule, int kernel, int x_begin, int x_end, float *out,
                         ptrdiff_t out_pitch)
{
    const int ny = from->shape_xyz[1] / kernel, nz = from->shape_xyz[2] / kernel;
    const bool half = from->type == ELEMENT_BFLOAT16, ruled = rule && rule->scale;
    for (int x = x_begin; x < x_end; x++)
        for (int y = 0; y < ny; y++)
            for (int z = 0; z < nz; z++) {
                float *row = out + (((ptrdiff_t)x * ny + y) * nz + z) * out_pitch;
                const ptrdiff_t corner =
                    kernel * (x * from->pitch_xyz[0] + y * from->pitch_xyz[1] + z * from->pitch_xyz[2]);
                if (half && ruled)
                    pool_cell(ELEMENT_BFLOAT16, from, rule, kernel, corner, row);
                else if (half)
                    pool_cell(ELEMENT_BFLOAT16, from, NULL, kernel, corner, row);
                else if (ruled)
                    pool_cell(ELEMENT_FLOAT32, from, rule, kernel, corner, row);
                else
                    pool_cell(ELEMENT_FLOAT32, from, NULL, kernel, corner, row);
            }
}

const row_kernels row_kernels_avx512 = {layer_norm, gelu, sigmoid, attention, average_pool};

#endif
