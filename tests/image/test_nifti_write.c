#define _GNU_SOURCE /* memmem */
/* What is written must lie where the scan lies, say nothing of the patient, and not depend on threads. */
#include "tests/image/raw_nifti.h"
#include "tests/support/cmocka.h"
#include "tests/support/golden.h"

#include "image/geometry.h"
#include "image/nifti.h"
#include "image/orientation.h"
#include "image/volume_file.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[1100];

static int make_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "%s", temporary_folder());
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    return rmdir(folder); /* fails when a test left something behind */
}

static const char *in_folder(const char *name)
{
    static char path[1300];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static volume parse(const raw_nifti *r)
{
    volume v;
    sat_error error = {0};
    if (nifti_parse(r->bytes, r->size, -1, &v, &error) != SAT_OK) fail_msg("refused: %s", error.message);
    return v;
}

static volume read_back(const char *path)
{
    volume v;
    sat_error error = {0};
    if (volume_read(path, -1, &v, &error) != SAT_OK) fail_msg("%s: %s", path, error.message);
    remove(path);
    return v;
}

static void all_types_come_back_plain_and_packed(void **state)
{
    (void)state;
    for (int type = VOXEL_UINT8; type <= VOXEL_FLOAT64; type++)
        for (int version = 1; version <= 2; version++)
            for (int packed = 0; packed < 2; packed++) {
                const char *path = in_folder(packed ? "m.nii.gz" : "m.nii");
                raw_nifti r;
                raw_begin(&r, version, false, 5, 3, 7, 2, 1);
                volume scan = parse(&r), v;
                unsigned char voxels[105 * 8];
                for (size_t n = 0; n < sizeof voxels; n++)
                    voxels[n] = (unsigned char)random_below(120, 3, n); /* small exponents: finite floats */
                sat_error error = {0};
                assert_int_equal(nifti_write_like(path, &scan, (voxel_type)type, voxels, NULL, NULL, &error), SAT_OK);
                v = read_back(path);
                assert_int_equal(v.type, type);
                assert_memory_equal(v.stored, voxels, 105 * voxel_bytes((voxel_type)type));
                assert_memory_equal(&v.grid, &scan.grid, sizeof v.grid);
                assert_memory_equal(&v.form, &scan.form, sizeof v.form);
                assert_false(v.scaled);
                assert_int_equal(v.warnings, scan.warnings);
                volume_free(&v);
                volume_free(&scan);
            }
}

/* Any header that can be read: the mask written for it is read at the same place, with the same forms. */
static void a_mask_lies_on_its_scan_whatever_the_header(void **state)
{
    (void)state;
    int tried = 0;
    for (uint64_t key = 0; key < 100; key++) {
        raw_nifti r;
        raw_begin(&r, 1 + (int)(key % 2), key / 2 % 2, 4, 5, 6, 2, 1);
        double rows[3][4];
        for (size_t n = 0; n < 12; n++)
            rows[n / 4][n % 4] = (double)random_below(4000, key, n) / 1000 - 2 + (n % 4 == 3 ? 90 : 0);
        raw_sform(&r, rows);
        raw_qform(&r, (double)random_below(1000, key, 20) / 2000, (double)random_below(1000, key, 21) / 2000, -0.4, 3, 4, 5);
        raw_pixdim(&r, 0, random_below(2, key, 22) ? -1 : 1);
        raw_codes(&r, (int)random_below(5, key, 23), (int)random_below(3, key, 24));
        const bool three_axes = random_below(3, key, 25) > 0;
        raw_dim(&r, 0, three_axes ? 3 : 4);
        raw_pixdim(&r, 4, (double)random_below(2, key, 26));
        volume scan, v;
        sat_error error = {0};
        if (nifti_parse(r.bytes, r.size, -1, &scan, &error) != SAT_OK) continue;
        tried++;
        unsigned warnings;
        unsigned char voxels[120];
        for (size_t n = 0; n < 120; n++)
            voxels[n] = (unsigned char)n;
        assert_int_equal(nifti_write_like(in_folder("m.nii"), &scan, VOXEL_UINT8, voxels, NULL, &warnings, &error), SAT_OK);
        v = read_back(in_folder("m.nii"));
        assert_true(geometry_same(&v.grid, &scan.grid, 1e-3));
        if (three_axes) assert_memory_equal(&v.form, &scan.form, offsetof(volume_form, pixdim) + 4 * sizeof(double));
        assert_int_equal(warnings != 0, scan.form.sform_code != 0 && affine_shear(scan.form.srow_mm) > 1e-4);
        volume_free(&v);
        volume_free(&scan);
    }
    assert_true(tried > 50);
}

/* With four axes the rule for repairs can come out differently than it will for the mask with three. */
static void a_mask_lies_on_a_4d_scan_whose_forms_contradict(void **state)
{
    (void)state;
    raw_nifti r;
    raw_begin(&r, 1, false, 4, 5, 6, 2, 1);
    const double wrong[3][4] = {{9, 0, 0, 5}, {0, 9, 0, 5}, {0, 0, 9, 5}};
    raw_sform(&r, wrong);
    raw_qform(&r, 0, 0, 0, 1, 2, 3);
    raw_codes(&r, 1, 1);
    raw_dim(&r, 0, 4);
    volume scan = parse(&r), v;
    assert_true(scan.grid.voxel_to_world[0][0] == 9);
    const unsigned char voxels[120] = {0};
    sat_error error = {0};
    assert_int_equal(nifti_write_like(in_folder("m.nii"), &scan, VOXEL_UINT8, voxels, NULL, NULL, &error), SAT_OK);
    v = read_back(in_folder("m.nii"));
    assert_true(geometry_same(&v.grid, &scan.grid, 1e-3));
    assert_int_equal(v.form.sform_code, 1);
    volume_free(&v);
    volume_free(&scan);
}

static void nothing_of_the_patient_is_copied(void **state)
{
    (void)state;
    for (int version = 1; version <= 2; version++) {
        raw_nifti r;
        raw_begin(&r, version, false, 4, 5, 6, 2, 1);
        memcpy(r.bytes + (version == 2 ? 240 : 148), "DOE^JANE", 8);
        memcpy(r.bytes + (version == 2 ? 320 : 228), "DOE^JANE", 8);
        memcpy(r.bytes + (version == 2 ? 508 : 328), "DOE^JANE", 8);
        volume scan = parse(&r);
        const unsigned char voxels[120] = {0};
        sat_error error = {0};
        const nifti_write_options options = {.description = "sat3d mask"};
        assert_int_equal(nifti_write_like(in_folder("m.nii"), &scan, VOXEL_UINT8, voxels, &options, NULL, &error), SAT_OK);
        file_map map;
        assert_int_equal(file_map_open(in_folder("m.nii"), &map, &error), SAT_OK);
        assert_null(memmem(map.data, map.size, "DOE", 3));
        assert_non_null(memmem(map.data, map.size, "sat3d mask", 11));
        assert_int_equal(map.size, (version == 2 ? 544 : 352) + 120);
        file_map_close(&map);
        remove(in_folder("m.nii"));
        volume_free(&scan);
    }
}

static void a_description_is_cut_between_characters(void **state)
{
    (void)state;
    char text[200];
    memset(text, 'x', sizeof text);
    memcpy(text + 77, "\xe2\x82\xac", 3); /* a euro sign at 77, 78, 79: the 80th byte is the final zero */
    text[199] = '\0';
    const nifti_write_options options = {.description = text};
    const geometry grid = {{1, 1, 1}, {{1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 1, 0}}};
    sat_error error = {0};
    assert_int_equal(nifti_write(in_folder("m.nii"), &grid, VOXEL_UINT8, "", &options, NULL, &error), SAT_OK);
    file_map map;
    assert_int_equal(file_map_open(in_folder("m.nii"), &map, &error), SAT_OK);
    assert_memory_equal(map.data + 148, text, 77);
    assert_int_equal(map.data[148 + 77], 0);
    file_map_close(&map);
    remove(in_folder("m.nii"));
}

static void any_grid_gets_forms_that_mean_it(void **state)
{
    (void)state;
    for (uint64_t key = 0; key < 60; key++) {
        geometry grid = {.shape_ijk = {3, 4, 5}};
        double rotation[3][4];
        const double quaternion[3] = {(double)random_below(1000, key, 0) / 1000 - 0.5, (double)random_below(1000, key, 1) / 1000 - 0.5,
                                      (double)random_below(1000, key, 2) / 1000 - 0.5};
        const double spacing[3] = {0.3 + (double)random_below(400, key, 3) / 100, 0.7, 5}, offset[3] = {-200, 30, 1234.5};
        assert_true(affine_from_quaternion(quaternion, offset, spacing, random_below(2, key, 4) ? 1 : -1, 0, rotation));
        memcpy(grid.voxel_to_world, rotation, sizeof rotation);
        const bool sheared = random_below(3, key, 5) == 0;
        if (sheared) grid.voxel_to_world[1][2] += 0.4 * spacing[2];
        unsigned warnings;
        sat_error error = {0};
        const int16_t voxels[60] = {1, 2, 3};
        const nifti_write_options options = {.slope = 0.5, .intercept = -10, .threads = 2};
        assert_int_equal(nifti_write(in_folder("g.nii.gz"), &grid, VOXEL_INT16, voxels, &options, &warnings, &error), SAT_OK);
        volume v = read_back(in_folder("g.nii.gz"));
        assert_true(geometry_same(&v.grid, &grid, 1e-3));
        float value;
        volume_values(&v, 1, 1, &value);
        assert_true(value == -9);
        assert_int_equal(v.form.sform_code, 1);
        assert_int_equal(v.form.qform_code, !sheared);
        assert_int_equal(warnings, sheared ? VOLUME_WARNS_SHEARED : 0);
        if (!sheared) {
            double qform[3][4];
            assert_true(affine_from_quaternion(v.form.quaternion_bcd, v.form.quaternion_offset_mm, v.form.pixdim + 1,
                                               v.form.pixdim[0], 3.6e-7, qform));
            assert_true(affine_corner_distance_mm(qform, grid.voxel_to_world, grid.shape_ijk) < 1e-3);
        }
        volume_free(&v);
    }
}

static void an_analyze_scans_mask_lies_on_it(void **state)
{
    (void)state;
    for (int origin = 0; origin < 2; origin++) {
        raw_nifti r;
        raw_begin(&r, 1, false, 4, 5, 6, 2, 1);
        memset(r.bytes + 148, 0, 200);
        raw_slope(&r, 0, 0);
        raw_real(&r, 108, 0, 0);
        if (origin) r.bytes[253] = r.bytes[255] = r.bytes[257] = 2;
        volume scan, v;
        sat_error error = {0};
        assert_int_equal(nifti_parse_pair(r.bytes, 348, r.bytes + 352, 120, -1, &scan, &error), SAT_OK);
        assert_int_equal(nifti_write_like(in_folder("m.nii"), &scan, VOXEL_UINT8, scan.stored, NULL, NULL, &error), SAT_OK);
        v = read_back(in_folder("m.nii"));
        assert_true(geometry_same(&v.grid, &scan.grid, 1e-3));
        assert_int_equal(v.form.sform_code, origin ? 2 : 0);
        volume_free(&v);
        volume_free(&scan);
    }
}

static void a_long_axis_makes_it_nifti_2(void **state)
{
    (void)state;
    const geometry grid = {{40000, 1, 1}, {{1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 1, 0}}};
    sat_error error = {0};
    assert_int_equal(nifti_write(in_folder("m.nii.gz"), &grid, VOXEL_UINT8, NULL, NULL, NULL, &error), SAT_OK);
    volume v = read_back(in_folder("m.nii.gz"));
    assert_int_equal(v.form.nifti_version, 2);
    assert_int_equal(v.grid.shape_ijk[0], 40000);
    volume_free(&v);
    const geometry impossible = {{1, INT64_MAX, 3}, {{1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 1, 0}}};
    assert_int_equal(nifti_write(in_folder("m.nii"), &impossible, VOXEL_UINT8, NULL, NULL, NULL, &error), SAT_BAD_ARGUMENT);
    assert_non_null(strstr(error.file, "m.nii"));
}

/* 70 x 60 x 300 voxels: several chunks. */
static void threads_and_slabs_give_the_same_file(void **state)
{
    (void)state;
    enum { NX = 70, NY = 60, NZ = 300, SLICE = NX * NY };
    const geometry grid = {{NX, NY, NZ}, {{1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 1, 0}}};
    unsigned char *mask = calloc(SLICE, NZ);
    assert_non_null(mask);
    for (size_t n = SLICE * 100; n < SLICE * 180; n++)
        mask[n] = random_below(9, 1, n) > 2;
    static const int threads[] = {1, 2, 7};
    file_map first = {0};
    sat_error error = {0};
    for (int way = 0; way < 9; way++) {
        const nifti_write_options options = {.threads = threads[way % 3], .level = GZIP_LEVEL_LABELS};
        const char *path = in_folder("m.nii.gz");
        nifti_writer w;
        assert_int_equal(nifti_writer_open(path, &grid, VOXEL_UINT8, &options, &w, &error), SAT_OK);
        const size_t slices = way < 3 ? NZ : way < 6 ? 1 : 20;
        for (size_t k = 0; k < NZ; k += slices) {
            const bool empty = k + slices <= 100 || k >= 180; /* known to be empty: no voxels needed */
            assert_int_equal(nifti_writer_add(&w, empty ? NULL : mask + k * SLICE, slices * SLICE, &error), SAT_OK);
        }
        assert_int_equal(nifti_writer_commit(&w, &error), SAT_OK);
        nifti_writer_abandon(&w);
        file_map map;
        assert_int_equal(file_map_open(path, &map, &error), SAT_OK);
        remove(path);
        if (way == 0) {
            first = map;
            volume v;
            assert_int_equal(nifti_parse(map.data, map.size, -1, &v, &error), SAT_OK);
            assert_memory_equal(v.stored, mask, SLICE * NZ);
            volume_free(&v);
            continue;
        }
        assert_int_equal(map.size, first.size);
        assert_memory_equal(map.data, first.data, first.size);
        file_map_close(&map);
    }
    file_map_close(&first);
    free(mask);
}

static void half_a_file_never_appears(void **state)
{
    (void)state;
    const geometry grid = {{10, 10, 10}, {{1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 1, 0}}};
    for (int packed = 0; packed < 2; packed++) {
        const char *path = in_folder(packed ? "m.nii.gz" : "m.nii");
        sat_error error = {0};
        nifti_writer w;
        assert_int_equal(nifti_writer_open(path, &grid, VOXEL_INT16, NULL, &w, &error), SAT_OK);
        assert_int_equal(nifti_writer_add(&w, NULL, 400, &error), SAT_OK);
        nifti_writer_abandon(&w);
        nifti_writer_abandon(&w);
        assert_false(file_exists(path));

        assert_int_equal(nifti_writer_open(path, &grid, VOXEL_INT16, NULL, &w, &error), SAT_OK);
        assert_int_equal(nifti_writer_add(&w, NULL, 999, &error), SAT_OK);
        assert_int_equal(nifti_writer_commit(&w, &error), SAT_BAD_ARGUMENT);
        assert_string_equal(error.file, path);
        assert_false(file_exists(path));

        assert_int_equal(nifti_writer_open(path, &grid, VOXEL_INT16, NULL, &w, &error), SAT_OK);
        assert_int_equal(nifti_writer_add(&w, NULL, 1001, &error), SAT_BAD_ARGUMENT);
        nifti_writer_abandon(&w);
        assert_false(file_exists(path));
    }
    nifti_writer zeroed = {0};
    nifti_writer_abandon(&zeroed);
    sat_error error = {0};
    assert_int_equal(nifti_write("/nowhere/m.nii", &grid, VOXEL_UINT8, NULL, NULL, NULL, &error), SAT_IO);
    assert_string_equal(error.file, "/nowhere/m.nii");
}

/* A full disk shows at the first write to /dev/full; the writer must say so and go on to be safe. */
static void a_full_disk_is_said(void **state)
{
    (void)state;
    FILE *full = fopen("/dev/full", "wb");
    if (!full) {
        print_message("[  SKIPPED ] there is no /dev/full here\n");
        skip();
    }
    static unsigned char noise[3 << 20];
    for (size_t n = 0; n < sizeof noise; n++)
        noise[n] = (unsigned char)random_below(256, 2, n);
    char path[] = "full.nii.gz";
    file_writer file = {.descriptor = fileno(full), .path = path};
    gzip_writer *w;
    sat_error error = {0};
    assert_int_equal(gzip_writer_open(&file, 1, 2, &w, &error), SAT_NO_MEMORY);
    assert_null(w);
    assert_non_null(strstr(error.message, "No space"));
    fclose(full);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_types_come_back_plain_and_packed),
        cmocka_unit_test(a_mask_lies_on_its_scan_whatever_the_header),
        cmocka_unit_test(a_mask_lies_on_a_4d_scan_whose_forms_contradict),
        cmocka_unit_test(nothing_of_the_patient_is_copied),
        cmocka_unit_test(a_description_is_cut_between_characters),
        cmocka_unit_test(any_grid_gets_forms_that_mean_it),
        cmocka_unit_test(an_analyze_scans_mask_lies_on_it),
        cmocka_unit_test(a_long_axis_makes_it_nifti_2),
        cmocka_unit_test(threads_and_slabs_give_the_same_file),
        cmocka_unit_test(half_a_file_never_appears),
        cmocka_unit_test(a_full_disk_is_said),
    };
    return cmocka_run_group_tests_name("image/nifti_write", tests, make_folder, remove_folder);
}
