/* --compat against what the release would write for a golden scan: headers byte for byte, voxels equal (the processed volume to
 * float32 rounding), the same files and no others. */
#include "tests/support/cmocka.h"
#include "tests/support/golden.h"

#include "base/file.h"
#include "image/gzip.h"
#include "image/volume_file.h"
#include "segment/compat.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const labels[] = {"liver", "Left Kidney"};

static void check(sat_status status, const sat_error *error)
{
    if (status != SAT_OK) fail_msg("%s: %s", error->file, error->message);
}

/* As fake_probability() of make_golden_pipeline.py, for the one window of this case. */
static void fake_probability(const window_list *windows, int query, float *p)
{
    const double centre[3] = {0.25 - 0.4 * query, 0.15 * query - 0.2, 0.1 - 0.2 * query}, radius = 0.75 - 0.2 * query;
    for (int x = 0; x < windows->size[0]; x++)
        for (int y = 0; y < windows->size[1]; y++)
            for (int z = 0; z < windows->size[2]; z++) {
                const int at[3] = {x, y, z};
                double square = 0;
                for (int a = 0; a < 3; a++) {
                    const double u = (2.0 * at[a] + 1) / (double)windows->shape[a] - 1 - centre[a];
                    square += u * u;
                }
                const double logit = 5 * (radius - sqrt(square)) + 0.9 * sin(0.37 * x + 0.21 * y + 0.53 * z + query);
                *p++ = (float)(1 / (1 + exp(-logit)));
            }
}

/* The release's files for the scan `image`, below `folder`. */
static void write_all(const char *image, const char *folder, int threads)
{
    sat_error error = {0};
    volume v;
    standard_scan scan;
    window_list windows;
    window_weights weights;
    merge *m;
    compat c;
    check(volume_read(image, -1, &v, &error), &error);
    const standard_settings settings = {.modality = "ct", .spacing_mm = {1, 1, 3}, .intensity = {-500, 1000, 0.5, 99.5}, .threads = threads};
    check(standard_make(&v, &settings, &scan, &error), &error);
    check(windows_make(scan.grid.shape_xyz, (const int[]){288, 288, 96}, 0.5, &windows, &error), &error);
    assert_int_equal(windows.count, 1);
    check(window_weights_make(windows.size, threads, &weights, &error), &error);
    const merge_settings how = {.windows = &windows, .weights = &weights, .prompts = 2, .budget_bytes = (size_t)1 << 28,
                                .tolerance = MERGE_TOLERANCE, .threads = threads};
    check(merge_open(&how, &m, &error), &error);
    float *p = malloc((size_t)288 * 288 * 96 * sizeof *p);
    for (int query = 0; query < 2; query++) {
        fake_probability(&windows, query, p);
        merge_add(m, 0, query, 0, 288, p);
    }
    merge_window_done(m, 0, threads);
    const compat_names names = {folder, "Phantom", "image.nii.gz", labels, 2};
    check(compat_open(&names, threads, &c, &error), &error);
    check(compat_processed(&c, &scan, &error), &error);
    for (int query = 0; query < 2; query++) {
        int64_t voxels;
        check(compat_label(&c, query, m, &voxels, &error), &error);
        assert_true(voxels > 1000);
    }
    check(compat_end(&c, &error), &error);
    compat_close(&c);
    check(compat_copy_manifest(golden_path("pipeline/ct_ras_plain/compat/manifest.jsonl"), folder, &error), &error);
    free(p);
    merge_close(m);
    window_weights_free(&weights);
    windows_free(&windows);
    standard_free(&scan);
    volume_free(&v);
}

/* All bytes behind gzip; *size of them. */
static unsigned char *unpacked(const char *path, size_t *size)
{
    file_map file;
    sat_error error = {0};
    check(file_map_open(path, &file, &error), &error);
    uint32_t length; /* RFC 1952: the last four bytes */
    memcpy(&length, file.data + file.size - 4, sizeof length);
    unsigned char *bytes = malloc(length);
    bool longer;
    check(gzip_read(file.data, file.size, 0, bytes, length, &longer, &error), &error);
    file_map_close(&file);
    *size = length;
    return bytes;
}

static void files_equal_those_of_the_release(void **state)
{
    (void)state;
    static const char *const names[] = {"Phantom/img_image.nii.gz", "Phantom/seg_image.nii.gz", "Phantom/seg_image/liver.nii.gz",
                                        "Phantom/seg_image/Left Kidney.nii.gz"};
    char folder[600], path[900], golden[256];
    snprintf(folder, sizeof folder, "%s/release", temporary_folder());
    write_all(golden_path("pipeline/ct_ras_plain/image.nii.gz"), folder, 2);
    for (size_t n = 0; n < sizeof names / sizeof *names; n++) {
        size_t size, golden_size;
        snprintf(path, sizeof path, "%s/%s", folder, names[n]);
        snprintf(golden, sizeof golden, "pipeline/ct_ras_plain/compat/%s", names[n]);
        unsigned char *ours = unpacked(path, &size), *theirs = unpacked(golden_path(golden), &golden_size);
        assert_int_equal(size, golden_size);
        assert_memory_equal(ours, theirs, 352);
        if (n > 0) assert_memory_equal(ours, theirs, size);
        double most = 0;
        for (size_t at = 352; n == 0 && at < size; at += sizeof(float)) {
            float a, b;
            memcpy(&a, ours + at, sizeof a);
            memcpy(&b, theirs + at, sizeof b);
            if (fabs((double)a - b) > most) most = fabs((double)a - b);
        }
        if (n == 0) print_message("             processed volume: largest difference %.2g\n", most);
        assert_true(most <= 1e-5);
        free(ours);
        free(theirs);
    }
    file_map copy, manifest;
    sat_error error = {0};
    snprintf(path, sizeof path, "%s/manifest.jsonl", folder);
    check(file_map_open(path, &copy, &error), &error);
    check(file_map_open(golden_path("pipeline/ct_ras_plain/compat/manifest.jsonl"), &manifest, &error), &error);
    assert_int_equal(copy.size, manifest.size);
    assert_memory_equal(copy.data, manifest.data, copy.size);
    file_map_close(&copy);
    file_map_close(&manifest);
}

static void threads_do_not_matter(void **state)
{
    (void)state;
    static const char *const names[] = {"Phantom/img_image.nii.gz", "Phantom/seg_image.nii.gz", "Phantom/seg_image/liver.nii.gz"};
    char folder[600], one[700], seven[700], path[1000];
    snprintf(folder, sizeof folder, "%s", temporary_folder());
    snprintf(one, sizeof one, "%s/one", folder);
    snprintf(seven, sizeof seven, "%s/seven", folder);
    write_all(golden_path("pipeline/ct_ras_plain/image.nii.gz"), one, 1);
    write_all(golden_path("pipeline/ct_ras_plain/image.nii.gz"), seven, 7);
    for (size_t n = 0; n < sizeof names / sizeof *names; n++) {
        file_map a, b;
        sat_error error = {0};
        snprintf(path, sizeof path, "%s/%s", one, names[n]);
        check(file_map_open(path, &a, &error), &error);
        snprintf(path, sizeof path, "%s/%s", seven, names[n]);
        check(file_map_open(path, &b, &error), &error);
        assert_int_equal(a.size, b.size);
        assert_memory_equal(a.data, b.data, a.size);
        file_map_close(&a);
        file_map_close(&b);
    }
}

static void names_that_lead_elsewhere_are_refused(void **state)
{
    (void)state;
    static const struct { const char *dataset, *scan, *label; } bad[] = {
        {"..", "a.nii.gz", "liver"}, {"a/b", "a.nii.gz", "liver"}, {".", "a.nii.gz", "liver"}, {"A", "x/a.nii.gz", "liver"},
        {"A", "a.nii.gz", "liver/spleen"}, {"A", "a.nii.gz", "../liver"}};
    for (size_t n = 0; n < sizeof bad / sizeof *bad; n++) {
        compat c;
        sat_error error = {0};
        const compat_names names = {"out", bad[n].dataset, bad[n].scan, &bad[n].label, 1};
        assert_int_equal(compat_open(&names, 1, &c, &error), SAT_BAD_ARGUMENT);
        assert_true(strlen(error.message) > 20);
        compat_close(&c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_equal_those_of_the_release),
        cmocka_unit_test(threads_do_not_matter),
        cmocka_unit_test(names_that_lead_elsewhere_are_refused),
    };
    return cmocka_run_group_tests_name("segment/compat", tests, NULL, NULL);
}
