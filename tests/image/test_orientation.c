#include "tests/support/cmocka.h"
#include "tests/support/golden.h"

#include "image/orientation.h"
#include "image/regrid.h"

#include <math.h>
#include <string.h>

/* The 48 codes, one after another. */
static void code_number(int number, char code[4])
{
    static const int orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    for (int a = 0; a < 3; a++)
        code[a] = "RLAPSI"[2 * orders[number / 8][a] + (number >> a & 1)];
    code[3] = 0;
}

/* An axis-aligned affine whose axes run towards the letters of `code`, 1 x 2 x 3 mm. */
static void affine_of_code(const char *code, double affine[3][4])
{
    memset(affine, 0, 12 * sizeof(double));
    for (int axis = 0; axis < 3; axis++) {
        const int letter = (int)(strchr("RLAPSI", code[axis]) - "RLAPSI");
        affine[letter / 2][axis] = letter % 2 ? -(axis + 1.0) : axis + 1.0;
    }
}

static void every_code_is_found_again_and_turned_to_every_other(void **state)
{
    (void)state;
    for (int from = 0; from < 48; from++) {
        char code[4], again[4], wanted[4];
        double affine[3][4], turned[3][4];
        code_number(from, code);
        affine_of_code(code, affine);
        assert_int_equal(orientation_code_of(affine, again, NULL), SAT_OK);
        assert_string_equal(code, again);
        for (int to = 0; to < 48; to++) {
            orientation o;
            const int64_t shape[3] = {4, 5, 6};
            int64_t oriented[3];
            code_number(to, wanted);
            assert_int_equal(orientation_find(affine, wanted, &o, NULL), SAT_OK);
            orientation_apply(&o, shape, affine, oriented, turned);
            assert_int_equal(orientation_code_of(turned, again, NULL), SAT_OK);
            assert_string_equal(wanted, again);
            for (int a = 0; a < 3; a++)
                assert_int_equal(oriented[a], shape[o.source[a]]);
        }
    }
}

static void only_codes_are_codes(void **state)
{
    (void)state;
    const char *const bad[] = {"", "RA", "RASS", "RAL", "RAX", "RRS", "   ", NULL};
    for (int n = 0; n < 7; n++) {
        sat_error error = {0};
        assert_int_equal(orientation_code_check(bad[n], &error), SAT_BAD_ARGUMENT);
        assert_non_null(strstr(error.message, "for example RAS"));
    }
    assert_int_equal(orientation_code_check(NULL, NULL), SAT_BAD_ARGUMENT);
    assert_int_equal(orientation_code_check("asr", NULL), SAT_OK);
}

/* Halfway between two world axes the lower one is taken, whichever way rounding goes. */
static void a_turn_by_45_degrees_takes_the_lower_axis(void **state)
{
    (void)state;
    const double h = (double)sqrtf(0.5f);
    for (int sign = -1; sign <= 1; sign += 2) {
        const double affine[3][4] = {{h, -sign * h, 0, 0}, {sign * h, h, 0, 0}, {0, 0, 2, 0}};
        char code[4];
        assert_int_equal(orientation_code_of(affine, code, NULL), SAT_OK);
        assert_string_equal(code, "RAS");
    }
}

static void damaged_affines_are_refused(void **state)
{
    (void)state;
    const double flat[3][4] = {{1, 2, 0, 0}, {1, 2, 0, 0}, {0, 0, 1, 0}}, broken[3][4] = {{NAN, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 1, 0}};
    orientation o;
    sat_error error = {0};
    assert_int_equal(orientation_find(flat, "RAS", &o, &error), SAT_BAD_INPUT);
    assert_int_equal(orientation_find(broken, "RAS", &o, &error), SAT_BAD_INPUT);
    const int64_t shape[3] = {4, 4, 4};
    const double one[3] = {1, 1, 1}, none[3] = {1, 0, 1};
    const double tiny[3][4] = {{1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 1e9, 0}}, good[3][4] = {{1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 1, 0}};
    regrid r;
    assert_int_equal(regrid_find(shape, flat, one, &r, &error), SAT_BAD_INPUT);
    assert_int_equal(regrid_find(shape, tiny, one, &r, &error), SAT_BAD_INPUT);
    assert_non_null(strstr(error.message, "too large"));
    assert_int_equal(regrid_find(shape, good, none, &r, &error), SAT_BAD_ARGUMENT);
}

/* pipeline.md, section 3.3: the output length of an axis-aligned axis, written as there, ties included. */
static void output_lengths_follow_the_written_formula(void **state)
{
    (void)state;
    int ties = 0;
    for (uint64_t n = 0; n < 20000; n++) {
        const bool tie = n % 4 == 0;
        const double d = tie ? 1.5 : (double)((float)(1 + random_below(6000, 1, n)) * 1e-3f);
        const double t = (double)((float)random_below(80000, 2, n) * 0.01f - 400.0f);
        const int64_t length = 2 + (int64_t)random_below(600, 3, n), direction = random_below(2, 4, n) ? 1 : -1;
        const double want = 3;
        const double affine[3][4] = {{1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, (double)direction * d, t}}, spacing[3] = {1, 1, want};
        const int64_t shape[3] = {5, 5, length};
        regrid r;
        assert_int_equal(regrid_find(shape, affine, spacing, &r, NULL), SAT_OK);
        const double step = (double)direction * d;
        if (fabs(d - want) <= 1e-3) continue;
        const double turn = step * (1.0 / d), o = turn * want, inverse = 1.0 / o;
        const double high = inverse * (step * ((double)length - 1.0) + t), low = inverse * t;
        const double exact = (high > low ? high - low : low - high) + 1.0;
        if (fabs(exact - floor(exact) - 0.5) < 1e-6) ties++;
        if ((int64_t)rint(exact) != r.shape[2]) fail_msg("axis %d: %lld voxels, expected %g", (int)n, (long long)r.shape[2], rint(exact));
        assert_int_equal(r.anchor, REGRID_CORNER);
    }
    assert_true(ties > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_is_found_again_and_turned_to_every_other),
        cmocka_unit_test(only_codes_are_codes),
        cmocka_unit_test(a_turn_by_45_degrees_takes_the_lower_axis),
        cmocka_unit_test(damaged_affines_are_refused),
        cmocka_unit_test(output_lengths_follow_the_written_formula),
    };
    return cmocka_run_group_tests_name("image/orientation", tests, NULL, NULL);
}
