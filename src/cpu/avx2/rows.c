/* Rows with AVX2. Two registers of eight floats are the sixteen lanes of the twin's sums (plain/rows.c). */
#if defined(__x86_64__)
#include "cpu/avx2/transcendental.h"
#include "cpu/avx2/vector.h"
#include "cpu/levels.h"

/* ---------------------------------------------------------------- activations */

static void gelu(size_t count, const float *x, float *out)
{
    size_t i = 0;
    for (; i + 8 <= count; i += 8)
        _mm256_storeu_ps(out + i, gelu_lanes(_mm256_loadu_ps(x + i)));
    const int rest = (int)(count - i);
    if (rest) some_write(out + i, rest, gelu_lanes(some_read(x + i, rest)));
}

static void sigmoid(size_t count, const float *x, float *out)
{
    size_t i = 0;
    for (; i + 8 <= count; i += 8)
        _mm256_storeu_ps(out + i, sigmoid_lanes(_mm256_loadu_ps(x + i)));
    const int rest = (int)(count - i);
    if (rest) some_write(out + i, rest, sigmoid_lanes(some_read(x + i, rest)));
}

/* ---------------------------------------------------------------- layer norm */

/* Sixteen lanes in four registers: 0 to 3, 4 to 7, 8 to 11, 12 to 15. */
typedef struct doubles {
    __m256d part[4];
} doubles;

ALWAYS_INLINE doubles doubles_of(const float *x, int count)
{
    const __m256 low = some_read(x, count), high = some_read(x + 8, count - 8);
    return (doubles){{_mm256_cvtps_pd(_mm256_castps256_ps128(low)), _mm256_cvtps_pd(_mm256_extractf128_ps(low, 1)),
                      _mm256_cvtps_pd(_mm256_castps256_ps128(high)), _mm256_cvtps_pd(_mm256_extractf128_ps(high, 1))}};
}

ALWAYS_INLINE double doubles_sum(const doubles *x)
{
    const __m256d low = _mm256_add_pd(x->part[0], x->part[2]), high = _mm256_add_pd(x->part[1], x->part[3]);
    const __m256d four = _mm256_add_pd(low, high);
    const __m128d two = _mm_add_pd(_mm256_castpd256_pd128(four), _mm256_extractf128_pd(four, 1));
    return _mm_cvtsd_f64(_mm_add_sd(two, _mm_unpackhi_pd(two, two)));
}

/* x - mean; beyond `count`: 0. */
ALWAYS_INLINE doubles deviations(const float *x, int count, __m256d mean)
{
    doubles d = doubles_of(x, count);
    for (int i = 0; i < 4; i++) {
        d.part[i] = _mm256_sub_pd(d.part[i], mean);
        if (count < 16) {
            const __m256i index = _mm256_add_epi64(_mm256_setr_epi64x(0, 1, 2, 3), _mm256_set1_epi64x(4 * i));
            const __m256i wanted = _mm256_cmpgt_epi64(_mm256_set1_epi64x(count), index);
            d.part[i] = _mm256_and_pd(d.part[i], _mm256_castsi256_pd(wanted));
        }
    }
    return d;
}

ALWAYS_INLINE __m256 narrow(__m256d low, __m256d high)
{
    return _mm256_insertf128_ps(_mm256_castps128_ps256(_mm256_cvtpd_ps(low)), _mm256_cvtpd_ps(high), 1);
}

static void layer_norm_row(int width, const float *x, const float *gain, const float *bias, double epsilon, float *out)
{
    doubles sum = {{_mm256_setzero_pd(), _mm256_setzero_pd(), _mm256_setzero_pd(), _mm256_setzero_pd()}}, square = sum;
    for (int i = 0; i < width; i += 16) {
        const doubles value = doubles_of(x + i, width - i);
        for (int l = 0; l < 4; l++)
            sum.part[l] = _mm256_add_pd(sum.part[l], value.part[l]);
    }
    const __m256d mean = _mm256_set1_pd(doubles_sum(&sum) / width);
    for (int i = 0; i < width; i += 16) {
        const doubles d = deviations(x + i, width - i, mean);
        for (int l = 0; l < 4; l++)
            square.part[l] = _mm256_add_pd(square.part[l], _mm256_mul_pd(d.part[l], d.part[l]));
    }
    const __m256d scale =
        _mm256_div_pd(_mm256_set1_pd(1.0), _mm256_sqrt_pd(_mm256_set1_pd(doubles_sum(&square) / width + epsilon)));
    for (int i = 0; i < width; i += 16) {
        const doubles d = deviations(x + i, width - i, mean);
        for (int half = 0; half < 2 && width - i > 8 * half; half++) {
            const int at = i + 8 * half, count = width - at;
            const __m256 normal =
                narrow(_mm256_mul_pd(d.part[2 * half], scale), _mm256_mul_pd(d.part[2 * half + 1], scale));
            some_write(out + at, count,
                       _mm256_fmadd_ps(normal, some_read(gain + at, count), some_read(bias + at, count)));
        }
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
ALWAYS_INLINE __m128 sum_to_four(__m256 low, __m256 high)
{
    const __m256 eight = _mm256_add_ps(low, high);
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

ALWAYS_INLINE __m128 products(int width, const float *a, const float *b)
{
    __m256 low = _mm256_setzero_ps(), high = low;
    int i = 0;
    for (; i + 16 <= width; i += 16) {
        low = _mm256_fmadd_ps(_mm256_loadu_ps(a + i), _mm256_loadu_ps(b + i), low);
        high = _mm256_fmadd_ps(_mm256_loadu_ps(a + i + 8), _mm256_loadu_ps(b + i + 8), high);
    }
    if (i < width) {
        low = _mm256_fmadd_ps(some_read(a + i, width - i), some_read(b + i, width - i), low);
        high = _mm256_fmadd_ps(some_read(a + i + 8, width - i - 8), some_read(b + i + 8, width - i - 8), high);
    }
    return sum_to_four(low, high);
}

/* scores[t] = q . k[t], four keys at a time. */
static void scores_of(int tokens, int width, const float *q, const float *k, ptrdiff_t k_pitch, float *scores)
{
    for (int t = 0; t < tokens; t += 4) {
        __m128 four[4];
        for (int i = 0; i < 4; i++) /* beyond the end: the last key once more */
            four[i] = products(width, q, k + (t + i < tokens ? t + i : tokens - 1) * k_pitch);
        _mm_maskstore_ps(scores + t, _mm256_castsi256_si128(first_lanes(tokens - t)), sums_of_four(four));
    }
}

/* Eight lanes to their largest; none is not-a-number. */
ALWAYS_INLINE float largest_of(__m256 x)
{
    __m128 y = _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    y = _mm_max_ps(y, _mm_movehl_ps(y, y));
    return _mm_cvtss_f32(_mm_max_ss(y, _mm_movehdup_ps(y)));
}

/* Scores to weights; returns their sum. */
static float weights_of(int tokens, float scale, const float *bias, float *scores)
{
    const __m256 scales = _mm256_set1_ps(scale), lowest = _mm256_set1_ps(-INFINITY);
    __m256 largest = lowest, sum[2] = {_mm256_setzero_ps(), _mm256_setzero_ps()};
    for (int t = 0; t < tokens; t += 8) {
        const int count = tokens - t;
        const __m256 x = some_read(scores + t, count);
        const __m256 score = bias ? _mm256_fmadd_ps(x, scales, some_read(bias + t, count)) : _mm256_mul_ps(x, scales);
        some_write(scores + t, count, score);
        const __m256 lanes = _mm256_castsi256_ps(first_lanes(count));
        largest = _mm256_max_ps(_mm256_blendv_ps(lowest, score, lanes), largest);
    }
    const __m256 top = _mm256_set1_ps(largest_of(largest));
    for (int t = 0; t < tokens; t += 8) {
        const int count = tokens - t;
        const __m256 weight = exp_lanes(_mm256_sub_ps(some_read(scores + t, count), top));
        const __m256 lanes = _mm256_castsi256_ps(first_lanes(count));
        some_write(scores + t, count, weight);
        sum[t / 8 % 2] = _mm256_add_ps(sum[t / 8 % 2], _mm256_and_ps(weight, lanes));
    }
    const __m128 four[4] = {sum_to_four(sum[0], sum[1]), _mm_setzero_ps(), _mm_setzero_ps(), _mm_setzero_ps()};
    return _mm_cvtss_f32(sums_of_four(four));
}

/* out[0 .. 8 vectors) = (sum over t of weight[t] v[t]) / sum; one vector: only `count` lanes. */
ALWAYS_INLINE void mix_block(int vectors, int tokens, const float *weights, float sum, const float *v,
                             ptrdiff_t v_pitch, float *out, int count)
{
    __m256 value[4];
    for (int i = 0; i < vectors; i++)
        value[i] = _mm256_setzero_ps();
    for (int t = 0; t < tokens; t++, v += v_pitch) {
        const __m256 weight = _mm256_set1_ps(weights[t]);
        for (int i = 0; i < vectors; i++)
            value[i] = _mm256_fmadd_ps(weight, some_read(v + 8 * i, count), value[i]);
    }
    for (int i = 0; i < vectors; i++)
        some_write(out + 8 * i, count, _mm256_div_ps(value[i], _mm256_set1_ps(sum)));
}

static void attention(int rows, int tokens, int head_width, const float *q, ptrdiff_t q_pitch, const float *k,
                      ptrdiff_t k_pitch, const float *v, ptrdiff_t v_pitch, float scale, const float *bias,
                      ptrdiff_t bias_pitch, float *out, ptrdiff_t out_pitch, float *scratch)
{
    for (int r = 0; r < rows; r++, q += q_pitch, out += out_pitch) {
        scores_of(tokens, head_width, q, k, k_pitch, scratch);
        const float sum = weights_of(tokens, scale, bias ? bias + r * bias_pitch : NULL, scratch);
        int c = 0;
        for (; c + 32 <= head_width; c += 32)
            mix_block(4, tokens, scratch, sum, v + c, v_pitch, out + c, 8);
        for (; c + 8 <= head_width; c += 8)
            mix_block(1, tokens, scratch, sum, v + c, v_pitch, out + c, 8);
        if (c < head_width) mix_block(1, tokens, scratch, sum, v + c, v_pitch, out + c, head_width - c);
    }
}

/* ---------------------------------------------------------------- pooling */

/* Channels [first, first + 8 * vectors) of one cell, whose first voxel is element `corner`. vectors: 1 or 2. */
ALWAYS_INLINE void pool_block(element_type type, int vectors, const feature_map *from, const load_rule *rule,
                              int kernel, ptrdiff_t corner, int first, float *out)
{
    __m256 scale[2], shift[2];
    const __m256 slope = _mm256_set1_ps(rule ? rule->slope : 0.0f);
    __m256d low[2], high[2];
    for (int i = 0; i < vectors; i++) {
        low[i] = high[i] = _mm256_setzero_pd();
        if (!rule) continue;
        scale[i] = _mm256_loadu_ps(rule->scale + first + 8 * i);
        shift[i] = _mm256_loadu_ps(rule->shift + first + 8 * i);
    }
    for (int x = 0; x < kernel; x++)
        for (int y = 0; y < kernel; y++) {
            ptrdiff_t at = corner + x * from->pitch_xyz[0] + y * from->pitch_xyz[1] + first;
            for (int z = 0; z < kernel; z++, at += from->pitch_xyz[2]) {
                fetch(type, from->data, at + from->pitch_xyz[1], false);
                for (int i = 0; i < vectors; i++) {
                    __m256 value = eight_read(type, from->data, at + 8 * i);
                    if (rule) value = rule_lanes(value, scale[i], shift[i], slope);
                    low[i] = _mm256_add_pd(low[i], _mm256_cvtps_pd(_mm256_castps256_ps128(value)));
                    high[i] = _mm256_add_pd(high[i], _mm256_cvtps_pd(_mm256_extractf128_ps(value, 1)));
                }
            }
        }
    const __m256d voxels = _mm256_set1_pd((double)kernel * kernel * kernel);
    for (int i = 0; i < vectors; i++)
        _mm256_storeu_ps(out + first + 8 * i, narrow(_mm256_div_pd(low[i], voxels), _mm256_div_pd(high[i], voxels)));
}

ALWAYS_INLINE void pool_cell(element_type type, const feature_map *from, const load_rule *rule, int kernel,
                             ptrdiff_t corner, float *out)
{
    int c = 0;
    for (; c + 16 <= from->channels; c += 16)
        pool_block(type, 2, from, rule, kernel, corner, c, out);
    for (; c + 8 <= from->channels; c += 8)
        pool_block(type, 1, from, rule, kernel, corner, c, out);
}

/* The channels beyond the last eight, as a map of their own, by the twin: few, in small networks only. */
static void pool_rest(const feature_map *from, const load_rule *rule, int kernel, int x_begin, int x_end, float *out,
                      ptrdiff_t out_pitch)
{
    const int first = from->channels / 8 * 8;
    if (first == from->channels) return;
    feature_map rest = *from;
    rest.data = (char *)from->data + (size_t)first * element_bytes(from->type);
    rest.channels -= first;
    load_rule rest_rule = {0};
    if (rule && rule->scale) rest_rule = (load_rule){rule->scale + first, rule->shift + first, rule->slope};
    row_kernels_plain.average_pool(&rest, &rest_rule, kernel, x_begin, x_end, out + first, out_pitch);
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
    pool_rest(from, rule, kernel, x_begin, x_end, out, out_pitch);
}

const row_kernels row_kernels_avx2 = {layer_norm, gelu, sigmoid, attention, average_pool};

#endif
