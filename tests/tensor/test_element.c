/* Conversions between element types: every half there is, and the roundings that go wrong first. */
#include "tests/support/cmocka.h"

#include "tensor/element.h"

#include <math.h>
#include <stdlib.h>

/* The standard's definition: sign, five bits of exponent, ten of fraction. */
static float half_by_definition(unsigned bits)
{
    const int exponent = (int)(bits >> 10 & 31), fraction = (int)(bits & 1023);
    const float sign = bits >> 15 ? -1.0f : 1.0f;
    if (exponent == 31) return fraction ? NAN : sign * INFINITY;
    return sign * (exponent ? ldexpf((float)(1024 + fraction), exponent - 25) : ldexpf((float)fraction, -24));
}

static void every_half_is_read_and_written(void **state)
{
    (void)state;
    enum { HALVES = 1 << 16 };
    float16 *halves = malloc(HALVES * sizeof *halves);
    float *floats = malloc(HALVES * sizeof *floats);
    assert_true(halves && floats);
    for (unsigned i = 0; i < HALVES; i++)
        halves[i] = (float16)i;
    elements_to_float(ELEMENT_FLOAT16, halves, HALVES, floats);
    for (unsigned i = 0; i < HALVES; i++) {
        const float expected = half_by_definition(i), one = float16_to_float((float16)i);
        if (isnan(expected)) {
            assert_true(isnan(floats[i]) && isnan(one));
            continue;
        }
        assert_memory_equal(&floats[i], &expected, sizeof expected);
        assert_memory_equal(&one, &expected, sizeof expected);
        assert_int_equal(float16_from_double((double)expected), i);
    }
    free(halves);
    free(floats);
}

static void halves_round_to_even(void **state)
{
    (void)state;
    assert_int_equal(float16_from_double(1.0 + 0x1p-11), 0x3c00);           /* halfway: the even one */
    assert_int_equal(float16_from_double(1.0 + 0x1p-11 + 0x1p-40), 0x3c01); /* no second rounding by float32 */
    assert_int_equal(float16_from_double(65519.0), 0x7bff);
    assert_int_equal(float16_from_double(65520.0), 0x7c00);
    assert_int_equal(float16_from_double(0x1p-25), 0x0000);
    assert_int_equal(float16_from_double(-0x1.8p-24), 0x8002);
}

static void bfloat16_rounds_to_even_and_keeps_strange_values(void **state)
{
    (void)state;
    const float values[] = {1.0f,      0x1.01p0f, 0x1.03p0f, 0x1.01p0f + 0x1p-23f,
                            -INFINITY, 0x1p-140f, -0.0f,     0x1.ffffp127f};
    const bfloat16 expected[] = {0x3f80, 0x3f80, 0x3f82, 0x3f81, 0xff80, 0x0000, 0x8000, 0x7f80};
    enum { COUNT = sizeof values / sizeof values[0] };
    bfloat16 rounded[COUNT];
    float back[COUNT];
    elements_from_float(ELEMENT_BFLOAT16, values, COUNT, rounded);
    elements_to_float(ELEMENT_BFLOAT16, rounded, COUNT, back);
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(rounded[i], expected[i]);
        assert_true(bfloat16_to_float(rounded[i]) == back[i]);
    }
    assert_true(isnan(bfloat16_to_float(bfloat16_from_float(NAN))));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_half_is_read_and_written),
        cmocka_unit_test(halves_round_to_even),
        cmocka_unit_test(bfloat16_rounds_to_even_and_keeps_strange_values),
    };
    return cmocka_run_group_tests_name("tensor/element", tests, NULL, NULL);
}
