/* The golden cases of the pipeline, from the file to the normalised volume (golden/pipeline/README.md). */
#include "tests/support/cmocka.h"
#include "tests/support/golden.h"

#include "image/volume_file.h"
#include "segment/modality.h"
#include "segment/standardise.h"
#include "segment/windows.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *const cases[] = {
    "ct_all_negative", "ct_keeps_spacing", "ct_long", "ct_lps_thick", "ct_many_windows", "ct_ras_plain", "ct_sform_bad_zoom",
    "ct_sform_over_qform", "ct_sheared_left_handed", "ct_single_slice", "ct_tie_15_slices", "ct_tie_16_slices",
    "mr_4d_single", "mr_asl_uint8", "mr_constant", "mr_oblique_centre", "mr_oblique_corner", "mr_qform_only", "mr_spine_asr",
    "mr_zero_background", "pet_no_forms"};
enum { CASES = sizeof cases / sizeof *cases };

static const char *case_path(const char *name, const char *file)
{
    char path[256];
    snprintf(path, sizeof path, "pipeline/%s/%s", name, file);
    return golden_path(path);
}

static void integers_equal(const char *name, const json_t *expected, const char *key, const int64_t *actual, size_t count)
{
    const json_t *list = json_object_get(expected, key);
    assert_int_equal(json_array_size(list), count);
    for (size_t n = 0; n < count; n++)
        if (json_integer_value(json_array_get(list, n)) != actual[n])
            fail_msg("%s: %s[%zu] is %lld, expected %lld", name, key, n, (long long)actual[n],
                     (long long)json_integer_value(json_array_get(list, n)));
}

/* Relative to the largest entry. */
static double affine_error(const json_t *rows, const double affine[3][4])
{
    double largest = 0, error = 0;
    for (size_t row = 0; row < 3; row++)
        for (size_t column = 0; column < 4; column++) {
            const double value = json_number_value(json_array_get(json_array_get(rows, row), column));
            largest = fmax(largest, fabs(value));
            error = fmax(error, fabs(value - affine[row][column]));
        }
    return error / largest;
}

static void check_grid(const char *name, const json_t *expected, const standard_grid *grid)
{
    integers_equal(name, expected, "scan_shape", grid->scan.shape_ijk, 3);
    integers_equal(name, expected, "oriented_shape", grid->oriented_shape, 3);
    integers_equal(name, expected, "spaced_shape", grid->spaced.shape, 3);
    integers_equal(name, expected, "processed_shape", grid->shape_xyz, 3);
    for (size_t a = 0; a < 3; a++) {
        assert_int_equal(json_integer_value(json_array_get(json_object_get(expected, "orient_source"), a)), grid->orient.source[a]);
        assert_int_equal(json_is_true(json_array_get(json_object_get(expected, "orient_flip"), a)), grid->orient.flip[a]);
        const json_t *side = json_array_get(json_object_get(expected, "box"), a);
        assert_int_equal(json_integer_value(json_array_get(side, 0)), grid->box[a][0]);
        assert_int_equal(json_integer_value(json_array_get(side, 1)), grid->box[a][1]);
    }
    assert_int_equal(json_is_true(json_object_get(expected, "resampled")), grid->spaced.resampled);
    assert_string_equal(json_string_value(json_object_get(expected, "anchor")),
                        grid->spaced.anchor == REGRID_CORNER ? "corner" : "centre");
    assert_true(affine_error(json_object_get(expected, "scan_affine"), grid->scan.voxel_to_world) <= 1e-9);
    assert_true(affine_error(json_object_get(expected, "spaced_affine"), grid->spaced.affine) <= 1e-9);
    assert_true(affine_error(json_object_get(expected, "processed_affine"), grid->affine) <= 1e-9);
}

static void check_windows(const json_t *expected, const standard_grid *grid)
{
    const int size[3] = {288, 288, 96};
    const json_t *list = json_object_get(expected, "windows_288x288x96");
    window_list windows;
    assert_int_equal(windows_make(grid->shape_xyz, size, 0.5, &windows, NULL), SAT_OK);
    assert_int_equal(json_array_size(list), windows.count);
    for (size_t w = 0; w < windows.count; w++)
        for (size_t a = 0; a < 3; a++) {
            assert_int_equal(json_integer_value(json_array_get(json_array_get(list, w), 2 * a)), windows.boxes[w].from[a]);
            assert_int_equal(json_integer_value(json_array_get(json_array_get(list, w), 2 * a + 1)), windows.boxes[w].to[a]);
        }
    windows_free(&windows);
}

static void check_statistics(const char *name, const json_t *expected, const standard_scan *made)
{
    const json_t *statistics = json_object_get(expected, "statistics");
    const char *const keys[] = {"clip_low", "clip_high", "mean", "std"};
    const double actual[] = {made->statistics.clip_low, made->statistics.clip_high, made->statistics.mean, made->statistics.std};
    for (int n = 0; n < 4; n++) {
        const double wanted = json_number_value(json_object_get(statistics, keys[n]));
        if (!(fabs(actual[n] - wanted) <= 1e-6 * fmax(fabs(wanted), 1e-3)))
            fail_msg("%s: %s is %.9g, expected %.9g", name, keys[n], actual[n], wanted);
    }
}

/* Largest difference from every seventh voxel of the golden volume. */
static double volume_error(const char *name, const standard_scan *made)
{
    npy_array golden = npy_read(case_path(name, "volume_every7.npy"));
    const float *values = npy_floats(&golden);
    const int64_t *n = made->grid.shape_xyz;
    assert_int_equal((n[0] * n[1] * n[2] + 6) / 7, golden.count);
    double error = 0;
    for (size_t at = 0; at < golden.count; at++)
        error = fmax(error, fabs((double)values[at] - (double)made->voxels[7 * at]));
    npy_free(&golden);
    return error;
}

static standard_settings settings_of(const json_t *expected, int threads)
{
    return (standard_settings){.modality = json_string_value(json_object_get(expected, "modality")),
                               .orientation_code = json_string_value(json_object_get(expected, "orientation_code")),
                               .spacing_mm = {1, 1, 3},
                               .intensity = {-500, 1000, 0.5, 99.5},
                               .threads = threads};
}

static void golden_scans_become_the_golden_volumes(void **state)
{
    (void)state;
    double worst = 0;
    for (size_t n = 0; n < CASES; n++) {
        sat_error error = {0};
        json_t *expected = json_load_file(case_path(cases[n], "expected.json"), 0, NULL);
        assert_non_null(expected);
        volume scan;
        assert_int_equal(volume_read(case_path(cases[n], "image.nii.gz"), -1, &scan, &error), SAT_OK);
        standard_scan made[3];
        const int threads[3] = {2, 1, 7};
        for (int t = 0; t < 3; t++) {
            const standard_settings settings = settings_of(expected, threads[t]);
            if (standard_make(&scan, &settings, &made[t], &error) != SAT_OK) fail_msg("%s: %s", cases[n], error.message);
        }
        const size_t voxels = (size_t)(made[0].grid.shape_xyz[0] * made[0].grid.shape_xyz[1] * made[0].grid.shape_xyz[2]);
        check_grid(cases[n], expected, &made[0].grid);
        check_windows(expected, &made[0].grid);
        check_statistics(cases[n], expected, &made[0]);
        const double error_here = volume_error(cases[n], &made[0]);
        if (!(error_here <= 1e-5)) fail_msg("%s: the volume is off by %g", cases[n], error_here);
        worst = fmax(worst, error_here);
        for (int t = 1; t < 3; t++) {
            assert_memory_equal(made[0].voxels, made[t].voxels, voxels * sizeof(float));
            assert_memory_equal(&made[0].statistics, &made[t].statistics, sizeof made[0].statistics);
            standard_free(&made[t]);
        }
        assert_int_equal(!json_is_true(json_object_get(expected, "has_foreground")),
                         (made[0].warnings & STANDARD_WARNS_NO_FOREGROUND) != 0);
        assert_int_equal(strcmp(cases[n], "mr_constant") == 0, (made[0].warnings & STANDARD_WARNS_CONSTANT) != 0);
        char word[64];
        modality_for_text(json_string_value(json_object_get(expected, "modality")), word, sizeof word);
        assert_string_equal(word, json_string_value(json_object_get(expected, "text_modality")));
        standard_free(&made[0]);
        volume_free(&scan);
        json_decref(expected);
    }
    print_message("largest difference of a normalised voxel: %.2g\n", worst);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(golden_scans_become_the_golden_volumes)};
    return cmocka_run_group_tests_name("segment/standardise_golden", tests, NULL, NULL);
}
