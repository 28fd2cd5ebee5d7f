/* Statistics of masks, and label maps, against a few loops over all voxels. */
#include "tests/support/cmocka.h"
#include "tests/support/golden.h"

#include "segment/label_map.h"
#include "segment/statistics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void check(sat_status status, const sat_error *error)
{
    if (status != SAT_OK) fail_msg("%s", error->message);
}

/* int16 with a slope, or float32 with values that are no numbers here and there; an oblique grid. */
static volume make_scan(const int64_t shape[3], bool floats, uint64_t key)
{
    volume v = {.grid = {.voxel_to_world = {{0.7, 0.1, -0.2, -31}, {-0.15, 0.9, 0.3, 12.5}, {0.1, -0.2, 2.5, 400}}},
                .type = floats ? VOXEL_FLOAT32 : VOXEL_INT16, .scaled = !floats, .slope = 0.5, .intercept = -1000};
    memcpy(v.grid.shape_ijk, shape, sizeof v.grid.shape_ijk);
    v.stored = malloc(volume_voxels(&v) * voxel_bytes(v.type));
    for (size_t n = 0; n < volume_voxels(&v); n++)
        if (floats) ((float *)v.stored)[n] = n % 97 == 5 ? NAN : n % 89 == 7 ? INFINITY : 1e4f + (float)random_below(1000, key, n) / 100;
        else ((int16_t *)v.stored)[n] = (int16_t)random_below(4000, key, n);
    return v;
}

/* A lumpy mask. */
static uint8_t *make_mask(const volume *v, uint64_t key, uint64_t share)
{
    uint8_t *mask = malloc(volume_voxels(v));
    for (size_t n = 0; n < volume_voxels(v); n++)
        mask[n] = random_below(100, key, n / 3) < share;
    return mask;
}

static label_statistics naive(const volume *v, const uint8_t *mask)
{
    label_statistics f = {.box_ijk = {{INT64_MAX, 0}, {INT64_MAX, 0}, {INT64_MAX, 0}}};
    const int64_t *n = v->grid.shape_ijk;
    float *values = malloc(volume_voxels(v) * sizeof *values);
    volume_values(v, 0, volume_voxels(v), values);
    long double sum = 0, squares = 0, at[3] = {0};
    for (size_t p = 0; p < volume_voxels(v); p++) {
        if (!mask[p]) continue;
        const int64_t ijk[3] = {(int64_t)p % n[0], (int64_t)p / n[0] % n[1], (int64_t)p / (n[0] * n[1])};
        f.voxels++;
        for (int a = 0; a < 3; a++) {
            at[a] += (long double)ijk[a];
            if (ijk[a] < f.box_ijk[a][0]) f.box_ijk[a][0] = ijk[a];
            if (ijk[a] >= f.box_ijk[a][1]) f.box_ijk[a][1] = ijk[a] + 1;
        }
        if (!isfinite(values[p])) continue;
        f.measured++;
        sum += (long double)values[p];
    }
    f.mean = f.measured ? (double)(sum / f.measured) : 0;
    for (size_t p = 0; p < volume_voxels(v); p++)
        if (mask[p] && isfinite(values[p])) squares += ((long double)values[p] - sum / f.measured) * ((long double)values[p] - sum / f.measured);
    f.deviation = f.measured ? (double)sqrtl(squares / f.measured) : 0;
    for (int w = 0; w < 3; w++)
        f.centroid_mm[w] = v->grid.voxel_to_world[w][3] +
                           (double)((v->grid.voxel_to_world[w][0] * at[0] + v->grid.voxel_to_world[w][1] * at[1] +
                                     v->grid.voxel_to_world[w][2] * at[2]) / (f.voxels ? f.voxels : 1));
    free(values);
    if (!f.voxels) f = (label_statistics){0};
    return f;
}

static label_statistics measured(const volume *v, const uint8_t *mask, int64_t slices_a_call, int threads)
{
    statistics *s;
    sat_error error = {0};
    label_statistics found;
    check(statistics_open(v, threads, &s, &error), &error);
    const int64_t *n = v->grid.shape_ijk;
    for (int round = 0; round < 2; round++) { /* the second label does not remember the first */
        statistics_begin(s);
        for (int64_t k = 0; k < n[2]; k += slices_a_call) {
            const int64_t some = n[2] - k < slices_a_call ? n[2] - k : slices_a_call;
            statistics_add(s, mask ? mask + k * n[0] * n[1] : NULL, some);
        }
        statistics_end(s, &found);
    }
    statistics_close(s);
    return found;
}

static void statistics_as_by_counting(void **state)
{
    (void)state;
    static const int64_t shapes[][3] = {{31, 70, 19}, {1, 1, 1}, {600, 3, 2}, {5, 200, 40}};
    for (uint64_t trial = 0; trial < 16; trial++) {
        volume v = make_scan(shapes[trial % 4], trial & 4, trial);
        uint8_t *mask = make_mask(&v, trial + 50, trial & 8 ? 3 : 60);
        const label_statistics expected = naive(&v, mask), found = measured(&v, mask, 8, 2);
        assert_int_equal(found.voxels, expected.voxels);
        assert_int_equal(found.measured, expected.measured);
        assert_memory_equal(found.box_ijk, expected.box_ijk, sizeof found.box_ijk);
        for (int w = 0; w < 3; w++)
            assert_true(fabs(found.centroid_mm[w] - expected.centroid_mm[w]) <= 1e-9);
        assert_true(fabs(found.mean - expected.mean) <= 1e-12 * fabs(expected.mean));
        assert_true(fabs(found.deviation - expected.deviation) <= 1e-10 * expected.deviation + 1e-300);
        const label_statistics by_one = measured(&v, mask, 1, 1), whole = measured(&v, mask, shapes[trial % 4][2], 7);
        assert_memory_equal(&found, &by_one, sizeof found);
        assert_memory_equal(&found, &whole, sizeof found);
        free(mask);
        volume_free(&v);
    }
}

static void nothing_measures_nothing(void **state)
{
    (void)state;
    volume v = make_scan((const int64_t[]){9, 8, 7}, false, 1);
    const label_statistics nothing = {0}, found = measured(&v, NULL, 3, 2);
    assert_memory_equal(&found, &nothing, sizeof found);
    volume_free(&v);
}

/* ---------------------------------------------------------------- label maps */

/* The highest probability wins, the earlier label among equals, whatever the order of labels and slices and the type of ids. */
static void label_maps_are_the_highest_probability(void **state)
{
    (void)state;
    enum { LABELS = 6, THRESHOLD = 3 };
    volume v = {.grid = {.shape_ijk = {37, 29, 83}}};
    const size_t voxels = volume_voxels(&v);
    float *p = malloc(LABELS * voxels * sizeof *p);
    uint8_t *mask = malloc(LABELS * voxels);
    for (size_t n = 0; n < LABELS * voxels; n++) {
        p[n] = (float)random_below(8, 5, n) / 8; /* few values: many ties */
        mask[n] = p[n] > (float)THRESHOLD / 8;
    }
    static const int orders[][LABELS] = {{0, 1, 2, 3, 4, 5}, {5, 4, 3, 2, 1, 0}, {3, 0, 5, 1, 4, 2}};
    for (int trial = 0; trial < 6; trial++) {
        const int labels = trial < 3 ? LABELS : 300, shift = labels - LABELS; /* uint16 from 256 on: use the last ids */
        sat_error error = {0};
        label_map m;
        check(label_map_open(&v.grid, labels, 1 + trial % 3, &m, &error), &error);
        assert_int_equal(m.type, labels > 255 ? VOXEL_UINT16 : VOXEL_UINT8);
        assert_int_equal(label_map_bytes(&v.grid, labels), voxels * (labels > 255 ? 6 : 5));
        for (int l = 0; l < LABELS; l++)
            for (size_t first = 0, part = trial % 2 ? voxels : 10007; first < voxels; first += part) {
                const size_t at = (size_t)orders[trial % 3][l] * voxels + first, some = voxels - first < part ? voxels - first : part;
                label_map_add(&m, orders[trial % 3][l] + shift, first, some, mask + at, p + at);
            }
        int64_t owned[300], expected_owned[300] = {0};
        label_map_count(&m, labels, owned);
        const uint16_t *ids = label_map_wide(&m);
        for (size_t n = 0; n < voxels; n++) {
            int best = -1;
            for (int l = 0; l < LABELS; l++)
                if (mask[(size_t)l * voxels + n] && (best < 0 || p[(size_t)l * voxels + n] > p[(size_t)best * voxels + n])) best = l;
            assert_int_equal(ids[n], best < 0 ? 0 : best + shift + 1);
            if (best >= 0) expected_owned[best + shift]++;
        }
        assert_memory_equal(owned, expected_owned, (size_t)labels * sizeof *owned);
        label_map_close(&m);
    }
    free(p);
    free(mask);
}

static void too_many_labels_are_refused(void **state)
{
    (void)state;
    const geometry grid = {.shape_ijk = {2, 2, 2}};
    label_map m;
    sat_error error = {0};
    assert_int_equal(label_map_open(&grid, 65536, 1, &m, &error), SAT_BAD_ARGUMENT);
    assert_non_null(strstr(error.message, "65535"));
    label_map_close(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(statistics_as_by_counting),
        cmocka_unit_test(nothing_measures_nothing),
        cmocka_unit_test(label_maps_are_the_highest_probability),
        cmocka_unit_test(too_many_labels_are_refused),
    };
    return cmocka_run_group_tests_name("segment/statistics", tests, NULL, NULL);
}
