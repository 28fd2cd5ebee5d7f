/* A scan's whole way with a formula in the network's place, against the golden masks (golden/pipeline/README.md):
 * standard form, windows, merging, the way back. Shows how the four headers are used together. */
#include "tests/support/cmocka.h"
#include "tests/support/golden.h"

#include "image/volume_file.h"
#include "segment/merge.h"
#include "segment/restore.h"
#include "segment/standardise.h"
#include "segment/windows.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const cases[] = {"ct_long", "ct_lps_thick", "ct_many_windows", "ct_ras_plain", "ct_sheared_left_handed", "mr_asl_uint8",
                                    "mr_oblique_centre", "mr_spine_asr", "mr_zero_background", "pet_no_forms"};
enum { CASES = sizeof cases / sizeof *cases };

static const char *case_path(const char *name, const char *file)
{
    char path[256];
    snprintf(path, sizeof path, "pipeline/%s/%s", name, file);
    return golden_path(path);
}

/* fake_probability() of make_golden_pipeline.py: what window `number` "predicts" for a query at planes [x0, x1). */
static void fake_probability(const window_list *windows, size_t number, int query, int x0, int x1, float *p)
{
    const double centre[3] = {0.25 - 0.4 * query, 0.15 * query - 0.2, 0.1 - 0.2 * query}, radius = 0.75 - 0.2 * query;
    const int32_t *from = windows->boxes[number].from;
    for (int x = x0; x < x1; x++)
        for (int y = 0; y < windows->size[1]; y++)
            for (int z = 0; z < windows->size[2]; z++) {
                const double at[3] = {(double)x + from[0], (double)y + from[1], (double)z + from[2]};
                double square = 0;
                for (int a = 0; a < 3; a++) {
                    const double u = (2 * at[a] + 1) / (double)windows->shape[a] - 1 - centre[a];
                    square += u * u;
                }
                const double logit = 5 * (radius - sqrt(square)) +
                                     0.9 * sin(0.37 * at[0] + 0.21 * at[1] + 0.53 * at[2] + 1.7 * (double)number + query);
                *p++ = (float)(1 / (1 + exp(-logit)));
            }
}

/* All windows, in slabs of `planes`, threads over prompts and slabs. */
static void run_windows(merge *m, const window_list *windows, int queries, int planes, int threads)
{
    const int slabs = (windows->size[0] + planes - 1) / planes;
    const size_t plane = (size_t)windows->size[1] * (size_t)windows->size[2];
    for (size_t w = 0; w < windows->count; w++) {
#pragma omp parallel for collapse(2) num_threads(threads) schedule(dynamic)
        for (int query = 0; query < queries; query++)
            for (int slab = 0; slab < slabs; slab++) {
                const int x0 = slab * planes, x1 = x0 + planes < windows->size[0] ? x0 + planes : windows->size[0];
                if (x0 >= windows->boxes[w].to[0] - windows->boxes[w].from[0] || !merge_wants(m, query)) continue;
                float *p = malloc((size_t)(x1 - x0) * plane * sizeof *p);
                fake_probability(windows, w, query, x0, x1, p);
                merge_add(m, w, query, x0, x1, p);
                free(p);
            }
        merge_window_done(m, w, threads);
    }
}

/* Collects a mask and its probabilities. */
typedef struct collected {
    uint8_t *mask;
    float *probability;
    size_t masks, probabilities, empty;
} collected;

static sat_status collect_mask(void *context, const uint8_t *mask, size_t voxels, sat_error *error)
{
    collected *c = context;
    (void)error;
    memcpy(c->mask + c->masks, mask, voxels);
    c->masks += voxels;
    return SAT_OK;
}

static sat_status collect_probability(void *context, const float *probability, size_t voxels, sat_error *error)
{
    collected *c = context;
    (void)error;
    memcpy(c->probability + c->probabilities, probability, voxels * sizeof *probability);
    c->probabilities += voxels;
    return SAT_OK;
}

/* Voxels in which the masks differ; fails where one differs whose probability is not within 1e-5 of a half. */
static int64_t compare_masks(const char *name, const char *kind, int query, const uint8_t *mask, const float *probability,
                             const uint8_t *golden, size_t voxels)
{
    int64_t different = 0;
    for (size_t n = 0; n < voxels; n++) {
        if (mask[n] == golden[n]) continue;
        different++;
        if (fabsf(probability[n] - 0.5f) >= 1e-5f)
            fail_msg("%s: %s mask of query %d differs at voxel %zu, probability %.8g", name, kind, query, n, (double)probability[n]);
    }
    return different;
}

/* The processed grid is [x][y][z] with z fastest; a NIfTI file has its first axis fastest. */
static uint8_t *read_processed_mask(const char *name, int query, const int64_t shape[3])
{
    char file[64];
    snprintf(file, sizeof file, "mask_processed_q%d.nii.gz", query);
    volume v;
    sat_error error = {0};
    if (volume_read(case_path(name, file), -1, &v, &error) != SAT_OK) fail_msg("%s: %s", name, error.message);
    assert_memory_equal(v.grid.shape_ijk, shape, sizeof v.grid.shape_ijk);
    uint8_t *mask = malloc(volume_voxels(&v));
    const uint8_t *stored = v.stored;
    for (int64_t z = 0; z < shape[2]; z++)
        for (int64_t y = 0; y < shape[1]; y++)
            for (int64_t x = 0; x < shape[0]; x++)
                mask[(x * shape[1] + y) * shape[2] + z] = *stored++;
    volume_free(&v);
    return mask;
}

static void check_query(const char *name, int query, const standard_scan *scan, const merge *m, restore *back, const json_t *merged)
{
    const int64_t *n = scan->grid.shape_xyz, *f = scan->grid.scan.shape_ijk;
    const size_t processed_voxels = (size_t)(n[0] * n[1] * n[2]), scan_voxels = (size_t)(f[0] * f[1] * f[2]);
    float *probability = malloc(processed_voxels * sizeof *probability);
    uint8_t *processed = malloc(processed_voxels), *golden = read_processed_mask(name, query, n);
    const int64_t voxels = merge_dense(m, query, probability, processed);
    const int64_t off = compare_masks(name, "processed", query, processed, probability, golden, processed_voxels);
    assert_true(llabs(voxels - json_integer_value(json_array_get(json_object_get(merged, "processed_voxels"), (size_t)query))) <= off);
    double sum = 0;
    for (size_t at = 0; at < processed_voxels; at++)
        sum += (double)probability[at];
    const double golden_sum = json_number_value(json_array_get(json_object_get(merged, "merged_sum"), (size_t)query));
    assert_true(fabs(sum - golden_sum) <= 1e-6 * golden_sum);

    char file[64];
    snprintf(file, sizeof file, "mask_scan_q%d.nii.gz", query);
    volume v;
    assert_int_equal(volume_read(case_path(name, file), -1, &v, NULL), SAT_OK);
    assert_int_equal(volume_voxels(&v), scan_voxels);
    collected c = {.mask = malloc(scan_voxels), .probability = malloc(scan_voxels * sizeof(float))};
    const restore_sink sink = {&c, collect_mask, collect_probability, NULL};
    restore_found found;
    sat_error error = {0};
    assert_int_equal(restore_prompt(back, m, query, &sink, &found, &error), SAT_OK);
    assert_true(c.masks == scan_voxels && c.probabilities == scan_voxels);
    compare_masks(name, "scan", query, c.mask, c.probability, v.stored, scan_voxels);
    int64_t counted = 0;
    for (size_t at = 0; at < scan_voxels; at++)
        counted += c.mask[at];
    assert_int_equal(counted, found.voxels);
    volume_free(&v);
    free(c.mask);
    free(c.probability);
    free(probability);
    free(processed);
    free(golden);
}

static void golden_masks_come_out(void **state)
{
    (void)state;
    for (size_t n = 0; n < CASES; n++) {
        sat_error error = {0};
        json_t *expected = json_load_file(case_path(cases[n], "expected.json"), 0, NULL);
        const json_t *merged = json_object_get(expected, "merge");
        volume v;
        assert_int_equal(volume_read(case_path(cases[n], "image.nii.gz"), -1, &v, &error), SAT_OK);
        const standard_settings settings = {.modality = json_string_value(json_object_get(expected, "modality")),
                                            .orientation_code = json_string_value(json_object_get(expected, "orientation_code")),
                                            .spacing_mm = {1, 1, 3}, .intensity = {-500, 1000, 0.5, 99.5}, .threads = 2};
        standard_scan scan;
        assert_int_equal(standard_make(&v, &settings, &scan, &error), SAT_OK);
        int size[3];
        for (size_t a = 0; a < 3; a++)
            size[a] = (int)json_integer_value(json_array_get(json_object_get(merged, "window"), a));
        window_list windows;
        window_weights weights;
        assert_int_equal(windows_make(scan.grid.shape_xyz, size, 0.5, &windows, &error), SAT_OK);
        assert_int_equal(json_array_size(json_object_get(merged, "windows")), windows.count);
        assert_int_equal(window_weights_make(size, 2, &weights, &error), SAT_OK);
        const int queries = (int)json_integer_value(json_object_get(merged, "queries"));
        merge_settings how = {.windows = &windows, .weights = &weights, .prompts = queries, .budget_bytes = (size_t)1 << 30,
                              .tolerance = 0, .keep_probabilities = true, .threads = 2};
        merge *m;
        restore *back;
        assert_int_equal(merge_open(&how, &m, &error), SAT_OK);
        assert_int_equal(restore_open(&scan.grid, true, 2, &back, &error), SAT_OK);
        run_windows(m, &windows, queries, 5, 2);
        for (int query = 0; query < queries; query++) {
            assert_true(merge_complete(m, query));
            check_query(cases[n], query, &scan, m, back, merged);
        }
        restore_close(back);
        merge_close(m);
        window_weights_free(&weights);
        windows_free(&windows);
        standard_free(&scan);
        volume_free(&v);
        json_decref(expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(golden_masks_come_out)};
    return cmocka_run_group_tests_name("segment/golden_masks", tests, NULL, NULL);
}
