/* Row kernels: the definitions against double precision, and every level against the definitions. */
#include "tests/support/cmocka.h"
#include "tests/support/golden.h"

#include "cpu/levels.h"
#include "cpu/transcendental.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* Sees every finite float of magnitude < `limit` whose bits are a multiple of `step`. */
static double worst(float (*f)(float), double (*truth)(double), double limit, uint32_t step, double smallest_normal,
                    double *absolute)
{
    double relative = 0;
    *absolute = 0;
    for (uint64_t bits = 0; bits <= UINT32_MAX; bits += step) {
        const uint32_t b = (uint32_t)bits;
        float x;
        memcpy(&x, &b, sizeof x);
        if (!(fabs((double)x) < limit)) continue;
        const double t = truth(x), e = fabs(f(x) - t);
        *absolute = fmax(*absolute, e);
        if (fabs(t) >= smallest_normal) relative = fmax(relative, e / fabs(t));
    }
    return relative;
}

static double exact_sigmoid(double x) { return x < 0 ? exp(x) / (1 + exp(x)) : 1 / (1 + exp(-x)); }
static double exact_gelu(double x) { return x * 0.5 * erfc(-x * 0.70710678118654752440); }

static void functions_keep_their_bounds(void **state)
{
    (void)state;
    double absolute;
    assert_true(worst(exp_float, exp, 88.72, 997, FLT_MIN, &absolute) <= 1.2e-7);
    assert_true(worst(sigmoid_float, exact_sigmoid, INFINITY, 997, FLT_MIN, &absolute) <= 3e-7);
    assert_true(absolute <= 1.2e-7);
    assert_true(worst(gelu_float, exact_gelu, INFINITY, 997, FLT_MIN, &absolute) <= 8e-7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(functions_keep_their_bounds),
    };
    return cmocka_run_group_tests_name("cpu/rows", tests, NULL, NULL);
}
