/* Every check before a segmentation: a scan that should trigger it and one that should not, and no alarm on real scans. */
#include "tests/support/cmocka.h"
#include "tests/support/golden.h"

#include "image/volume_file.h"
#include "segment/check_scan.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------- drawn values */

typedef float formula(size_t n);

static float noise(size_t n, float spread) { return ((float)random_below(2001, 77, n) / 1000 - 1) * spread; }
static float chest(size_t n) { return (n % 10 < 5 ? -1000 : n % 10 < 7 ? -850 : n % 10 < 9 ? 40 : 400) + noise(n, 60); }
static float magnitude(size_t n) { return n % 3 ? 500 + noise(n, 400) : 0; }
static float uptake(size_t n) { return n % 50 ? 0.5f + noise(n, 0.4f) : 20; }
static float normalised(size_t n) { return (chest(n) + 1100) / 1700; }
static float z_scores(size_t n) { return noise(n, 3); }
static float picture(size_t n) { return floorf(255 * (fmaxf(-160, fminf(240, chest(n))) + 160) / 400); }
static float shifted(size_t n) { return fmaxf(0, chest(n) + 1024); }
static float soft_crop(size_t n) { return 30 + noise(n, 120); }
static float windowed(size_t n) { return fmaxf(-400, fminf(400, chest(n))); }
static float too_far(size_t n) { return n == 5 ? 60000 : chest(n); }
static float below_zero(size_t n) { return fminf(-5, chest(n)); }
static float almost_nothing(size_t n) { return n == 77 ? 900 : n == 99 ? 500 : -20 * (float)(n % 70); }
static float with_nan(size_t n) { return n % 1000 ? chest(n) : NAN; }
static float all_nan(size_t n) { return n % 2 ? NAN : INFINITY; }
static float constant(size_t n) { return n < (size_t)-1 ? 7 : 0; }
static float labels(size_t n) { return n % 5 ? 0 : (float)(n % 13); }

static const geometry upright = {.shape_ijk = {40, 40, 20}, .voxel_to_world = {{2, 0, 0, -39}, {0, 2, 0, -39}, {0, 0, 5, -47.5}}};

static volume drawn(formula *f, const geometry *grid)
{
    volume v = {.grid = *grid, .type = VOXEL_FLOAT32, .volumes_in_file = 1};
    float *values = malloc(volume_voxels(&v) * sizeof *values);
    assert_non_null(values);
    for (size_t n = 0; n < volume_voxels(&v); n++)
        values[n] = f(n);
    v.stored = values;
    return v;
}

static check_list checked(const volume *v, const char *modality, const model_description *model)
{
    check_list found = {0};
    sat_error error = {0};
    if (check_scan(v, modality, model, 2, &found, &error) != SAT_OK) fail_msg("%s", error.message);
    for (size_t i = 0; i < found.count; i++) { /* a sentence that says something, ready to follow a file's name */
        const char *words = found.items[i].text;
        assert_true(strlen(words) > 30 && strlen(words) < CHECK_TEXT - 1);
        assert_true(words[strlen(words) - 1] != '.');
    }
    return found;
}

/* ---------------------------------------------------------------- values */

static const struct {
    const char *code, *modality;
    formula *yes, *no;
    check_severity severity;
} value_cases[] = {
    {"ct-normalised", "ct", normalised, chest, CHECK_SERIOUS},
    {"ct-normalised", "ct", z_scores, soft_crop, CHECK_SERIOUS},
    {"ct-picture-values", "ct", picture, chest, CHECK_SERIOUS},
    {"ct-shifted", "ct", shifted, chest, CHECK_SERIOUS},
    {"ct-no-air", "ct", soft_crop, chest, CHECK_WARNING},
    {"ct-no-air", "ct", magnitude, chest, CHECK_SERIOUS},
    {"ct-clipped", "ct", windowed, chest, CHECK_WARNING},
    {"ct-out-of-range", "ct", too_far, chest, CHECK_WARNING},
    {"looks-like-ct", "mri", chest, magnitude, CHECK_SERIOUS},
    {"looks-like-ct", "pet", chest, uptake, CHECK_SERIOUS},
    {"pet-negative", "pet", z_scores, uptake, CHECK_WARNING},
    {"negative-values", "MRI T1", z_scores, magnitude, CHECK_NOTE},
    {"no-foreground", "ct", below_zero, chest, CHECK_SERIOUS},
    {"almost-empty", "ct", almost_nothing, chest, CHECK_WARNING},
    {"not-finite", "ct", with_nan, chest, CHECK_WARNING},
    {"no-finite-value", "ct", all_nan, with_nan, CHECK_SERIOUS},
    {"constant", "mri", constant, magnitude, CHECK_SERIOUS},
    {"looks-like-labels", "mri", labels, magnitude, CHECK_SERIOUS},
};

static void each_check_of_values_triggers_where_it_should_and_not_where_it_should_not(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof value_cases / sizeof *value_cases; i++) {
        volume yes = drawn(value_cases[i].yes, &upright), no = drawn(value_cases[i].no, &upright);
        check_list a = checked(&yes, value_cases[i].modality, NULL), b = checked(&no, value_cases[i].modality, NULL);
        const check_finding *f = check_find(&a, value_cases[i].code, CHECK_SCAN);
        if (!f) fail_msg("%s (case %zu) did not trigger", value_cases[i].code, i);
        assert_int_equal(f->severity, value_cases[i].severity);
        if (check_find(&b, value_cases[i].code, CHECK_SCAN)) fail_msg("%s (case %zu) triggered without reason", value_cases[i].code, i);
        check_list_free(&a);
        check_list_free(&b);
        volume_free(&yes);
        volume_free(&no);
    }
}

static void good_scans_have_no_findings(void **state)
{
    (void)state;
    static const struct {
        const char *modality;
        formula *f;
    } good[] = {{"ct", chest}, {"CT", chest}, {"mri", magnitude}, {"MRI T1", magnitude}, {"pet", uptake}, {NULL, chest}, {NULL, z_scores}};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        volume v = drawn(good[i].f, &upright);
        check_list found = checked(&v, good[i].modality, NULL);
        if (found.count) fail_msg("%s: %s", good[i].modality ? good[i].modality : "(no modality)", found.items[0].text);
        check_list_free(&found);
        volume_free(&v);
    }
}

static void modality_words_are_judged(void **state)
{
    (void)state;
    volume v = drawn(chest, &upright);
    check_list odd = checked(&v, "CT scan", NULL), unknown = checked(&v, "x-ray", NULL), plain = checked(&v, "ct", NULL);
    assert_non_null(check_find(&odd, "modality-not-plain-ct", CHECK_SCAN));
    assert_non_null(check_find(&unknown, "modality-unknown", CHECK_SCAN));
    assert_int_equal(plain.count, 0);
    check_list_free(&odd);
    check_list_free(&unknown);
    check_list_free(&plain);
    volume_free(&v);
}

/* One voxel among millions is seen: least and most are of all voxels, not of the sample. */
static void a_lonely_voxel_of_air_is_enough_and_threads_do_not_matter(void **state)
{
    (void)state;
    geometry large = upright;
    large.shape_ijk[0] = large.shape_ijk[1] = large.shape_ijk[2] = 160;
    volume v = drawn(soft_crop, &large);
    check_list without = checked(&v, "ct", NULL);
    ((float *)v.stored)[1234567] = -900;
    check_list with = checked(&v, "ct", NULL), one = {0};
    assert_non_null(check_find(&without, "ct-no-air", CHECK_SCAN));
    assert_null(check_find(&with, "ct-no-air", CHECK_SCAN));
    sat_error error;
    assert_int_equal(check_values(&v, "ct", NULL, 1, &one, &error), SAT_OK);
    assert_int_equal(one.count, with.count);
    for (size_t i = 0; i < one.count; i++)
        assert_string_equal(one.items[i].text, with.items[i].text);
    check_list_free(&one);
    check_list_free(&with);
    check_list_free(&without);
    volume_free(&v);
}

/* ---------------------------------------------------------------- the header */

/* A header alone: no voxel is touched. */
static check_list header_checked(const volume *v, const model_description *model)
{
    check_list found = {0};
    sat_error error = {0};
    assert_int_equal(check_header(v, model, &found, &error), SAT_OK);
    return found;
}

static bool header_has(const volume *v, const model_description *model, const char *code)
{
    check_list found = header_checked(v, model);
    const bool has = check_find(&found, code, CHECK_SCAN) != NULL;
    check_list_free(&found);
    return has;
}

static volume grid_only(int64_t ni, int64_t nj, int64_t nk, double si, double sj, double sk)
{
    return (volume){.grid = {.shape_ijk = {ni, nj, nk}, .voxel_to_world = {{si, 0, 0, 0}, {0, sj, 0, 0}, {0, 0, sk, 0}}}, .volumes_in_file = 1};
}

static void spacing_and_field_of_view(void **state)
{
    (void)state;
    model_description nano;
    assert_true(model_variant("nano", &nano));
    const struct {
        const char *code;
        bool with_model;
        volume yes, no;
    } cases[] = {
        {"spacing-thick", false, grid_only(256, 256, 20, 1, 1, 12), grid_only(256, 256, 20, 1, 1, 10)},
        {"spacing-anisotropic", false, grid_only(512, 512, 20, 0.3, 0.3, 6), grid_only(512, 512, 30, 0.5, 0.5, 7)},
        {"spacing-default", false, grid_only(512, 512, 116, 1, 1, 1), grid_only(256, 256, 256, 1, 1, 1)},
        {"spacing-default", false, grid_only(512, 640, 116, 1, 1, 1), grid_only(512, 512, 116, 0.98, 0.98, 1)},
        {"finer-than-model", true, grid_only(512, 512, 300, 0.2, 0.2, 1), grid_only(512, 512, 300, 0.7, 0.7, 1)},
        {"slices-sagittal", false, grid_only(16, 256, 256, 4, 1, 1), grid_only(256, 256, 16, 1, 1, 4)},
        {"slices-coronal", false, grid_only(256, 24, 256, 1, 4, 1), grid_only(256, 256, 24, 1, 1, 4)},
        {"single-slice", false, grid_only(256, 256, 1, 1, 1, 5), grid_only(256, 256, 2, 1, 1, 5)},
        {"few-slices", false, grid_only(256, 256, 7, 1, 1, 5), grid_only(256, 256, 8, 1, 1, 5)},
        {"extent-small", false, grid_only(60, 60, 31, 1, 1, 1), grid_only(60, 60, 32, 1, 1, 1)},
        {"extent-huge", false, grid_only(512, 512, 100, 5, 5, 5), grid_only(512, 512, 400, 1.36, 1.36, 5)},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const model_description *model = cases[i].with_model ? &nano : NULL;
        if (!header_has(&cases[i].yes, model, cases[i].code)) fail_msg("%s (case %zu) did not trigger", cases[i].code, i);
        if (header_has(&cases[i].no, model, cases[i].code)) fail_msg("%s (case %zu) triggered without reason", cases[i].code, i);
    }
}

/* The axis that is named is the patient's, whatever the order in the file. */
static void axes_are_named_as_the_patient_has_them(void **state)
{
    (void)state;
    volume v = {.grid = {.shape_ijk = {20, 256, 256}, .voxel_to_world = {{0, 0, -1, 0}, {0, 1, 0, 0}, {-12, 0, 0, 0}}}, .volumes_in_file = 1};
    check_list found = header_checked(&v, NULL);
    const check_finding *f = check_find(&found, "spacing-thick", CHECK_SCAN);
    assert_non_null(f);
    assert_non_null(strstr(f->text, "head to feet"));
    check_list_free(&found);
}

static void turned_axes(void **state)
{
    (void)state;
    static const struct {
        double degrees;
        int severity; /* -1: none */
    } cases[] = {{0, -1}, {10, -1}, {20, CHECK_NOTE}, {40, CHECK_WARNING}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const double angle = cases[i].degrees * 3.14159265358979 / 180;
        volume v = {.grid = {.shape_ijk = {99, 99, 99},
                             .voxel_to_world = {{1, 0, 0, 0}, {0, cos(angle), -sin(angle), 0}, {0, sin(angle), cos(angle), 0}}},
                    .volumes_in_file = 1};
        check_list found = header_checked(&v, NULL);
        const check_finding *f = check_find(&found, "axes-oblique", CHECK_SCAN);
        assert_int_equal(f ? (int)f->severity : -1, cases[i].severity);
        check_list_free(&found);
    }
}

/* What the reader noticed gets a code each. */
static void the_readers_warnings_have_codes(void **state)
{
    (void)state;
    static const struct {
        unsigned bit;
        const char *code;
    } cases[] = {
        {VOLUME_WARNS_NO_FORM, "header-no-position"},       {VOLUME_WARNS_FORM_REPAIRED, "header-form-repaired"},
        {VOLUME_WARNS_SHEARED, "axes-sheared"},             {VOLUME_WARNS_LEFT_HANDED, "axes-mirrored"},
        {VOLUME_WARNS_TRAILING, "file-too-long"},           {VOLUME_WARNS_UNITS, "header-units"},
        {VOLUME_WARNS_FORMS_DIFFER, "header-forms-differ"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        volume v = grid_only(99, 99, 99, 1, 1, 1);
        assert_false(header_has(&v, NULL, cases[i].code));
        v.warnings = cases[i].bit;
        assert_true(header_has(&v, NULL, cases[i].code));
    }
    volume several = grid_only(99, 99, 99, 1, 1, 1);
    assert_false(header_has(&several, NULL, "several-volumes"));
    several.volumes_in_file = 3;
    assert_true(header_has(&several, NULL, "several-volumes"));
}

static void forms_that_exchange_sides_are_serious_and_shifted_ones_are_not(void **state)
{
    (void)state;
    volume v = grid_only(99, 99, 99, 1, 1, 1);
    v.warnings = VOLUME_WARNS_FORMS_DIFFER;
    memcpy(v.form.srow_mm, v.grid.voxel_to_world, sizeof v.form.srow_mm);
    v.form.pixdim[0] = v.form.pixdim[1] = v.form.pixdim[2] = v.form.pixdim[3] = 1;
    v.form.quaternion_offset_mm[0] = 30;
    assert_true(header_has(&v, NULL, "header-forms-differ"));
    assert_false(header_has(&v, NULL, "header-sides-contradict"));
    v.form.quaternion_bcd[2] = 1; /* half a turn about the long axis: left and right, front and back */
    assert_true(header_has(&v, NULL, "header-sides-contradict"));
    assert_false(header_has(&v, NULL, "header-forms-differ"));
}

/* ---------------------------------------------------------------- real scans */

/* Nothing serious is said of scans that are what they are said to be; and every CT is noticed when it is called MR. */
static void real_scans_raise_no_false_alarm(void **state)
{
    (void)state;
    static const struct {
        const char *path, *modality;
    } scans[] = {
        {"torso/images/ct_a", "ct"},   {"torso/images/ct_c", "ct"},    {"torso/images/ct_f", "ct"},    {"spine/images/ct_lumbar", "ct"},
        {"images/ct_neck", "ct"},      {"pet/images/ct_sts_002", "ct"}, {"torso/images/mr_e", "mri"},   {"spine/images/mr_spine", "mri"},
        {"images/t1_head", "mri"},     {"cord/images/t1", "mri"},       {"cord/images/t2", "mri"},      {"pet/images/pet_hn", "pet"},
        {"pet/images/mr_sts_002", "mri"}, {"pet/images/pet_sts_002", "pet"}, {"lesion/images/mr_brain_a", "mri"},
    };
    int seen = 0;
    for (size_t i = 0; i < sizeof scans / sizeof *scans; i++) {
        char name[128];
        snprintf(name, sizeof name, "data/%s.nii.gz", scans[i].path);
        const char *path = shared_path(name);
        if (!path) continue;
        volume v;
        sat_error error = {0};
        assert_int_equal(volume_read(path, 0, &v, &error), SAT_OK);
        check_list found = checked(&v, scans[i].modality, NULL);
        for (size_t n = 0; n < found.count; n++)
            if (found.items[n].severity >= CHECK_WARNING) fail_msg("%s: %s", name, found.items[n].text);
        check_list_free(&found);
        if (strcmp(scans[i].modality, "ct") != 0) {
            found = checked(&v, "ct", NULL);
            if (check_count(&found, CHECK_WARNING) == 0) fail_msg("%s passes for a ct", name);
            check_list_free(&found);
        }
        volume_free(&v);
        seen++;
    }
    if (!seen) {
        print_message("             SKIPPED: no real scans here (../shared/data)\n");
        skip();
    }
    print_message("             %d real scans\n", seen);
}

static void findings_as_json(void **state)
{
    (void)state;
    check_list list = {0};
    check_add(&list, "constant", CHECK_SERIOUS, CHECK_SCAN, "all voxels have the value %d", 7);
    check_add(&list, "found-nothing", CHECK_WARNING, 2, "nothing");
    json_t *scan = check_list_json(&list, CHECK_SCAN), *prompt = check_list_json(&list, 2);
    char *text = json_dumps(scan, JSON_COMPACT);
    assert_string_equal(text, "[{\"code\":\"constant\",\"severity\":\"serious\",\"text\":\"all voxels have the value 7\"}]");
    assert_int_equal(json_array_size(prompt), 1);
    free(text);
    json_decref(scan);
    json_decref(prompt);
    check_list_free(&list);
    check_list_free(&list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_check_of_values_triggers_where_it_should_and_not_where_it_should_not),
        cmocka_unit_test(good_scans_have_no_findings),
        cmocka_unit_test(modality_words_are_judged),
        cmocka_unit_test(a_lonely_voxel_of_air_is_enough_and_threads_do_not_matter),
        cmocka_unit_test(spacing_and_field_of_view),
        cmocka_unit_test(axes_are_named_as_the_patient_has_them),
        cmocka_unit_test(turned_axes),
        cmocka_unit_test(the_readers_warnings_have_codes),
        cmocka_unit_test(forms_that_exchange_sides_are_serious_and_shifted_ones_are_not),
        cmocka_unit_test(real_scans_raise_no_false_alarm),
        cmocka_unit_test(findings_as_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
