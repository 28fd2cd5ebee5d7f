/* What sat3d.h promises of scans, requests and results, beyond what the examples show. */
#include "tests/support/cmocka.h"
#include "tests/support/golden.h"

#include "base/file.h"
#include "model/convert.h"
#include "sat3d.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NI = 66, NJ = 64, NK = 33, VOXELS = NI * NJ * NK };
static const char *const prompts[] = {"liver", "spleen"};

static char folder[600], model_path[700];
static sat_model *model;
static int16_t voxels[VOXELS];

static void check(sat_status status, const sat_error *error)
{
    if (status != SAT_OK) fail_msg("%s: %s", error->file, error->message);
}

static int open_all(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "%s", temporary_folder());
    snprintf(model_path, sizeof model_path, "%s/tiny.safetensors", folder);
    convert_options o = convert_defaults();
    o.model_path = golden_path("tiny/tiny.pth");
    o.text_path = golden_path("text/tiny_text.pth");
    o.vocabulary_path = golden_path("vocab/mpnet-tiny.txt");
    o.output_path = model_path;
    o.query_heads = 4;
    const int window[3] = {64, 64, 32};
    memcpy(o.window, window, sizeof window);
    convert_report report;
    sat_error error = {0};
    sat_model_options options;
    sat_model_options_default(&options, sizeof options);
    options.dtype = SAT_FLOAT32;
    options.threads = 2;
    sat_status status = convert_checkpoints(&o, NULL, &report, &error);
    if (status == SAT_OK) status = sat_model_open(model_path, &options, &model, &error);
    if (status != SAT_OK) print_error("%s: %s\n", error.file, error.message);
    for (size_t n = 0; n < VOXELS; n++)
        voxels[n] = (int16_t)(100 + random_below(400, 5, n));
    return status == SAT_OK ? 0 : -1;
}

static int close_all(void **state)
{
    (void)state;
    sat_model_free(model);
    return 0;
}

/* Voxels of 1 x 1 x 3 mm, i to the patient's left (LAS). */
static sat_voxels usual_voxels(void)
{
    return (sat_voxels){.size = sizeof(sat_voxels), .voxels = voxels, .type = SAT_VOXEL_INT16, .shape_ijk = {NI, NJ, NK},
                        .voxel_to_world_mm = {{-1, 0, 0, 20}, {0, 1, 0, 5}, {0, 0, 3, -40}}};
}

static sat_volume *usual_volume(void)
{
    const sat_voxels from = usual_voxels();
    sat_volume *v;
    sat_error error = {0};
    check(sat_volume_make(&from, &v, &error), &error);
    return v;
}

static sat_request usual_request(void)
{
    sat_request request;
    sat_request_default(&request, sizeof request);
    request.prompts = prompts;
    request.prompt_count = 2;
    request.modality = "mri";
    return request;
}

/* ---------------------------------------------------------------- results */

static void masks_probabilities_and_numbers_agree(void **state)
{
    (void)state;
    sat_volume *v = usual_volume();
    sat_request request = usual_request();
    request.keep_probabilities = 1;
    sat_result *result;
    sat_error error = {0};
    check(sat_segment(model, v, &request, &result, &error), &error);
    bool mirrored = false; /* the scan's axes are: worth a note on the scan, no warning about the masks */
    const char *warning;
    for (int i = 0; (warning = sat_volume_warning(v, i)); i++)
        mirrored |= strstr(warning, "mirrored") != NULL;
    assert_true(mirrored);
    sat_volume_free(v); /* the result stands alone */
    assert_int_equal(sat_result_labels(result), 2);
    for (int index = 0; index < 2; index++) {
        uint8_t *mask;
        float *probability;
        sat_label label = {.size = sizeof label};
        check(sat_result_label(result, index, &label, &error), &error);
        check(sat_result_mask_new(result, index, &mask, &error), &error);
        check(sat_result_probability_new(result, index, &probability, &error), &error);
        assert_string_equal(label.name, prompts[index]);
        int64_t count = 0, between = 0;
        double sum[3] = {0}, values = 0;
        for (int n = 0; n < VOXELS; n++) {
            assert_true(mask[n] == (probability[n] > 0.5f) && probability[n] >= 0 && probability[n] <= 1);
            between += probability[n] > 0.01f && probability[n] < 0.99f;
            if (!mask[n]) continue;
            count++;
            sum[0] += 20 - n % NI;
            sum[1] += 5 + n / NI % NJ;
            sum[2] += 3 * (n / NI / NJ) - 40;
            values += voxels[n];
        }
        assert_true(label.voxels == count && between > 0);
        assert_true(fabs(label.volume_ml - 0.003 * (double)count) < 1e-9);
        for (int a = 0; a < 3 && count; a++)
            assert_true(fabs(label.centroid_mm[a] - sum[a] / (double)count) < 1e-6);
        assert_true(!count || fabs(label.mean - values / (double)count) < 1e-3);

        char path[800];
        snprintf(path, sizeof path, "%s/one.nii.gz", folder);
        check(sat_result_write_mask(result, index, path, &error), &error);
        check(sat_volume_read(path, -1, &v, &error), &error);
        double affine[3][4];
        int64_t shape[3];
        sat_volume_grid(v, shape, affine);
        assert_true(shape[0] == NI && shape[1] == NJ && shape[2] == NK && affine[0][0] == -1 && affine[2][3] == -40);
        sat_volume_free(v);

        assert_int_equal(sat_result_mask(result, index, mask, VOXELS - 1, &error), SAT_BAD_ARGUMENT);
        sat_free(mask);
        sat_free(probability);
    }
    assert_int_equal(sat_result_label(result, 2, &(sat_label){.size = sizeof(sat_label)}, &error), SAT_BAD_ARGUMENT);
    sat_result_free(result);
}

/* A file, its bytes, and its voxels are one scan. */
static void all_ways_in_give_the_same_scan(void **state)
{
    (void)state;
    const char *path = golden_path("tiny/tiny.pth");
    sat_volume *v;
    sat_error error = {0};
    assert_int_equal(sat_volume_read(path, -1, &v, &error), SAT_BAD_INPUT); /* not a scan */
    assert_null(v);
    sat_result *result;
    sat_request request = usual_request();
    uint8_t *masks[3] = {NULL};
    char file[900];
    snprintf(file, sizeof file, "%s/ones.nii", folder);
    for (int way = 0; way < 3; way++) {
        file_map map = {0};
        if (way == 0) {
            v = usual_volume();
        } else if (way == 1) {
            check(sat_volume_read(file, -1, &v, &error), &error);
        } else {
            check(file_map_open(file, &map, &error), &error);
            check(sat_volume_parse(map.data, map.size, -1, &v, &error), &error);
            file_map_close(&map);
        }
        assert_int_equal(sat_volume_voxels(v), VOXELS);
        check(sat_segment(model, v, &request, &result, &error), &error);
        if (way == 0) { /* for the other ways: the mask of one is the scan of the next */
            check(sat_result_write_mask(result, 0, file, &error), &error);
        } else {
            check(sat_result_mask_new(result, 1, &masks[way], &error), &error);
        }
        sat_result_free(result);
        sat_volume_free(v);
    }
    assert_memory_equal(masks[1], masks[2], VOXELS);
    sat_free(masks[1]);
    sat_free(masks[2]);
}

/* ---------------------------------------------------------------- what is refused */

static void wrong_scans_are_refused(void **state)
{
    (void)state;
    sat_volume *v;
    sat_error error = {0};
    sat_voxels from = usual_voxels();
    from.shape_ijk[1] = 0;
    assert_int_equal(sat_volume_make(&from, &v, &error), SAT_BAD_ARGUMENT);
    from.shape_ijk[1] = INT64_MAX / 2;
    assert_int_equal(sat_volume_make(&from, &v, &error), SAT_BAD_ARGUMENT);
    from = usual_voxels();
    from.voxel_to_world_mm[2][2] = 0;
    assert_int_equal(sat_volume_make(&from, &v, &error), SAT_BAD_ARGUMENT);
    from.voxel_to_world_mm[2][2] = (double)NAN;
    assert_int_equal(sat_volume_make(&from, &v, &error), SAT_BAD_ARGUMENT);
    from = usual_voxels();
    from.type = (sat_voxel_type)99;
    assert_int_equal(sat_volume_make(&from, &v, &error), SAT_BAD_ARGUMENT);
    from = usual_voxels();
    from.size = 8;
    assert_int_equal(sat_volume_make(&from, &v, &error), SAT_BAD_ARGUMENT);
    assert_null(v);
    assert_int_equal(sat_volume_parse("no scan", 7, -1, &v, &error), SAT_BAD_INPUT);
    assert_int_equal(sat_volume_read(NULL, -1, &v, NULL), SAT_BAD_ARGUMENT);
}

static sat_status refused(sat_request request, const char *words)
{
    sat_volume *v = usual_volume();
    sat_result *result;
    sat_error error = {0};
    const sat_status status = sat_segment(model, v, &request, &result, &error);
    assert_null(result);
    if (!strstr(error.message, words)) fail_msg("'%s' does not say '%s'", error.message, words);
    sat_volume_free(v);
    return status;
}

static void wrong_requests_are_refused(void **state)
{
    (void)state;
    sat_request r = usual_request();
    r.prompt_count = 0;
    assert_int_equal(refused(r, "nothing to segment"), SAT_BAD_ARGUMENT);
    r = usual_request();
    r.prompts = (const char *const[]){"liver", " "};
    assert_int_equal(refused(r, "prompt 2 of 2 is empty"), SAT_BAD_ARGUMENT);
    r = usual_request();
    r.modality = NULL;
    assert_int_equal(refused(r, "which modality"), SAT_BAD_ARGUMENT);
    r = usual_request();
    r.modality = "x-ray";
    assert_int_equal(refused(r, "no modality 'x-ray'"), SAT_BAD_ARGUMENT);
    r = usual_request();
    r.overlap = 1;
    assert_int_equal(refused(r, "overlap"), SAT_BAD_ARGUMENT);
    r = usual_request();
    r.orientation = "RAX";
    assert_int_equal(refused(r, "RA"), SAT_BAD_ARGUMENT);
    assert_int_equal(sat_segment(NULL, NULL, &r, &(sat_result *){NULL}, NULL), SAT_BAD_ARGUMENT);
}

/* A limit is kept, or refused with the least that would do, results included. */
static void the_plan_is_what_the_limit_is_compared_with(void **state)
{
    (void)state;
    sat_volume *v = usual_volume();
    sat_request request = usual_request();
    sat_plan plan = {.size = sizeof plan}, more = {.size = sizeof more};
    sat_error error = {0};
    check(sat_segment_plan(model, v, &request, &plan, &error), &error);
    assert_true(plan.windows >= 4 && plan.total_bytes <= plan.limit_bytes && plan.result_bytes >= 2 * VOXELS / 8);
    request.keep_probabilities = 1;
    check(sat_segment_plan(model, v, &request, &more, &error), &error);
    assert_true(more.result_bytes - plan.result_bytes >= 2 * VOXELS * sizeof(float));
    assert_true(more.least_bytes >= plan.least_bytes + 2 * VOXELS * sizeof(float));
    sat_model *small;
    sat_model_options options;
    sat_model_options_default(&options, sizeof options);
    options.threads = 2;
    options.dtype = SAT_FLOAT32;
    options.max_memory_bytes = plan.least_bytes / 2;
    check(sat_model_open(model_path, &options, &small, &error), &error);
    sat_result *result;
    assert_int_equal(sat_segment(small, v, &request, &result, &error), SAT_NO_MEMORY);
    assert_int_equal(sat_segment_plan(small, v, &request, &more, NULL), SAT_NO_MEMORY);
    assert_true(more.least_bytes > plan.least_bytes / 2);
    sat_model_free(small);
    sat_volume_free(v);
}

/* ---------------------------------------------------------------- structs that grow */

static void older_and_newer_programs_are_understood(void **state)
{
    (void)state;
    struct newer {
        sat_model_options known;
        uint64_t unknown;
    } options;
    sat_model *m;
    sat_error error = {0};
    sat_model_options_default(&options.known, sizeof options);
    assert_true(options.known.size == sizeof options && options.unknown == 0);
    check(sat_model_open(model_path, &options.known, &m, &error), &error);
    sat_model_free(m);
    options.unknown = 1;
    assert_int_equal(sat_model_open(model_path, &options.known, &m, &error), SAT_BAD_ARGUMENT);
    assert_non_null(strstr(error.message, "does not know"));
    struct {
        sat_model_description known;
        uint64_t unknown;
    } description = {{.size = sizeof description}, 7};
    check(sat_model_describe(model, &description.known, &error), &error);
    assert_int_equal(description.unknown, 0);
    assert_string_equal(description.known.variant, "tiny");
    assert_int_equal(strlen(description.known.identity), 64);
    assert_int_equal(description.known.window_voxels[2], 32);
    sat_model_description forgotten = {0};
    assert_int_equal(sat_model_describe(model, &forgotten, &error), SAT_BAD_ARGUMENT);
}

static void null_is_freed(void **state)
{
    (void)state;
    sat_model_free(NULL);
    sat_volume_free(NULL);
    sat_result_free(NULL);
    sat_free(NULL);
    sat_model *m = NULL;
    sat_error error = {0};
    assert_int_equal(sat_model_open("no/such/model", NULL, &m, &error), SAT_IO);
    assert_null(m);
    assert_string_equal(error.file, "no/such/model");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(masks_probabilities_and_numbers_agree),
        cmocka_unit_test(all_ways_in_give_the_same_scan),
        cmocka_unit_test(wrong_scans_are_refused),
        cmocka_unit_test(wrong_requests_are_refused),
        cmocka_unit_test(the_plan_is_what_the_limit_is_compared_with),
        cmocka_unit_test(older_and_newer_programs_are_understood),
        cmocka_unit_test(null_is_freed),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
