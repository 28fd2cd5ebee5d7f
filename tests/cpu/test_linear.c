#include "tests/support/cmocka.h"
#include "tests/support/golden.h"

#include "cpu/linear.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define CANARY (-7.25e30f)

/* Values rounded to `type`, as float32 in `plain` and as they would lie in a file in `stored`; the caller frees both. */
static void weights_make(element_type type, size_t count, uint64_t key, float **plain, void **stored)
{
    *plain = malloc(count * sizeof(float));
    *stored = malloc(count * element_bytes(type) + 64);
    random_fill(*plain, count, key);
    elements_from_float(type, *plain, count, *stored);
    elements_to_float(type, *stored, count, *plain);
}

static void run(int rows, int inner, int columns, element_type type, int threads, processor_level level, const float *x,
                ptrdiff_t x_pitch, const void *weights, const float *bias, activation act, const float *residual,
                float *out, ptrdiff_t out_pitch)
{
    sat_error error = {0};
    linear *l;
    if (linear_make(inner, columns, type, threads, level, &l, &error) != SAT_OK) fail_msg("%s", error.message);
    const size_t bytes = linear_scratch_bytes(l, rows);
    void *scratch = aligned_alloc(64, bytes);
    memset(scratch, 0xff, bytes);
    if (linear_run(l, rows, x, x_pitch, weights, bias, act, residual, out, out_pitch, scratch, &error) != SAT_OK)
        fail_msg("%s", error.message);
    free(scratch);
    linear_free(l);
}

static void odd_shapes_agree_with_the_twin(void **state)
{
    (void)state;
    static const int widths[] = {1, 3, 20, 48, 63, 64, 65, 96, 130, 256, 700};
    const int some = sizeof widths / sizeof *widths;
    double worst[2] = {0, 0};
    for (uint64_t key = 0; key < 60; key++) {
        const int rows = 1 + (int)random_below(80, key, 0), inner = widths[random_below((uint64_t)some, key, 1)];
        const int columns = widths[random_below((uint64_t)some, key, 2)], type = (int)(key % 2);
        const activation act = (activation)(key % 3);
        const ptrdiff_t x_pitch = inner + (ptrdiff_t)random_below(3, key, 3), out_pitch = columns + (ptrdiff_t)random_below(3, key, 4);
        const bool with_bias = random_below(3, key, 5) > 0, with_residual = random_below(2, key, 6) > 0;
        float *weights, *x = malloc((size_t)(rows * x_pitch) * sizeof *x), *bias = malloc((size_t)columns * sizeof *bias);
        void *stored;
        weights_make(type ? ELEMENT_BFLOAT16 : ELEMENT_FLOAT32, (size_t)inner * (size_t)columns, key, &weights, &stored);
        random_fill(x, (size_t)(rows * x_pitch), key + 1);
        random_fill(bias, (size_t)columns, key + 2);
        for (ptrdiff_t i = 0; type && i < rows * x_pitch; i++) x[i] = bfloat16_to_float(bfloat16_from_float(x[i]));
        const size_t count = (size_t)(rows * out_pitch);
        float *residual = malloc(count * sizeof *residual), *expected = malloc(count * sizeof *expected),
              *out = malloc((count + 16) * sizeof *out);
        random_fill(residual, count, key + 3);
        for (size_t i = 0; i < count + 16; i++) out[i] = CANARY;
        memcpy(expected, out, count * sizeof *expected);
        linear_plain(rows, inner, columns, x, x_pitch, weights, with_bias ? bias : NULL, act, with_residual ? residual : NULL,
                     expected, out_pitch);
        /* residual may be out itself */
        const bool in_place = with_residual && key % 4 < 2;
        if (in_place)
            for (int r = 0; r < rows; r++)
                memcpy(out + r * out_pitch, residual + r * out_pitch, (size_t)columns * sizeof *out);
        run(rows, inner, columns, type ? ELEMENT_BFLOAT16 : ELEMENT_FLOAT32, 2, key % 5 ? processor_best() : PROCESSOR_PLAIN, x,
            x_pitch, stored, with_bias ? bias : NULL, act, in_place ? out : with_residual ? residual : NULL, out, out_pitch);
        double e = 0, norm = 0;
        for (int r = 0; r < rows; r++) {
            for (int c = 0; c < columns; c++) {
                const double d = out[r * out_pitch + c] - expected[r * out_pitch + c];
                e += d * d;
                norm += (double)expected[r * out_pitch + c] * expected[r * out_pitch + c];
            }
            for (ptrdiff_t c = columns; c < out_pitch; c++) assert_true(out[r * out_pitch + c] == CANARY);
        }
        for (size_t i = count; i < count + 16; i++) assert_true(out[i] == CANARY);
        e = norm > 0 ? sqrt(e / norm) : sqrt(e);
        if (!(e <= 1e-6)) fail_msg("%d x %d x %d, activation %d, type %d: error %g", rows, inner, columns, act, type, e);
        worst[type] = e > worst[type] ? e : worst[type];
        free(weights), free(stored), free(x), free(bias), free(residual), free(expected), free(out);
    }
    print_message("    relative L2 error at most %.2g in float32, %.2g in bfloat16 (of rounded operands)\n", worst[0], worst[1]);
}

/* A row alone, among others, at any place, with any number of threads: the same bits. */
static void rows_do_not_see_each_other(void **state)
{
    (void)state;
    enum { ROWS = 70 };
    const int shapes[][2] = {{48, 40}, {100, 130}, {768, 96}};
    for (int type = 0; type < 2; type++)
        for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
            const int inner = shapes[s][0], columns = shapes[s][1];
            const element_type stored_type = type ? ELEMENT_BFLOAT16 : ELEMENT_FLOAT32;
            float *weights, *x = malloc((size_t)(ROWS * inner) * sizeof *x), *bias = malloc((size_t)columns * sizeof *bias);
            float *alone = malloc((size_t)(ROWS * columns) * sizeof *alone), *out = malloc((size_t)(ROWS * columns) * sizeof *out);
            float *residual = malloc((size_t)(ROWS * columns) * sizeof *residual);
            void *stored;
            weights_make(stored_type, (size_t)inner * (size_t)columns, 5, &weights, &stored);
            random_fill(x, (size_t)(ROWS * inner), 6);
            random_fill(bias, (size_t)columns, 7);
            random_fill(residual, (size_t)(ROWS * columns), 8);
            for (int r = 0; r < ROWS; r++)
                run(1, inner, columns, stored_type, 1, processor_best(), x + r * inner, inner, stored, bias, ACTIVATION_GELU,
                    residual + r * columns, alone + r * columns, columns);
            for (int rows = 1; rows <= ROWS; rows++) {
                const int threads = rows % 3 == 0 ? 1 : rows % 3 == 1 ? 2 : 7;
                run(rows, inner, columns, stored_type, threads, processor_best(), x, inner, stored, bias, ACTIVATION_GELU,
                    residual, out, columns);
                assert_memory_equal(out, alone, (size_t)(rows * columns) * sizeof *out);
            }
            free(residual);
            free(weights), free(stored), free(x), free(bias), free(alone), free(out);
        }
}

static void by_hand(void **state)
{
    (void)state;
    const float x[] = {1, 2, 3}, weights[] = {1, 0, 1, -1, -1, 0}, bias[] = {0.5f, 1};
    float out[2];
    run(1, 3, 2, ELEMENT_FLOAT32, 1, PROCESSOR_PLAIN, x, 3, weights, bias, ACTIVATION_RELU, NULL, out, 2);
    assert_true(out[0] == 4.5f && out[1] == 0);
    run(1, 3, 2, ELEMENT_FLOAT32, 1, PROCESSOR_PLAIN, x, 3, weights, NULL, ACTIVATION_NONE, x, out, 2);
    assert_true(out[0] == 5 && out[1] == -1);
}

static void no_rows_are_no_work(void **state)
{
    (void)state;
    float out = CANARY;
    const float weights[64] = {0};
    run(0, 8, 8, ELEMENT_FLOAT32, 2, PROCESSOR_PLAIN, NULL, 8, weights, NULL, ACTIVATION_NONE, NULL, &out, 8);
    assert_true(out == CANARY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_hand),
        cmocka_unit_test(odd_shapes_agree_with_the_twin),
        cmocka_unit_test(rows_do_not_see_each_other),
        cmocka_unit_test(no_rows_are_no_work),
    };
    return cmocka_run_group_tests_name("cpu/linear", tests, NULL, NULL);
}
