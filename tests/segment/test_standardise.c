#include "tests/support/cmocka.h"
#include "tests/support/golden.h"

#include "segment/standardise.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const standard_settings ct = {.modality = "ct", .spacing_mm = {1, 1, 3}, .intensity = {-500, 1000, 0.5, 99.5}, .threads = 2};

/* An axis-aligned scan of floats; the caller frees it. */
static volume float_scan(int64_t ni, int64_t nj, int64_t nk, double di, double dj, double dk)
{
    volume v = {.grid = {{ni, nj, nk}, {{di, 0, 0, -5}, {0, dj, 0, 7}, {0, 0, dk, 11}}}, .type = VOXEL_FLOAT32,
                .stored = malloc((size_t)(ni * nj * nk) * sizeof(float))};
    for (int64_t n = 0; n < ni * nj * nk; n++)
        ((float *)v.stored)[n] = 10 + (float)(random_below(1000, 5, (uint64_t)n));
    return v;
}

static standard_scan make(const volume *v, const char *modality)
{
    standard_settings settings = ct;
    settings.modality = modality;
    standard_scan made;
    sat_error error = {0};
    if (standard_make(v, &settings, &made, &error) != SAT_OK) fail_msg("%s", error.message);
    return made;
}

/* Already on the target grid: the volume is the file's, turned and scaled; small enough to do by hand. */
static void a_scan_by_hand(void **state)
{
    (void)state;
    int16_t stored[2 * 1 * 2] = {4, 2, 8, 6}; /* [k][j][i] */
    volume v = {.grid = {{2, 1, 2}, {{-1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 3, 0}}}, .type = VOXEL_INT16, .stored = stored};
    const standard_scan made = make(&v, "CT");
    const double expected[4] = {2, 6, 4, 8}; /* [x][y][z]: x is flipped */
    for (int n = 0; n < 4; n++)
        assert_true(fabs((double)made.voxels[n] - (expected[n] - 5) / sqrt(5)) < 1e-6);
    assert_true(made.statistics.mean == 5 && made.grid.affine[0][0] == 1 && made.grid.affine[0][3] == -1);
    assert_true(fabs((double)made.lowest + 3 / sqrt(5)) < 1e-6);
    standard_scan freed = made;
    standard_free(&freed);
    standard_free(&freed);
}

static void voxels_that_are_no_numbers_count_as_background(void **state)
{
    (void)state;
    volume v = float_scan(9, 8, 7, 1.3, 1, 2);
    float *stored = v.stored;
    stored[3 * 72 + 4 * 9 + 5] = NAN;
    stored[5 * 72 + 2] = INFINITY;
    stored[6 * 72 + 2] = -INFINITY;
    standard_scan made = make(&v, "mri");
    assert_int_equal(made.warnings, STANDARD_WARNS_NOT_FINITE);
    assert_int_equal(made.not_finite, 3);
    const int64_t at[3] = {5, 4, 3};
    assert_memory_equal(made.first_not_finite_ijk, at, sizeof at);
    char text[256];
    standard_warning_text(&made, STANDARD_WARNS_NOT_FINITE, text, sizeof text);
    assert_string_equal(text, "3 voxels are not-a-number or infinite, the first at (5, 4, 3); taken as background");
    /* the same as with zeros (mr) or the low clip bound (ct) in their places */
    standard_scan made_ct = make(&v, "ct");
    for (int pass = 0; pass < 2; pass++) {
        stored[3 * 72 + 4 * 9 + 5] = stored[5 * 72 + 2] = stored[6 * 72 + 2] = pass ? -500 : 0;
        standard_scan clean = make(&v, pass ? "ct" : "mri");
        const standard_scan *other = pass ? &made_ct : &made;
        assert_int_equal(clean.warnings, 0);
        assert_memory_equal(clean.grid.shape_xyz, other->grid.shape_xyz, sizeof clean.grid.shape_xyz);
        assert_memory_equal(clean.voxels, other->voxels,
                            (size_t)(clean.grid.shape_xyz[0] * clean.grid.shape_xyz[1] * clean.grid.shape_xyz[2]) * sizeof(float));
        standard_free(&clean);
    }
    standard_free(&made);
    standard_free(&made_ct);
    for (int n = 0; n < 9 * 8 * 7; n++)
        stored[n] = NAN;
    sat_error error = {0};
    assert_int_equal(standard_make(&v, &ct, &made, &error), SAT_BAD_INPUT);
    assert_non_null(strstr(error.message, "all 504 voxels"));
    standard_free(&made);
    volume_free(&v);
}

/* A double that float32 cannot hold, and a slope that takes integers there, are found as well. */
static void values_beyond_float32_are_not_finite(void **state)
{
    (void)state;
    double stored[8] = {1, 2, 3, 1e300, 5, 6, 7, 8};
    volume v = {.grid = {{2, 2, 2}, {{1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 3, 0}}}, .type = VOXEL_FLOAT64, .stored = stored};
    standard_scan made = make(&v, "mri");
    assert_int_equal(made.not_finite, 1);
    standard_free(&made);
    int16_t small[8] = {1, 2, 3, 4, 5, 6, 30000, 8};
    v = (volume){.grid = v.grid, .type = VOXEL_INT16, .stored = small, .scaled = true, .slope = 1e35};
    made = make(&v, "mri");
    assert_int_equal(made.not_finite, 1);
    standard_free(&made);
}

static void axes_of_one_voxel_and_empty_or_even_scans(void **state)
{
    (void)state;
    static const int64_t shapes[][3] = {{1, 1, 1}, {1, 6, 5}, {6, 1, 5}, {6, 5, 1}, {1, 1, 9}, {9, 1, 1}};
    for (size_t n = 0; n < sizeof shapes / sizeof *shapes; n++) {
        volume v = float_scan(shapes[n][0], shapes[n][1], shapes[n][2], 1.5, 1.5, 1.5);
        standard_scan made = make(&v, "mri");
        for (int a = 0; a < 3; a++)
            if (shapes[n][a] == 1) assert_int_equal(made.grid.shape_xyz[a], 1);
        standard_free(&made);
        float *stored = v.stored;
        for (int64_t at = 0; at < shapes[n][0] * shapes[n][1] * shapes[n][2]; at++)
            stored[at] = -3;
        made = make(&v, "mri");
        assert_int_equal(made.warnings, STANDARD_WARNS_NO_FOREGROUND | STANDARD_WARNS_CONSTANT);
        assert_memory_equal(made.grid.shape_xyz, made.grid.spaced.shape, sizeof made.grid.shape_xyz);
        assert_true(made.voxels[0] == 0 && made.lowest == 0 && made.statistics.mean == -3);
        char text[256];
        standard_warning_text(&made, STANDARD_WARNS_NO_FOREGROUND, text, sizeof text);
        assert_non_null(strstr(text, "no voxel is above 0"));
        standard_free(&made);
        volume_free(&v);
    }
}

static void what_cannot_be_used_is_refused(void **state)
{
    (void)state;
    volume v = float_scan(4, 4, 4, 1, 1, 1);
    standard_scan made;
    sat_error error = {0};
    standard_settings settings = ct;
    settings.orientation_code = "RAX";
    assert_int_equal(standard_make(&v, &settings, &made, &error), SAT_BAD_ARGUMENT);
    assert_null(made.voxels);
    v.grid.voxel_to_world[0][0] = 0;
    assert_int_equal(standard_make(&v, &ct, &made, &error), SAT_BAD_INPUT);
    v.grid.voxel_to_world[0][0] = 1e12;
    assert_int_equal(standard_make(&v, &ct, &made, &error), SAT_BAD_INPUT);
    volume_free(&v);
}

/* Large enough for many tiles. */
static void threads_do_not_show(void **state)
{
    (void)state;
    static const double oblique[3][4] = {{0.79, 0.12, 0.05, 3}, {-0.11, 0.8, 0.02, 5}, {-0.04, -0.03, 1.9, 7}};
    for (int kind = 0; kind < 2; kind++) {
        volume v = float_scan(90, 80, 70, 0.8, -0.7, 1.1);
        if (kind) memcpy(v.grid.voxel_to_world, oblique, sizeof oblique);
        standard_scan made[3];
        const int threads[3] = {1, 2, 7};
        for (int t = 0; t < 3; t++) {
            standard_settings settings = ct;
            settings.modality = "mri";
            settings.threads = threads[t];
            assert_int_equal(standard_make(&v, &settings, &made[t], NULL), SAT_OK);
        }
        const int64_t *n = made[0].grid.shape_xyz;
        for (int t = 1; t < 3; t++) {
            assert_memory_equal(made[0].voxels, made[t].voxels, (size_t)(n[0] * n[1] * n[2]) * sizeof(float));
            assert_memory_equal(&made[0].statistics, &made[t].statistics, sizeof made[0].statistics);
        }
        for (int t = 0; t < 3; t++)
            standard_free(&made[t]);
        volume_free(&v);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_scan_by_hand),
        cmocka_unit_test(voxels_that_are_no_numbers_count_as_background),
        cmocka_unit_test(values_beyond_float32_are_not_finite),
        cmocka_unit_test(axes_of_one_voxel_and_empty_or_even_scans),
        cmocka_unit_test(what_cannot_be_used_is_refused),
        cmocka_unit_test(threads_do_not_show),
    };
    return cmocka_run_group_tests_name("segment/standardise", tests, NULL, NULL);
}
