/* Real files in every NIfTI and Analyze dress, against what independent readers found in them.
 * They are a person's scan under CC BY-SA, so they stay in ../shared and are not copied here. */
#include "tests/support/cmocka.h"
#include "tests/support/golden.h"

#include "image/geometry.h"
#include "image/orientation.h"
#include "image/volume_file.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static json_t *expected; /* data/formats/expected.json; NULL: not here */
static float *base;      /* values of base.nii.gz                      */
static size_t base_count;

static volume read_format(const char *name)
{
    char below[256];
    snprintf(below, sizeof below, "data/formats/%s", name);
    volume v;
    sat_error error = {0};
    const char *path = shared_path(below);
    if (!path) fail_msg("%s is missing in ../shared", below);
    if (volume_read(path, -1, &v, &error) != SAT_OK) fail_msg("%s: %s", name, error.message);
    return v;
}

static float *values_of(const volume *v)
{
    const size_t count = volume_voxels(v);
    float *values = malloc(count * sizeof *values);
    assert_non_null(values);
    volume_values(v, 0, count, values);
    return values;
}

static int open_expected(void **state)
{
    (void)state;
    const char *path = shared_path("data/formats/expected.json");
    if (!path) {
        print_message("[  SKIPPED ] data/formats: not in ../shared\n");
        return 0;
    }
    expected = json_load_file(path, 0, NULL);
    assert_non_null(expected);
    volume v = read_format("base.nii.gz");
    base_count = volume_voxels(&v);
    base = values_of(&v);
    volume_free(&v);
    return 0;
}

static int close_expected(void **state)
{
    (void)state;
    json_decref(expected);
    free(base);
    return 0;
}

/* What expected.json's words mean, for one base value. */
static double value_from_words(const char *words, double value)
{
    if (strcmp(words, "min(base,255)") == 0) return fmin(value, 255);
    if (strcmp(words, "min(floor(base/3),127)") == 0) return fmin(floor(value / 3), 127);
    if (strncmp(words, "0.5*base-100", 12) == 0) return 0.5 * value - 100;
    if (strstr(words, "base")) return value;
    fail_msg("expected.json says \"%s\", which this test does not know", words);
    return 0;
}

static void check_affine(const char *name, const volume *v, const json_t *rows)
{
    for (size_t r = 0; r < 3; r++)
        for (size_t c = 0; c < 4; c++) {
            const double want = json_real_value(json_array_get(json_array_get(rows, r), c));
            const double got = v->grid.voxel_to_world[r][c];
            if (!(fabs(want - got) < 1.5e-6)) /* written with six decimals, from float32 */
                fail_msg("%s: affine[%zu][%zu] is %.9g, expected %.9g", name, r, c, got, want);
        }
}

static void every_nifti_and_analyze_file_reads_as_expected(void **state)
{
    (void)state;
    if (!expected) skip();
    int files = 0;
    const char *name;
    json_t *about;
    json_object_foreach(expected, name, about) {
        const char *dot = strchr(name, '.');
        if (!dot || (strncmp(dot, ".nii", 4) != 0 && strcmp(dot, ".hdr") != 0)) continue;
        volume v = read_format(name);
        const json_t *dims = json_object_get(about, "dims");
        for (size_t axis = 0; axis < 3; axis++)
            assert_int_equal(v.grid.shape_ijk[axis], json_integer_value(json_array_get(dims, axis)));
        check_affine(name, &v, json_object_get(about, "affine_ras"));
        float *values = values_of(&v);
        const char *words = json_string_value(json_object_get(about, "values"));
        if (strncmp(words, "labels", 6) == 0) {
            size_t counts[3] = {0};
            for (size_t n = 0; n < base_count; n++)
                counts[(int)values[n]]++;
            const json_t *want = json_object_get(json_object_get(expected, "_base"), "labels_count");
            for (size_t label = 0; label < 3; label++)
                assert_int_equal(counts[label], json_integer_value(json_array_get(want, label)));
        } else {
            for (size_t n = 0; n < base_count; n++)
                if (values[n] != (float)value_from_words(words, (double)base[n]))
                    fail_msg("%s: voxel %zu is %g, base %g", name, n, (double)values[n], (double)base[n]);
        }
        free(values);
        volume_free(&v);
        files++;
    }
    assert_int_equal(files, 24);
}

static void the_base_itself_holds_the_known_values(void **state)
{
    (void)state;
    if (!expected) skip();
    const json_t *about = json_object_get(expected, "_base");
    double sum = 0;
    for (size_t n = 0; n < base_count; n++)
        sum += (double)base[n];
    assert_true(sum == (double)json_integer_value(json_object_get(about, "sum")));
    size_t at;
    json_t *sample;
    json_array_foreach(json_object_get(about, "at_ijk"), at, sample) {
        const size_t i = (size_t)json_integer_value(json_array_get(sample, 0));
        const size_t j = (size_t)json_integer_value(json_array_get(sample, 1));
        const size_t k = (size_t)json_integer_value(json_array_get(sample, 2));
        assert_true(base[i + 21 * (j + 30 * k)] == (float)json_integer_value(json_array_get(sample, 3)));
    }
}

static void a_pair_opens_by_either_name(void **state)
{
    (void)state;
    if (!expected) skip();
    static const char *const names[] = {"pair.img", "analyze.img"};
    for (int n = 0; n < 2; n++) {
        volume v = read_format(names[n]);
        float *values = values_of(&v);
        assert_memory_equal(values, base, base_count * sizeof *values);
        free(values);
        volume_free(&v);
    }
}

static unsigned warnings_of(const char *name)
{
    volume v = read_format(name);
    const unsigned warnings = v.warnings;
    volume_free(&v);
    return warnings;
}

static void headers_that_a_user_should_hear_of_set_warnings(void **state)
{
    (void)state;
    if (!expected) skip();
    assert_int_equal(warnings_of("base.nii.gz"), 0);
    assert_int_equal(warnings_of("no_form.nii.gz"), VOLUME_WARNS_NO_FORM | VOLUME_WARNS_LEFT_HANDED);
    assert_int_equal(warnings_of("analyze.hdr"), VOLUME_WARNS_NO_FORM | VOLUME_WARNS_LEFT_HANDED);
    assert_int_equal(warnings_of("sform_only.nii.gz"), VOLUME_WARNS_SHEARED);
}

/* The 48 files hold one block in all axis orders and directions: each voxel of each file must lie where, and be what, the
 * same voxel of RAS.nii.gz is. */
static void all_48_orientations_are_one_scan(void **state)
{
    (void)state;
    if (!expected) skip();
    volume ras = read_format("orient/RAS.nii.gz");
    float *reference = values_of(&ras);
    double world_to_ras[3][4];
    assert_true(affine_invert(ras.grid.voxel_to_world, world_to_ras));
    static const char *const sides[3] = {"LR", "PA", "IS"};
    int files = 0;
    for (int order = 0; order < 27; order++)
        for (int flips = 0; flips < 8; flips++) {
            const int axes[3] = {order % 3, order / 3 % 3, order / 9};
            if (axes[0] == axes[1] || axes[1] == axes[2] || axes[0] == axes[2]) continue;
            char name[32], code[4], found[4];
            for (int a = 0; a < 3; a++)
                code[a] = sides[axes[a]][flips >> a & 1];
            code[3] = '\0';
            snprintf(name, sizeof name, "orient/%s.nii.gz", code);
            volume v = read_format(name);
            assert_int_equal(orientation_code_of(v.grid.voxel_to_world, found, NULL), SAT_OK);
            assert_string_equal(found, code);
            float *values = values_of(&v);
            double to_ras[3][4];
            affine_multiply(world_to_ras, v.grid.voxel_to_world, to_ras);
            size_t n = 0;
            for (int64_t k = 0; k < v.grid.shape_ijk[2]; k++)
                for (int64_t j = 0; j < v.grid.shape_ijk[1]; j++)
                    for (int64_t i = 0; i < v.grid.shape_ijk[0]; i++, n++) {
                        double at[3] = {(double)i, (double)j, (double)k};
                        affine_apply(to_ras, at, at);
                        size_t index = 0;
                        for (int a = 2; a >= 0; a--) {
                            assert_true(fabs(at[a] - round(at[a])) < 1e-4);
                            index = index * (size_t)ras.grid.shape_ijk[a] + (size_t)lround(at[a]);
                        }
                        assert_true(values[n] == reference[index]);
                    }
            free(values);
            volume_free(&v);
            files++;
        }
    assert_int_equal(files, 48);
    free(reference);
    volume_free(&ras);
}

static void other_formats_are_refused_by_name(void **state)
{
    (void)state;
    if (!expected) skip();
    static const char *const files[][2] = {{"image.mha", "MetaImage"}, {"image_raw.nrrd", "NRRD"}, {"image.mgz", "FreeSurfer"}};
    for (int n = 0; n < 3; n++) {
        char below[64];
        snprintf(below, sizeof below, "data/formats/%s", files[n][0]);
        volume v;
        sat_error error = {0};
        assert_int_equal(volume_read(shared_path(below), -1, &v, &error), SAT_BAD_INPUT);
        if (!strstr(error.message, files[n][1])) fail_msg("%s: %s", files[n][0], error.message);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_base_itself_holds_the_known_values),
        cmocka_unit_test(every_nifti_and_analyze_file_reads_as_expected),
        cmocka_unit_test(a_pair_opens_by_either_name),
        cmocka_unit_test(headers_that_a_user_should_hear_of_set_warnings),
        cmocka_unit_test(all_48_orientations_are_one_scan),
        cmocka_unit_test(other_formats_are_refused_by_name),
    };
    return cmocka_run_group_tests_name("image/formats", tests, open_expected, close_expected);
}
