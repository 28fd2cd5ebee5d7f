/* Row kernels: the definitions by hand and against double precision, every level of this machine against the
 * definitions, bit for bit. */
#include "tests/support/cmocka.h"
#include "tests/support/golden.h"
#include "tests/support/kernels.h"

#include "cpu/rows.h"
#include "cpu/transcendental.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static row_kernels kernels(processor_level level) { return row_kernels_for(level); }

static float *random_floats(size_t count, uint64_t key)
{
    float *x = malloc((count + 1) * sizeof *x);
    assert_non_null(x);
    random_fill(x, count, key);
    return x;
}

/* ---------------------------------------------------------------- exp, sigmoid, GELU */

static double exact_sigmoid(double x) { return x < 0 ? exp(x) / (1 + exp(x)) : 1 / (1 + exp(-x)); }
static double exact_gelu(double x) { return x * 0.5 * erfc(-x * 0.70710678118654752440); }

typedef struct errors {
    double relative, absolute; /* relative: where the truth is no subnormal */
} errors;

/* The largest errors over every float below `limit` in magnitude whose bits are a multiple of 499: all exponents, both
 * signs, 16,000 fractions each. */
static errors errors_of(float (*f)(float), double (*truth)(double), double limit)
{
    errors largest = {0, 0};
    for (uint64_t bits = 0; bits <= UINT32_MAX; bits += 499) {
        const float x = float_from_bits((uint32_t)bits);
        if (!(fabs((double)x) < limit)) continue;
        const double t = truth((double)x), e = fabs((double)f(x) - t);
        largest.absolute = fmax(largest.absolute, e);
        if (fabs(t) >= (double)FLT_MIN) largest.relative = fmax(largest.relative, e / fabs(t));
    }
    return largest;
}

static void functions_keep_their_bounds(void **state)
{
    (void)state;
    const errors e = errors_of(exp_float, exp, 88.72), s = errors_of(sigmoid_float, exact_sigmoid, INFINITY),
                 g = errors_of(gelu_float, exact_gelu, INFINITY), near = errors_of(gelu_float, exact_gelu, 8);
    printf("largest relative errors: exp %.2g, sigmoid %.2g (absolute %.2g), gelu %.2g (absolute below 8: %.2g)\n",
           e.relative, s.relative, s.absolute, g.relative, near.absolute);
    assert_true(e.relative <= 1e-7);
    assert_true(s.relative <= 2.5e-7 && s.absolute <= 1e-7);
    assert_true(g.relative <= 8e-7 && near.absolute <= 2.5e-7);
}

/* All levels on the same values, the bits of the scalar functions; odd counts, in place. */
static void activations_equal_the_twin(void **state)
{
    (void)state;
    for (size_t count = 0; count < 3000; count += 1 + count / 3) {
        float *x = random_floats(count, count), *expected = random_floats(count, 0);
        for (size_t i = 0; i < count; i++)
            x[i] = i % 2 ? awkward_value(count, i) : x[i] * 100;
        for (int sigmoid = 0; sigmoid < 2; sigmoid++) {
            for (size_t i = 0; i < count; i++)
                expected[i] = sigmoid ? sigmoid_float(x[i]) : gelu_float(x[i]);
            for (processor_level level = PROCESSOR_PLAIN; level <= processor_best(); level++) {
                const row_kernels k = kernels(level);
                guarded out = guarded_make(count * sizeof *x), same = guarded_make(count * sizeof *x);
                memcpy(same.data, x, count * sizeof *x);
                (sigmoid ? k.sigmoid : k.gelu)(count, x, (float *)(void *)out.data);
                (sigmoid ? k.sigmoid : k.gelu)(count, (float *)(void *)same.data, (float *)(void *)same.data);
                assert_same_values(ELEMENT_FLOAT32, expected, out.data, count);
                assert_same_values(ELEMENT_FLOAT32, expected, same.data, count);
                guarded_free(&out);
                guarded_free(&same);
            }
        }
        free(x);
        free(expected);
    }
}

static float sigmoid_at(processor_level level, float x)
{
    float y;
    kernels(level).sigmoid(1, &x, &y);
    return y;
}

static float gelu_at(processor_level level, float x)
{
    float y;
    kernels(level).gelu(1, &x, &y);
    return y;
}

static void activations_at_the_ends(void **state)
{
    (void)state;
    for (processor_level level = PROCESSOR_PLAIN; level <= processor_best(); level++) {
        assert_true(sigmoid_at(level, 0.0f) == 0.5f && sigmoid_at(level, -0.0f) == 0.5f);
        assert_true(sigmoid_at(level, INFINITY) == 1 && sigmoid_at(level, FLT_MAX) == 1);
        assert_true(sigmoid_at(level, -INFINITY) == 0 && sigmoid_at(level, -FLT_MAX) == 0);
        assert_true(sigmoid_at(level, -100.0f) > 0 && sigmoid_at(level, -100.0f) < 1e-43f); /* subnormal, not lost */
        assert_true(isnan(sigmoid_at(level, NAN)) && isnan(gelu_at(level, NAN)));
        assert_true(gelu_at(level, 0.0f) == 0 && gelu_at(level, -15.0f) == 0);
        assert_true(gelu_at(level, -FLT_MAX) == 0 && gelu_at(level, -INFINITY) == 0);
        assert_true(gelu_at(level, 15.0f) == 15 && gelu_at(level, FLT_MAX) == FLT_MAX);
        assert_true(gelu_at(level, INFINITY) == INFINITY);
    }
}

/* A mask is where the probability exceeds one half: the sign of a logit must decide, and more logit must never be
 * less probability. Every float from 2^-26 to 2^-18 and back to its negative, then coarser up to 30. */
static void sigmoid_is_monotone_and_sees_the_sign(void **state)
{
    (void)state;
    enum { BLOCK = 4096 };
    const row_kernels k = kernels(processor_best());
    float x[BLOCK], y[BLOCK], mirrored[BLOCK], last = 0.5f, last_mirrored = 0.5f;
    uint32_t bits = 0x32800000; /* 2^-26 */
    while (bits < 0x41f00000) {
        for (int i = 0; i < BLOCK; i++, bits += bits < 0x36800000 /* 2^-18 */ ? 1 : 13)
            x[i] = float_from_bits(bits);
        k.sigmoid(BLOCK, x, y);
        for (int i = 0; i < BLOCK; i++)
            x[i] = -x[i];
        k.sigmoid(BLOCK, x, mirrored);
        for (int i = 0; i < BLOCK; i++) {
            if (y[i] < last || mirrored[i] > last_mirrored) fail_msg("not monotone at %a", (double)x[i]);
            if ((float)exact_sigmoid(-(double)x[i]) > 0.5f && !(y[i] > 0.5f))
                fail_msg("sign lost at %a", (double)-x[i]);
            if ((float)exact_sigmoid((double)x[i]) < 0.5f && !(mirrored[i] < 0.5f))
                fail_msg("sign lost at %a", (double)x[i]);
            last = y[i];
            last_mirrored = mirrored[i];
        }
    }
}

/* ---------------------------------------------------------------- layer norm */

static void layer_norm_by_hand(void **state)
{
    (void)state;
    const float x[] = {1, 2, 3, 6}, gain[] = {1, 1, 2, 1}, bias[] = {0, 10, 0, 0}; /* mean 3, variance 3.5 */
    for (processor_level level = PROCESSOR_PLAIN; level <= processor_best(); level++) {
        float out[4];
        kernels(level).layer_norm(1, 4, x, gain, bias, 0.5f, out);
        assert_true(out[0] == -1 && out[1] == 9.5f && out[2] == 0 && out[3] == 1.5f);
    }
}

static void layer_norm_equals_the_twin(void **state)
{
    (void)state;
    for (int width = 1; width < 1700; width += 1 + width / 9) {
        enum { ROWS = 3 };
        const size_t n = (size_t)width, bytes = ROWS * n * sizeof(float);
        float *x = random_floats(ROWS * n, n), *gain = random_floats(n, n + 1), *bias = random_floats(n, n + 2);
        for (size_t i = 0; i < n; i++)
            x[2 * n + i] += 1000; /* where a sum of squares in float32 would cancel */
        float *expected = random_floats(ROWS * n, 0);
        kernels(PROCESSOR_PLAIN).layer_norm(ROWS, width, x, gain, bias, 1e-5f, expected);
        for (int r = 0; r < ROWS; r++) {
            double sum = 0, square = 0;
            for (size_t i = 0; i < n; i++)
                sum += (double)x[(size_t)r * n + i];
            for (size_t i = 0; i < n; i++)
                square += pow((double)x[(size_t)r * n + i] - sum / width, 2);
            for (size_t i = 0; i < n; i++) {
                const double normal = ((double)x[(size_t)r * n + i] - sum / width) / sqrt(square / width + 1e-5);
                assert_true(fabs(normal * (double)gain[i] + (double)bias[i] - (double)expected[(size_t)r * n + i]) <=
                            1e-6);
            }
        }
        for (processor_level level = PROCESSOR_AVX2; level <= processor_best(); level++) {
            guarded out = guarded_make(bytes), same = guarded_make(bytes);
            memcpy(same.data, x, bytes);
            kernels(level).layer_norm(ROWS, width, x, gain, bias, 1e-5f, (float *)(void *)out.data);
            kernels(level).layer_norm(ROWS, width, (float *)(void *)same.data, gain, bias, 1e-5f,
                                      (float *)(void *)same.data);
            assert_memory_equal(expected, out.data, bytes);
            assert_memory_equal(expected, same.data, bytes);
            guarded_free(&out);
            guarded_free(&same);
        }
        free(x);
        free(gain);
        free(bias);
        free(expected);
    }
}

/* ---------------------------------------------------------------- attention */

/* One head among others: rows of pitch `width + gap`. */
typedef struct attention_case {
    int rows, tokens, width;
    ptrdiff_t pitch;
    float *q, *k, *v, *bias, *out; /* bias: [rows][tokens] */
    float scale;
} attention_case;

static attention_case attention_make(int rows, int tokens, int width, uint64_t key)
{
    attention_case c = {.rows = rows, .tokens = tokens, .width = width, .pitch = width + random_int(9, key, 0)};
    const size_t pitch = (size_t)c.pitch;
    c.q = random_floats((size_t)rows * pitch, key + 1);
    c.k = random_floats((size_t)tokens * pitch, key + 2);
    c.v = random_floats((size_t)tokens * pitch, key + 3);
    c.bias = random_floats((size_t)(rows * tokens), key + 4);
    c.out = random_floats((size_t)rows * pitch, 0);
    c.scale = (float)(5 / sqrt(width));
    for (int i = 0; i < rows * tokens; i++)
        if (random_int(4, key, 100 + (uint64_t)i) == 0) c.bias[i] = -FLT_MAX; /* masked */
    for (int r = 0; r < rows; r++)
        c.bias[r * tokens + random_int(tokens, key, 50 + (uint64_t)r)] = 1; /* but never all of a row */
    return c;
}

static void attention_free(attention_case *c)
{
    free(c->q);
    free(c->k);
    free(c->v);
    free(c->bias);
    free(c->out);
}

static void attention_by(processor_level level, const attention_case *c, const float *bias, ptrdiff_t bias_pitch,
                         float *out)
{
    guarded scratch = guarded_make((size_t)c->tokens * sizeof(float));
    kernels(level).attention(c->rows, c->tokens, c->width, c->q, c->pitch, c->k, c->pitch, c->v, c->pitch, c->scale,
                             bias, bias_pitch, out, c->pitch, (float *)(void *)scratch.data);
    guarded_free(&scratch);
}

static double attention_error(const attention_case *c, const float *bias, ptrdiff_t bias_pitch)
{
    double largest = 0, *score = malloc((size_t)c->tokens * sizeof *score);
    assert_non_null(score);
    for (int r = 0; r < c->rows; r++) {
        double top = -INFINITY, sum = 0;
        for (int t = 0; t < c->tokens; t++) {
            double product = 0;
            for (int i = 0; i < c->width; i++)
                product += (double)c->q[r * c->pitch + i] * (double)c->k[t * c->pitch + i];
            score[t] = product * (double)c->scale + (bias ? (double)bias[r * bias_pitch + t] : 0);
            top = fmax(top, score[t]);
        }
        for (int t = 0; t < c->tokens; t++)
            sum += score[t] = exp(score[t] - top);
        for (int i = 0; i < c->width; i++) {
            double value = 0;
            for (int t = 0; t < c->tokens; t++)
                value += score[t] / sum * (double)c->v[t * c->pitch + i];
            largest = fmax(largest, fabs(value - (double)c->out[r * c->pitch + i]));
        }
    }
    free(score);
    return largest;
}

static void attention_is_the_formula_at_every_level(void **state)
{
    (void)state;
    const int widths[] = {1, 4, 7, 8, 12, 16, 23, 32, 64, 96, 100, 131};
    for (uint64_t key = 0; key < 120; key++) {
        attention_case c = attention_make(1 + random_int(4, key, 7), 1 + random_int(key % 10 ? 40 : 300, key, 8),
                                          widths[key % 12], 10 * key);
        const int kind = (int)(key / 12 % 3); /* no bias, one row for all, a row each */
        const float *bias = kind ? c.bias : NULL;
        const ptrdiff_t bias_pitch = kind == 2 ? c.tokens : 0;
        attention_by(PROCESSOR_PLAIN, &c, bias, bias_pitch, c.out);
        assert_true(attention_error(&c, bias, bias_pitch) <= 3e-6);
        for (processor_level level = PROCESSOR_AVX2; level <= processor_best(); level++) {
            guarded out = guarded_make((size_t)(c.rows * c.pitch) * sizeof(float));
            attention_by(level, &c, bias, bias_pitch, (float *)(void *)out.data);
            for (int r = 0; r < c.rows; r++) {
                const unsigned char *row = out.data + (size_t)(r * c.pitch) * sizeof(float);
                assert_memory_equal(c.out + r * c.pitch, row, (size_t)c.width * sizeof(float));
                for (size_t i = (size_t)c.width * sizeof(float); i < (size_t)c.pitch * sizeof(float); i++)
                    assert_int_equal(row[i], GUARD_BYTE); /* the neighbouring head's */
            }
            guarded_free(&out);
        }
        attention_free(&c);
    }
}

/* Values of masked keys may be anything that is finite, even huge: their weight is 0, not merely small. */
static void masked_keys_have_no_weight(void **state)
{
    (void)state;
    for (processor_level level = PROCESSOR_PLAIN; level <= processor_best(); level++) {
        const float q[] = {1, 2}, k[] = {1, 1, 50, 50, 1, 1}, v[] = {3, 4, FLT_MAX, -FLT_MAX, 5, 6};
        const float bias[] = {0, -FLT_MAX, 0}, all[] = {-FLT_MAX, -FLT_MAX, -FLT_MAX};
        float out[2], scratch[3];
        kernels(level).attention(1, 3, 2, q, 2, k, 2, v, 2, 1, bias, 3, out, 2, scratch);
        assert_true(out[0] == 4 && out[1] == 5);
        kernels(level).attention(1, 2, 2, q, 2, k, 2, k, 2, 1, all, 3, out, 2, scratch); /* nothing to prefer */
        assert_true(out[0] == 25.5f && out[1] == 25.5f);
    }
}

static void a_row_does_not_see_its_neighbours(void **state)
{
    (void)state;
    attention_case c = attention_make(7, 29, 20, 1);
    for (processor_level level = PROCESSOR_PLAIN; level <= processor_best(); level++) {
        attention_by(level, &c, c.bias, c.tokens, c.out);
        for (int r = 0; r < c.rows; r++) {
            float alone[64];
            attention_case one = c;
            one.rows = 1;
            one.q += r * c.pitch;
            attention_by(level, &one, c.bias + r * c.tokens, 0, alone);
            assert_memory_equal(alone, c.out + r * c.pitch, 20 * sizeof(float));
        }
    }
    attention_free(&c);
}

/* ---------------------------------------------------------------- pooling */

static void pooling_by_hand(void **state)
{
    (void)state;
    float x[2 * 2 * 5]; /* one channel, 2 x 2 x 5: two cells, the last plane is left over */
    for (int i = 0; i < 20; i++)
        x[i] = (float)i - 10;
    const float scale[] = {1}, shift[] = {0};
    const load_rule rule = {scale, shift, 0.5f};
    const feature_map map = feature_map_dense(x, ELEMENT_FLOAT32, (const int[]){2, 2, 5}, 1);
    for (processor_level level = PROCESSOR_PLAIN; level <= processor_best(); level++) {
        float out[2];
        kernels(level).average_pool(&map, NULL, 2, 0, 1, out, 1);
        assert_true(out[0] == -2 && out[1] == 0); /* mean of -10 -9 -5 -4 0 1 5 6; two more each */
        kernels(level).average_pool(&map, &rule, 2, 0, 1, out, 1);
        assert_true(out[0] == -0.25f);
    }
}

static void pooling_equals_the_twin(void **state)
{
    (void)state;
    const int channel_counts[] = {1, 3, 8, 12, 16, 18, 20, 33, 64, 72, 131};
    for (uint64_t key = 0; key < 176; key++) {
        const element_type type = key % 2 ? ELEMENT_BFLOAT16 : ELEMENT_FLOAT32;
        size_t elements;
        feature_map map = random_map(type, channel_counts[key / 2 % 11], key, &elements);
        float *tame = random_floats(elements, key); /* sums that are numbers */
        if (key % 5) elements_from_float(type, tame, elements, map.data);
        load_rule rule = random_rule(map.channels, key);
        const load_rule *used = key / 22 % 2 ? &rule : NULL;
        const int kernel = 1 + random_int(3, key, 8), nx = map.shape_xyz[0] / kernel;
        const int cells = nx * (map.shape_xyz[1] / kernel) * (map.shape_xyz[2] / kernel);
        const int x_begin = random_int(nx + 1, key, 9), x_end = x_begin + random_int(nx - x_begin + 1, key, 10);
        const ptrdiff_t pitch = map.channels + random_int(5, key, 11);
        guarded expected = guarded_make((size_t)(cells * pitch) * sizeof(float));
        kernels(PROCESSOR_PLAIN)
            .average_pool(&map, used, kernel, x_begin, x_end, (float *)(void *)expected.data, pitch);
        for (processor_level level = PROCESSOR_AVX2; level <= processor_best(); level++) {
            guarded actual = guarded_make(expected.bytes);
            kernels(level).average_pool(&map, used, kernel, x_begin, x_end, (float *)(void *)actual.data, pitch);
            assert_same_values(ELEMENT_FLOAT32, expected.data, actual.data, (size_t)(cells * pitch));
            guarded_free(&actual);
        }
        guarded_free(&expected);
        rule_free(&rule);
        free(tame);
        free(map.data);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(functions_keep_their_bounds),
        cmocka_unit_test(activations_equal_the_twin),
        cmocka_unit_test(activations_at_the_ends),
        cmocka_unit_test(sigmoid_is_monotone_and_sees_the_sign),
        cmocka_unit_test(layer_norm_by_hand),
        cmocka_unit_test(layer_norm_equals_the_twin),
        cmocka_unit_test(attention_is_the_formula_at_every_level),
        cmocka_unit_test(masked_keys_have_no_weight),
        cmocka_unit_test(a_row_does_not_see_its_neighbours),
        cmocka_unit_test(pooling_by_hand),
        cmocka_unit_test(pooling_equals_the_twin),
    };
    printf("levels of this machine: plain to %s\n", processor_level_name(processor_best()));
    return cmocka_run_group_tests_name("cpu/rows", tests, NULL, NULL);
}
