#include "tests/support/cmocka.h"
#include "tests/support/golden.h"

#include "image/intensity.h"
#include "image/percentile.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int by_value(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static double percentile_of_sorted(const float *sorted, size_t count, double percent)
{
    const double position = percent / 100.0 * (double)(count - 1);
    const size_t below = (size_t)position, above = below + 1 < count ? below + 1 : below;
    return (double)sorted[below] + ((double)sorted[above] - (double)sorted[below]) * (position - (double)below);
}

static void percentiles_equal_those_of_a_sort(void **state)
{
    (void)state;
    const double percent[4] = {0.5, 99.5, 0, 100};
    for (uint64_t key = 0; key < 40; key++) {
        const size_t count = 1 + (size_t)random_below(key % 4 ? 300 : 200000, 9, key);
        float *values = malloc(count * sizeof *values), *sorted = malloc(count * sizeof *sorted);
        random_fill(values, count, key);
        for (size_t n = 0; n < count; n++) {
            if (key % 3 == 0) values[n] = rintf(values[n] * 20);           /* many equal ones, both zeros */
            if (key % 3 == 1) values[n] = ldexpf(values[n], (int)(n % 200) - 100); /* all magnitudes */
        }
        memcpy(sorted, values, count * sizeof *values);
        qsort(sorted, count, sizeof *sorted, by_value);
        double found[4], again[4];
        assert_int_equal(percentiles_find(values, count, percent, 4, 1, found, NULL), SAT_OK);
        for (int n = 0; n < 4; n++)
            assert_true(found[n] == percentile_of_sorted(sorted, count, percent[n]));
        assert_int_equal(percentiles_find(values, count, percent, 4, 7, again, NULL), SAT_OK);
        assert_memory_equal(found, again, sizeof found);
        free(values);
        free(sorted);
    }
    const float one = 3;
    double found;
    const double bad = 101;
    assert_int_equal(percentiles_find(&one, 1, percent, 1, 1, &found, NULL), SAT_OK);
    assert_true(found == 3);
    assert_int_equal(percentiles_find(&one, 1, &bad, 1, 1, &found, NULL), SAT_BAD_ARGUMENT);
}

static void the_box_holds_all_foreground_and_no_more(void **state)
{
    (void)state;
    for (uint64_t key = 0; key < 200; key++) {
        int64_t shape[3], from[3] = {99, 99, 99}, to[3] = {0, 0, 0}, box[3][2];
        for (int a = 0; a < 3; a++)
            shape[a] = 1 + (int64_t)random_below(12, key, (uint64_t)a);
        const size_t count = (size_t)(shape[0] * shape[1] * shape[2]);
        float *v = malloc(count * sizeof *v), *crop = malloc(count * sizeof *crop);
        for (size_t n = 0; n < count; n++) {
            v[n] = random_below(count, key, 10 + n) < 2 ? 1e-30f : -(float)(n % 2);
            if (!(v[n] > 0)) continue;
            const int64_t at[3] = {(int64_t)n / (shape[1] * shape[2]), (int64_t)n / shape[2] % shape[1], (int64_t)n % shape[2]};
            for (int a = 0; a < 3; a++) {
                if (at[a] < from[a]) from[a] = at[a];
                if (at[a] >= to[a]) to[a] = at[a] + 1;
            }
        }
        const bool found = intensity_foreground_box(v, shape, 1 + (int)(key % 7), box);
        assert_int_equal(found, to[0] > 0);
        for (int a = 0; a < 3; a++) {
            assert_int_equal(box[a][0], found ? from[a] : 0);
            assert_int_equal(box[a][1], found ? to[a] : shape[a]);
        }
        memcpy(crop, v, count * sizeof *v);
        intensity_crop(crop, shape, box);
        const float *next = crop;
        for (int64_t x = box[0][0]; x < box[0][1]; x++)
            for (int64_t y = box[1][0]; y < box[1][1]; y++)
                for (int64_t z = box[2][0]; z < box[2][1]; z++)
                    assert_true(*next++ == v[(x * shape[1] + y) * shape[2] + z]);
        free(v);
        free(crop);
    }
}

static void statistics_by_hand_and_for_any_threads(void **state)
{
    (void)state;
    float few[5] = {-9, 1, 2, 3, 99};
    intensity_summary s;
    assert_int_equal(intensity_clip(few, 5, 0, 4, 1, &s, NULL), SAT_OK);
    assert_true(s.mean == 2 && fabs(s.std - sqrt(2)) < 1e-15 && s.least == 0 && s.most == 4);
    intensity_scale(few, 5, s.mean, s.std, 2);
    assert_true(few[2] == 0 && fabsf(few[4] - (float)sqrt(2)) < 1e-6f);
    const size_t count = 100003;
    float *a = malloc(count * sizeof *a), *b = malloc(count * sizeof *b);
    random_fill(a, count, 3);
    memcpy(b, a, count * sizeof *a);
    intensity_summary t;
    assert_int_equal(intensity_clip(a, count, -0.9f, 0.8f, 1, &s, NULL), SAT_OK);
    assert_int_equal(intensity_clip(b, count, -0.9f, 0.8f, 7, &t, NULL), SAT_OK);
    assert_memory_equal(&s, &t, sizeof s);
    double sum = 0;
    for (size_t n = 0; n < count; n++)
        sum += (double)a[n];
    assert_true(fabs(sum / (double)count - s.mean) < 1e-12);
    free(a);
    free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(percentiles_equal_those_of_a_sort),
        cmocka_unit_test(the_box_holds_all_foreground_and_no_more),
        cmocka_unit_test(statistics_by_hand_and_for_any_threads),
    };
    return cmocka_run_group_tests_name("image/intensity", tests, NULL, NULL);
}
