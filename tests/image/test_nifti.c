/* The reader, on headers made field by field: types, byte orders, scaling, forms, damage. Whole files of other programs:
 * test_formats.c. */
#include "tests/image/raw_nifti.h"
#include "tests/support/cmocka.h"
#include "tests/support/golden.h"

#include "image/nifti.h"
#include "image/orientation.h"
#include "image/volume_file.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

static volume parse(const raw_nifti *r)
{
    volume v;
    sat_error error = {0};
    if (nifti_parse(r->bytes, r->size, NIFTI_ONLY_VOLUME, &v, &error) != SAT_OK) fail_msg("refused: %s", error.message);
    return v;
}

/* Refused, with a sentence in which `words` occur. */
static void refused(const raw_nifti *r, const char *words)
{
    volume v;
    sat_error error = {0};
    assert_int_equal(nifti_parse(r->bytes, r->size, NIFTI_ONLY_VOLUME, &v, &error), SAT_BAD_INPUT);
    if (!strstr(error.message, words)) fail_msg("\"%s\" does not say \"%s\"", error.message, words);
    assert_null(v.stored);
}

static const struct {
    int code;
    voxel_type type;
    double values[4]; /* that the type can hold, its extremes among them */
} types[] = {
    {2, VOXEL_UINT8, {0, 1, 127, 255}},
    {256, VOXEL_INT8, {-128, -1, 0, 127}},
    {512, VOXEL_UINT16, {0, 1, 32768, 65535}},
    {4, VOXEL_INT16, {-32768, -1024, 0, 32767}},
    {768, VOXEL_UINT32, {0, 1, 16777216, 4294967040.0}},
    {8, VOXEL_INT32, {-2147483648.0, -1, 3000, 2147483520.0}},
    {1280, VOXEL_UINT64, {0, 1, 16777216, 9223372036854775808.0}},
    {1024, VOXEL_INT64, {-9223372036854775808.0, -1, 1, 1099511627776.0}},
    {16, VOXEL_FLOAT32, {-1.5, 0, 3.25e30, 1e-40}},
    {64, VOXEL_FLOAT64, {-1.5, 0.1, 3.25e30, 1e-40}},
};
enum { TYPES = sizeof types / sizeof types[0] };

static void put_value(raw_nifti *r, size_t at, voxel_type type, double x)
{
    union {
        uint8_t u8;
        int8_t i8;
        uint16_t u16;
        int16_t i16;
        uint32_t u32;
        int32_t i32;
        uint64_t u64;
        int64_t i64;
        float f32;
        double f64;
    } u;
    switch (type) {
    case VOXEL_UINT8: u.u8 = (uint8_t)x; break;
    case VOXEL_INT8: u.i8 = (int8_t)x; break;
    case VOXEL_UINT16: u.u16 = (uint16_t)x; break;
    case VOXEL_INT16: u.i16 = (int16_t)x; break;
    case VOXEL_UINT32: u.u32 = (uint32_t)x; break;
    case VOXEL_INT32: u.i32 = (int32_t)x; break;
    case VOXEL_UINT64: u.u64 = (uint64_t)x; break;
    case VOXEL_INT64: u.i64 = (int64_t)x; break;
    case VOXEL_FLOAT32: u.f32 = (float)x; break;
    case VOXEL_FLOAT64: u.f64 = x; break;
    }
    raw_put(r, at, &u, voxel_bytes(type));
}

static void every_type_in_both_byte_orders_and_versions(void **state)
{
    (void)state;
    for (int t = 0; t < TYPES; t++)
        for (int variant = 0; variant < 4; variant++) {
            raw_nifti r;
            const size_t bytes = voxel_bytes(types[t].type);
            raw_begin(&r, 1 + variant / 2, variant % 2, 2, 1, 2, types[t].code, bytes);
            for (size_t n = 0; n < 4; n++)
                put_value(&r, raw_voxels_at(&r) + n * bytes, types[t].type, types[t].values[n]);
            volume v = parse(&r);
            float values[4];
            volume_values(&v, 0, 4, values);
            for (int n = 0; n < 4; n++)
                assert_true(values[n] == (float)types[t].values[n]);
            assert_int_equal(v.type, types[t].type);
            assert_int_equal(v.warnings, 0);
            assert_int_equal((uintptr_t)v.stored % 64, 0);
            assert_true(v.grid.voxel_to_world[2][2] == 3 && v.grid.voxel_to_world[2][3] == -30);
            volume_free(&v);
            volume_free(&v);
        }
}

/* pipeline.md, section 1: product and sum in double, one rounding; what does not count as scaling. */
static void scaling_is_done_in_double(void **state)
{
    (void)state;
    for (int t = 0; t < TYPES; t++) {
        raw_nifti r;
        const size_t bytes = voxel_bytes(types[t].type);
        raw_begin(&r, 1, false, 4, 1, 1, types[t].code, bytes);
        for (size_t n = 0; n < 4; n++)
            put_value(&r, 352 + n * bytes, types[t].type, types[t].values[n]);
        raw_slope(&r, 0.1, -7.7);
        volume v = parse(&r);
        float values[4];
        volume_values(&v, 0, 4, values);
        for (int n = 0; n < 4; n++) {
            const double stored = types[t].type == VOXEL_FLOAT32 ? (double)(float)types[t].values[n] : types[t].values[n];
            assert_true(values[n] == (float)((double)0.1f * stored + (double)-7.7f));
        }
        volume_free(&v);
    }
    static const double unscaled[][2] = {{0, 5}, {NAN, 5}, {INFINITY, 5}, {0, NAN}, {1, 0}};
    for (int n = 0; n < 5; n++) {
        raw_nifti r;
        raw_begin(&r, 1, false, 1, 1, 1, 4, 2);
        raw_slope(&r, unscaled[n][0], unscaled[n][1]);
        volume v = parse(&r);
        assert_false(v.scaled);
        volume_free(&v);
    }
    raw_nifti r;
    raw_begin(&r, 1, false, 1, 1, 1, 4, 2);
    raw_slope(&r, 2, NAN);
    refused(&r, "scl_inter");
}

static void values_in_parts_are_the_values(void **state)
{
    (void)state;
    raw_nifti r;
    raw_begin(&r, 1, true, 5, 7, 3, 4, 2);
    for (size_t n = 0; n < 105; n++)
        put_value(&r, 352 + 2 * n, VOXEL_INT16, (double)n * 31 - 1000);
    raw_slope(&r, 0.5, 3);
    volume v = parse(&r);
    float whole[105], part[105];
    volume_values(&v, 0, 105, whole);
    for (size_t first = 0; first < 105; first += 13)
        for (size_t count = 0; first + count <= 105; count += 9) {
            volume_values(&v, first, count, part);
            assert_memory_equal(part, whole + first, count * sizeof(float));
        }
    assert_true(whole[104] == (104 * 31 - 1000) * 0.5f + 3);
    volume_free(&v);
}

static void what_is_no_scan_is_refused_by_name(void **state)
{
    (void)state;
    static const struct {
        int code;
        const char *words;
    } kinds[] = {{128, "RGB"}, {2304, "RGBA"}, {32, "complex64"}, {1792, "complex128"}, {2048, "complex256"},
                 {1536, "128-bit"}, {1, "single bits"}, {77, "datatype 77 is unknown"}};
    for (size_t n = 0; n < sizeof kinds / sizeof kinds[0]; n++) {
        raw_nifti r;
        raw_begin(&r, 1, n % 2, 2, 2, 2, kinds[n].code, 32);
        refused(&r, kinds[n].words);
    }
}

static void dimensions_are_three_or_four_with_one_volume(void **state)
{
    (void)state;
    for (int version = 1; version <= 2; version++) {
        raw_nifti r;
        raw_begin(&r, version, false, 2, 3, 4, 2, 1);
        raw_dim(&r, 0, 4);
        volume v = parse(&r);
        assert_int_equal(v.volumes_in_file, 1);
        volume_free(&v);

        raw_begin(&r, version, false, 2, 3, 2, 2, 2);
        raw_dim(&r, 0, 4);
        raw_dim(&r, 4, 2);
        refused(&r, "--volume N");
        r.bytes[raw_voxels_at(&r)] = 10;
        r.bytes[raw_voxels_at(&r) + 12] = 11;
        for (int64_t index = 0; index < 2; index++) {
            sat_error error = {0};
            assert_int_equal(nifti_parse(r.bytes, r.size, index, &v, &error), SAT_OK);
            assert_int_equal(((uint8_t *)v.stored)[0], 10 + index);
            assert_int_equal(v.volumes_in_file, 2);
            assert_int_equal(v.warnings, 0);
            volume_free(&v);
        }
        sat_error error = {0};
        assert_int_equal(nifti_parse(r.bytes, r.size, 2, &v, &error), SAT_BAD_ARGUMENT);
        assert_non_null(strstr(error.message, "holds 2"));
    }
    raw_nifti r;
    raw_begin(&r, 1, false, 2, 3, 1, 2, 1);
    raw_dim(&r, 0, 2);
    refused(&r, "flat image");
    raw_dim(&r, 0, 0);
    refused(&r, "0 dimensions");
    raw_dim(&r, 0, 9);
    refused(&r, "9 dimensions");
    raw_dim(&r, 0, 3);
    raw_dim(&r, 2, 0);
    refused(&r, "0 voxels along axis 2");
    raw_dim(&r, 2, -3);
    refused(&r, "-3 voxels along axis 2");
}

static void absurd_sizes_are_refused_before_memory_is_taken(void **state)
{
    (void)state;
    for (int version = 1; version <= 2; version++) {
        raw_nifti r;
        raw_begin(&r, version, false, 2, 2, 2, 64, 8);
        for (size_t n = 1; n <= 3; n++)
            raw_dim(&r, n, 32767);
        refused(&r, "32767 x 32767 x 32767 voxels of float64");
        raw_dim(&r, 0, 7);
        for (size_t n = 4; n <= 7; n++)
            raw_dim(&r, n, 32767);
        refused(&r, "more voxels than any file can hold");
    }
    raw_nifti r;
    raw_begin(&r, 2, false, 2, 2, 2, 64, 8);
    raw_dim(&r, 1, INT64_MAX);
    refused(&r, "more voxels than any file");
    raw_begin(&r, 2, false, 2, 2, 2, 2, 1);
    raw_int64(&r, 168, INT64_MAX);
    refused(&r, "damaged");
    raw_int64(&r, 168, -1);
    refused(&r, "byte -1");
    raw_int64(&r, 168, 100);
    refused(&r, "inside itself");
    raw_begin(&r, 1, false, 2, 2, 2, 2, 1);
    raw_real(&r, 108, 0, NAN);
    refused(&r, "damaged");
    raw_real(&r, 108, 0, 352.5);
    refused(&r, "damaged");
    raw_real(&r, 108, 0, 1e6);
    refused(&r, "cut off");
}

static void an_extension_is_stepped_over_and_a_tail_is_said(void **state)
{
    (void)state;
    raw_nifti r;
    raw_begin(&r, 1, false, 2, 1, 1, 2, 1);
    raw_real(&r, 108, 0, 352 + 48);
    r.bytes[348] = 1; /* an extension of 48 bytes that claims to be endless */
    memset(r.bytes + 352, 0xff, 48);
    r.bytes[400] = 7;
    r.bytes[401] = 8;
    r.size = 402;
    volume v = parse(&r);
    assert_int_equal(((uint8_t *)v.stored)[0], 7);
    assert_int_equal(((uint8_t *)v.stored)[1], 8);
    assert_int_equal(v.warnings, 0);
    volume_free(&v);
    r.size = 403;
    v = parse(&r);
    assert_int_equal(v.warnings, VOLUME_WARNS_TRAILING);
    volume_free(&v);
    r.size = 401;
    refused(&r, "ends after 401 bytes");
}

static void cut_anywhere_it_fails_with_a_sentence(void **state)
{
    (void)state;
    for (int variant = 0; variant < 4; variant++) {
        raw_nifti r;
        raw_begin(&r, 1 + variant / 2, variant % 2, 3, 3, 3, 4, 2);
        for (size_t size = 0; size < r.size; size++) {
            unsigned char *part = malloc(size ? size : 1); /* exactly so long, for the sanitizer */
            memcpy(part, r.bytes, size);
            volume v;
            sat_error error = {0};
            assert_int_equal(nifti_parse(part, size, -1, &v, &error), SAT_BAD_INPUT);
            assert_true(error.message[0] != '\0');
            assert_null(v.stored);
            free(part);
        }
    }
}

static void random_headers_never_surprise(void **state)
{
    (void)state;
    int accepted = 0;
    for (uint64_t key = 0; key < 40000; key++) {
        raw_nifti r;
        raw_begin(&r, 1 + (int)(key % 2), key / 2 % 2, 3, 2, 4, 4, 2);
        const uint64_t changes = 1 + random_below(4, key, 0);
        for (uint64_t n = 0; n < changes; n++) {
            static const unsigned char telling[] = {0, 1, 2, 3, 0x7f, 0x80, 0xff};
            const size_t at = random_below(key % 2 ? 544 : 352, key, 3 * n + 1);
            r.bytes[at] = random_below(2, key, 3 * n + 2) ? telling[random_below(7, key, 3 * n + 3)]
                                                          : (unsigned char)random_below(256, key, 3 * n + 3);
        }
        volume v;
        sat_error error = {0};
        const sat_status status = nifti_parse(r.bytes, r.size, -1, &v, &error);
        if (status == SAT_OK) {
            accepted++;
            char code[4];
            assert_int_equal(orientation_code_of(v.grid.voxel_to_world, code, &error), SAT_OK);
            assert_true(volume_voxels(&v) * voxel_bytes(v.type) <= r.size);
            float values[24 * 2];
            volume_values(&v, 0, volume_voxels(&v), values);
        } else {
            assert_int_equal(status, SAT_BAD_INPUT);
            assert_true(error.message[0] != '\0');
        }
        volume_free(&v);
    }
    assert_true(accepted > 5000);
}

/* ---- forms ---- */

static unsigned warnings_and_first_row(const raw_nifti *r, double row[4])
{
    volume v = parse(r);
    memcpy(row, v.grid.voxel_to_world[0], 4 * sizeof(double));
    const unsigned warnings = v.warnings;
    volume_free(&v);
    return warnings;
}

static void forms_in_the_order_of_the_reference(void **state)
{
    (void)state;
    double row[4];
    for (int version = 1; version <= 2; version++) {
        raw_nifti r;
        raw_begin(&r, version, false, 5, 5, 5, 2, 1);
        raw_qform(&r, 0, 0, 1, 7, 8, 9); /* half a turn around z */
        /* sform and qform contradict each other: sform, and said */
        raw_codes(&r, 1, 1);
        assert_int_equal(warnings_and_first_row(&r, row), VOLUME_WARNS_FORMS_DIFFER);
        assert_true(row[0] == 1 && row[3] == -10);
        /* qform alone */
        raw_codes(&r, 1, 0);
        assert_int_equal(warnings_and_first_row(&r, row), 0);
        assert_true(row[0] == -1 && row[3] == 7);
        /* any qfac but -1 is 1 */
        raw_pixdim(&r, 0, -1);
        assert_int_equal(warnings_and_first_row(&r, row), VOLUME_WARNS_LEFT_HANDED);
        raw_pixdim(&r, 0, 0);
        assert_int_equal(warnings_and_first_row(&r, row), 0);
        /* neither: first axis negated, world 0 in the middle; spacing without sign, 0 counts as 1 */
        raw_codes(&r, 0, 0);
        raw_pixdim(&r, 1, -2);
        assert_int_equal(warnings_and_first_row(&r, row), VOLUME_WARNS_NO_FORM | VOLUME_WARNS_LEFT_HANDED);
        assert_true(row[0] == -2 && row[3] == 4);
        raw_pixdim(&r, 1, 0);
        warnings_and_first_row(&r, row);
        assert_true(row[0] == -1 && row[3] == 2);
        /* a code that no standard knows counts as none */
        raw_codes(&r, 6, -1);
        assert_int_equal(warnings_and_first_row(&r, row), VOLUME_WARNS_NO_FORM | VOLUME_WARNS_LEFT_HANDED);
    }
}

static void an_sform_that_contradicts_the_spacing_is_repaired(void **state)
{
    (void)state;
    double row[4];
    const double wrong[3][4] = {{9, 0, 0, 0}, {0, 9, 0, 0}, {0, 0, 9, 0}};
    raw_nifti r;
    raw_begin(&r, 1, false, 5, 5, 5, 2, 1);
    raw_sform(&r, wrong);
    raw_qform(&r, 0, 0, 0, 0.1, 8, 9);
    /* whatever the qform's code; rounded to float32 */
    for (int code = 0; code <= 1; code++) {
        raw_codes(&r, code, 1);
        assert_int_equal(warnings_and_first_row(&r, row), VOLUME_WARNS_FORM_REPAIRED);
        assert_true(row[0] == 1 && row[3] == (double)0.1f);
    }
    /* with four dimensions the translation column takes part, and nothing is repaired */
    raw_dim(&r, 0, 4);
    raw_codes(&r, 0, 1);
    assert_int_equal(warnings_and_first_row(&r, row), 0);
    assert_true(row[0] == 9);
    /* nor does an empty qform replace a good sform there, though the four columns "agree" */
    const double good[3][4] = {{-1, 0, 0, 50}, {0, 2, 0, 60}, {0, 0, 3, 70}};
    raw_qform(&r, 0, 0, 0, 0, 0, 0);
    raw_sform(&r, good);
    assert_int_equal(warnings_and_first_row(&r, row), VOLUME_WARNS_LEFT_HANDED);
    assert_true(row[0] == -1 && row[3] == 50);
    raw_sform(&r, wrong);
    raw_qform(&r, 0, 0, 0, 0.1, 8, 9);
    raw_codes(&r, 1, 1);
    assert_int_equal(warnings_and_first_row(&r, row), VOLUME_WARNS_FORMS_DIFFER);
    /* nor with a qform that is no rotation */
    raw_dim(&r, 0, 3);
    raw_qform(&r, 0.9, 0.9, 0.9, 0, 0, 0);
    assert_int_equal(warnings_and_first_row(&r, row), 0);
    assert_true(row[0] == 9);
}

static void forms_that_are_no_position_are_refused(void **state)
{
    (void)state;
    raw_nifti r;
    raw_begin(&r, 1, false, 5, 5, 5, 2, 1);
    const double flat[3][4] = {{1, 0, 3, 0}, {0, 2, 0, 0}, {0, 0, 0, 0}};
    raw_sform(&r, flat);
    refused(&r, "plane");
    const double nowhere[3][4] = {{1, 0, 0, NAN}, {0, 2, 0, 0}, {0, 0, 3, 0}};
    raw_sform(&r, nowhere);
    refused(&r, "nowhere");
    raw_codes(&r, 1, 0);
    raw_qform(&r, 0.8, 0.8, 0, 0, 0, 0);
    refused(&r, "not a rotation");
    /* half a turn whose float32 parts come out a little above 1 is one */
    const float part = (float)sqrt(0.5), above = nextafterf(part, 1);
    assert_true((double)above * (double)above + (double)part * (double)part > 1);
    raw_qform(&r, (double)above, (double)part, 0, 0, 0, 0);
    volume v = parse(&r);
    volume_free(&v);
}

static void shear_and_strange_units_are_said(void **state)
{
    (void)state;
    double row[4];
    raw_nifti r;
    raw_begin(&r, 1, false, 5, 5, 5, 2, 1);
    const double tilted[3][4] = {{1, 0, 0, 0}, {0, 2, 0.9, 0}, {0, 0, 2.8618176, 0}};
    raw_sform(&r, tilted);
    r.bytes[123] = 3 + 8;
    assert_int_equal(warnings_and_first_row(&r, row), VOLUME_WARNS_SHEARED | VOLUME_WARNS_UNITS);
}

static void voxels_that_are_no_numbers_are_said(void **state)
{
    (void)state;
    for (int wide = 0; wide < 2; wide++)
        for (size_t at = 0; at < 24; at += 23) {
            raw_nifti r;
            const voxel_type type = wide ? VOXEL_FLOAT64 : VOXEL_FLOAT32;
            const size_t bytes = voxel_bytes(type);
            raw_begin(&r, 1, at == 0, 2, 3, 4, wide ? 64 : 16, bytes);
            put_value(&r, 352 + at * bytes, type, at ? NAN : -INFINITY);
            volume v = parse(&r);
            assert_int_equal(v.warnings, VOLUME_WARNS_NOT_FINITE);
            volume_free(&v);
        }
}

static void every_warning_has_a_sentence(void **state)
{
    (void)state;
    for (unsigned bit = 1; bit < VOLUME_WARNS_END; bit <<= 1)
        assert_string_not_equal(volume_warning_text(bit), volume_warning_text(VOLUME_WARNS_END));
}

/* ---- Analyze, pairs, compressed ---- */

static void make_analyze(raw_nifti *r, bool swapped)
{
    raw_begin(r, 1, swapped, 3, 5, 7, 4, 2);
    memset(r->bytes + 148, 0, 348 - 148); /* no magic, no forms: what is left is Analyze */
    raw_slope(r, 0, 0);
    raw_real(r, 108, 0, 0);
}

static void analyze_is_read_as_the_reference_reads_it(void **state)
{
    (void)state;
    for (int swapped = 0; swapped < 2; swapped++) {
        raw_nifti r;
        unsigned char image[210] = {0};
        make_analyze(&r, swapped);
        raw_int32(&r, 140, 0);
        volume v;
        sat_error error = {0};
        refused(&r, "header of a pair");
        assert_int_equal(nifti_parse_pair(r.bytes, 348, image, 210, -1, &v, &error), SAT_OK);
        assert_int_equal(v.warnings, VOLUME_WARNS_NO_FORM | VOLUME_WARNS_LEFT_HANDED);
        assert_true(v.grid.voxel_to_world[0][0] == -1 && v.grid.voxel_to_world[0][3] == 1);
        assert_true(v.grid.voxel_to_world[2][2] == 3 && v.grid.voxel_to_world[2][3] == -9);
        assert_false(v.scaled);
        volume_free(&v);
        assert_int_equal(nifti_parse_pair(r.bytes, 348, image, 209, -1, &v, &error), SAT_BAD_INPUT);
        /* SPM's origin, counted from 1, and its two ways of scaling */
        raw_int16(&r, 253, 3);
        raw_int16(&r, 255, 1);
        raw_int16(&r, 257, 1);
        raw_int32(&r, 140, 110);
        raw_int32(&r, 144, 10);
        raw_real(&r, 124, 0, 60);
        raw_real(&r, 128, 0, 10);
        assert_int_equal(nifti_parse_pair(r.bytes, 348, image, 210, -1, &v, &error), SAT_OK);
        assert_true(v.grid.voxel_to_world[0][3] == 2 && v.grid.voxel_to_world[2][3] == 0);
        assert_true(v.slope == 0.5 && v.intercept == 5);
        volume_free(&v);
        raw_slope(&r, 4, 0);
        assert_int_equal(nifti_parse_pair(r.bytes, 348, image, 210, -1, &v, &error), SAT_OK);
        assert_true(v.scaled && v.slope == 4);
        volume_free(&v);
    }
}

static void write_file(const char *folder, const char *name, const void *data, size_t size, bool packed)
{
    char path[1300];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    gzFile file = gzopen(path, packed ? "wb" : "wbT"); /* T: as it is */
    assert_non_null(file);
    assert_int_equal(gzwrite(file, data, (unsigned)size), size);
    gzclose(file);
}

static sat_status read_file(const char *folder, const char *name, int64_t index, volume *v, sat_error *error)
{
    char path[1300];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    *error = (sat_error){0};
    return volume_read(path, index, v, error);
}

static void files_are_known_by_their_content_and_pairs_by_either_half(void **state)
{
    (void)state;
    char folder[1100];
    snprintf(folder, sizeof folder, "%s", temporary_folder());
    raw_nifti r;
    raw_begin(&r, 1, true, 2, 2, 2, 4, 2);
    r.bytes[353] = 5;
    sat_error error;
    volume v;

    write_file(folder, "scan.dat", r.bytes, r.size, true);
    assert_int_equal(read_file(folder, "scan.dat", -1, &v, &error), SAT_OK);
    assert_int_equal(((int16_t *)v.stored)[0], 5);
    volume_free(&v);
    write_file(folder, "misnamed.nii.gz", r.bytes, r.size, false);
    assert_int_equal(read_file(folder, "misnamed.nii.gz", -1, &v, &error), SAT_OK);
    volume_free(&v);

    memcpy(r.bytes + 344, "ni1", 4);
    raw_real(&r, 108, 0, 0);
    static const struct {
        const char *header, *image;
        bool header_packed, image_packed;
    } pairs[] = {{"a.hdr", "a.img", false, false}, {"b.hdr.gz", "b.img.gz", true, true}, {"c.hdr", "c.img.gz", false, true},
                 {"d.HDR", "d.IMG", false, false}};
    for (size_t n = 0; n < 4; n++) {
        write_file(folder, pairs[n].header, r.bytes, 348, pairs[n].header_packed);
        assert_int_equal(read_file(folder, pairs[n].header, -1, &v, &error), SAT_IO);
        assert_non_null(strstr(error.message, ".img"));
        write_file(folder, pairs[n].image, r.bytes + 352, 16, pairs[n].image_packed);
        for (int half = 0; half < 2; half++) {
            if (read_file(folder, half ? pairs[n].image : pairs[n].header, -1, &v, &error) != SAT_OK)
                fail_msg("%s: %s", error.file, error.message);
            assert_int_equal(((int16_t *)v.stored)[0], 5);
            volume_free(&v);
        }
    }

    write_file(folder, "alone.img", r.bytes + 352, 16, false);
    assert_int_equal(read_file(folder, "alone.img", -1, &v, &error), SAT_IO);
    assert_non_null(strstr(error.message, ".hdr"));
    write_file(folder, "called_otherwise", r.bytes, 348, false);
    assert_int_equal(read_file(folder, "called_otherwise", -1, &v, &error), SAT_BAD_INPUT);
    assert_non_null(strstr(error.message, "pair"));

    assert_int_equal(read_file(folder, "missing.nii", -1, &v, &error), SAT_IO);
    assert_non_null(strstr(error.file, "missing.nii"));
    write_file(folder, "text.nii", "not a scan", 10, false);
    assert_int_equal(read_file(folder, "text.nii", -1, &v, &error), SAT_BAD_INPUT);
    assert_non_null(strstr(error.file, "text.nii"));
    write_file(folder, "empty.nii", "", 0, false);
    assert_int_equal(read_file(folder, "empty.nii", -1, &v, &error), SAT_BAD_INPUT);
    unsigned char dicom[400] = {0};
    memcpy(dicom + 128, "DICM", 4);
    write_file(folder, "slice", dicom, sizeof dicom, false);
    assert_int_equal(read_file(folder, "slice", -1, &v, &error), SAT_BAD_INPUT);
    assert_non_null(strstr(error.message, "this is DICOM"));
    char command[1300];
    snprintf(command, sizeof command, "rm -r '%s'", folder);
    assert_int_equal(system(command), 0);
}

static void compressed_volumes_can_be_picked_and_promises_are_checked(void **state)
{
    (void)state;
    raw_nifti r;
    raw_begin(&r, 1, false, 3, 3, 3, 2, 1);
    raw_dim(&r, 0, 4);
    raw_dim(&r, 4, 4);
    r.size = 352 + 4 * 27;
    for (size_t n = 0; n < 4 * 27; n++)
        r.bytes[352 + n] = (unsigned char)n;
    unsigned char packed[4096];
    z_stream z = {.next_in = r.bytes, .avail_in = (uInt)r.size, .next_out = packed, .avail_out = sizeof packed};
    assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 16 + 15, 8, Z_DEFAULT_STRATEGY), Z_OK);
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    deflateEnd(&z);
    volume v;
    sat_error error = {0};
    for (int64_t index = 0; index < 4; index++) {
        assert_int_equal(nifti_parse(packed, z.total_out, index, &v, &error), SAT_OK);
        for (size_t n = 0; n < 27; n++)
            assert_int_equal(((uint8_t *)v.stored)[n], (size_t)index * 27 + n);
        assert_int_equal(v.warnings, 0);
        volume_free(&v);
    }
    assert_int_equal(nifti_parse(packed, z.total_out, -1, &v, &error), SAT_BAD_INPUT);
    for (size_t size = 0; size < z.total_out; size++)
        assert_int_equal(nifti_parse(packed, size, 1, &v, &error), SAT_BAD_INPUT);

    /* a header that promises gigabytes, in a few hundred compressed bytes */
    for (size_t n = 1; n <= 3; n++)
        raw_dim(&r, n, 2000);
    z = (z_stream){.next_in = r.bytes, .avail_in = (uInt)r.size, .next_out = packed, .avail_out = sizeof packed};
    assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 16 + 15, 8, Z_DEFAULT_STRATEGY), Z_OK);
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    deflateEnd(&z);
    assert_int_equal(nifti_parse(packed, z.total_out, 0, &v, &error), SAT_BAD_INPUT);
    assert_non_null(strstr(error.message, "2000 x 2000 x 2000"));
}

/* ---- goldens ---- */

static void the_goldens_affines_are_the_references(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "ct_all_negative", "ct_keeps_spacing", "ct_long", "ct_lps_thick", "ct_many_windows", "ct_ras_plain",
        "ct_sform_bad_zoom", "ct_sform_over_qform", "ct_sheared_left_handed", "ct_single_slice", "ct_tie_15_slices",
        "ct_tie_16_slices", "mr_4d_single", "mr_asl_uint8", "mr_constant", "mr_oblique_centre", "mr_oblique_corner",
        "mr_qform_only", "mr_spine_asr", "mr_zero_background", "pet_no_forms"};
    double worst = 0;
    for (size_t n = 0; n < sizeof cases / sizeof cases[0]; n++) {
        char name[128];
        snprintf(name, sizeof name, "pipeline/%s/expected.json", cases[n]);
        const char *expected_path = golden_path(name);
        snprintf(name, sizeof name, "pipeline/%s/image.nii.gz", cases[n]);
        const char *image_path = golden_path(name);
        if (!expected_path || !image_path) skip();
        json_t *expected = json_load_file(expected_path, 0, NULL);
        assert_non_null(expected);
        volume v;
        sat_error error = {0};
        if (volume_read(image_path, -1, &v, &error) != SAT_OK) fail_msg("%s: %s", cases[n], error.message);
        const json_t *shape = json_object_get(expected, "scan_shape"), *affine = json_object_get(expected, "scan_affine");
        for (size_t r = 0; r < 3; r++) {
            assert_int_equal(v.grid.shape_ijk[r], json_integer_value(json_array_get(shape, r)));
            for (size_t c = 0; c < 4; c++) {
                const double want = json_real_value(json_array_get(json_array_get(affine, r), c));
                worst = fmax(worst, fabs(v.grid.voxel_to_world[r][c] - want));
            }
        }
        const unsigned odd = VOLUME_WARNS_NO_FORM | VOLUME_WARNS_FORMS_DIFFER | VOLUME_WARNS_FORM_REPAIRED | VOLUME_WARNS_SHEARED;
        const unsigned wanted = strcmp(cases[n], "pet_no_forms") == 0             ? VOLUME_WARNS_NO_FORM
                                : strcmp(cases[n], "ct_sform_over_qform") == 0    ? VOLUME_WARNS_FORMS_DIFFER
                                : strcmp(cases[n], "ct_sform_bad_zoom") == 0      ? VOLUME_WARNS_FORM_REPAIRED
                                : strcmp(cases[n], "ct_sheared_left_handed") == 0 ? VOLUME_WARNS_SHEARED
                                                                                  : 0u;
        if ((v.warnings & odd) != wanted) fail_msg("%s: warnings %#x", cases[n], v.warnings);
        volume_free(&v);
        json_decref(expected);
    }
    print_message("             largest difference of an affine's entry: %g\n", worst);
    assert_true(worst <= 1e-12); /* mm; seen: 0 */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_in_both_byte_orders_and_versions),
        cmocka_unit_test(scaling_is_done_in_double),
        cmocka_unit_test(values_in_parts_are_the_values),
        cmocka_unit_test(what_is_no_scan_is_refused_by_name),
        cmocka_unit_test(dimensions_are_three_or_four_with_one_volume),
        cmocka_unit_test(absurd_sizes_are_refused_before_memory_is_taken),
        cmocka_unit_test(an_extension_is_stepped_over_and_a_tail_is_said),
        cmocka_unit_test(cut_anywhere_it_fails_with_a_sentence),
        cmocka_unit_test(random_headers_never_surprise),
        cmocka_unit_test(forms_in_the_order_of_the_reference),
        cmocka_unit_test(an_sform_that_contradicts_the_spacing_is_repaired),
        cmocka_unit_test(forms_that_are_no_position_are_refused),
        cmocka_unit_test(shear_and_strange_units_are_said),
        cmocka_unit_test(voxels_that_are_no_numbers_are_said),
        cmocka_unit_test(every_warning_has_a_sentence),
        cmocka_unit_test(analyze_is_read_as_the_reference_reads_it),
        cmocka_unit_test(files_are_known_by_their_content_and_pairs_by_either_half),
        cmocka_unit_test(compressed_volumes_can_be_picked_and_promises_are_checked),
        cmocka_unit_test(the_goldens_affines_are_the_references),
    };
    return cmocka_run_group_tests_name("image/nifti", tests, NULL, NULL);
}
