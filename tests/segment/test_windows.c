#include "tests/support/cmocka.h"
#include "tests/support/golden.h"

#include "segment/windows.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static json_t *load(const char *name)
{
    const char *path = golden_path(name);
    json_t *json = path ? json_load_file(path, 0, NULL) : NULL;
    if (!json) fail_msg("%s cannot be read", name);
    return json;
}

static void spans_equal_the_golden_ones(void **state)
{
    (void)state;
    json_t *rows = load("pipeline/window_spans.json");
    size_t r;
    const json_t *row;
    json_array_foreach(rows, r, row)
    {
        const int size[3] = {1, 1, (int)json_integer_value(json_object_get(row, "window"))};
        const int64_t shape[3] = {1, 1, json_integer_value(json_object_get(row, "length"))};
        const json_t *spans = json_object_get(row, "spans");
        window_list list;
        assert_int_equal(windows_make(shape, size, 0.5, &list, NULL), SAT_OK);
        assert_int_equal(list.count, json_array_size(spans));
        for (size_t w = 0; w < list.count; w++) {
            assert_int_equal(list.boxes[w].from[2], json_integer_value(json_array_get(json_array_get(spans, w), 0)));
            assert_int_equal(list.boxes[w].to[2], json_integer_value(json_array_get(json_array_get(spans, w), 1)));
        }
        windows_free(&list);
    }
    json_decref(rows);
}

static void weights_equal_the_golden_ones(void **state)
{
    (void)state;
    json_t *all = load("pipeline/window_weights.json");
    const char *name;
    json_t *golden;
    json_object_foreach(all, name, golden)
    {
        int size[3];
        assert_int_equal(sscanf(name, "%dx%dx%d", &size[0], &size[1], &size[2]), 3);
        window_weights weights, other;
        assert_int_equal(window_weights_make(size, 1, &weights, NULL), SAT_OK);
        assert_int_equal(window_weights_make(size, 7, &other, NULL), SAT_OK);
        assert_memory_equal(weights.values, other.values, window_weights_bytes(size));
        double sum = 0;
        float least = INFINITY, most = 0;
        int64_t at_least = 0;
        for (int pass = 0; pass < 2; pass++)
            for (int x = 0; x < size[0]; x++)
                for (int y = 0; y < size[1]; y++)
                    for (int z = 0; z < size[2]; z++) {
                        const float w = window_weights_row(&weights, x, y)[z];
                        if (pass) {
                            at_least += w == least;
                            continue;
                        }
                        sum += (double)w;
                        least = fminf(least, w);
                        most = fmaxf(most, w);
                    }
        assert_true(fabs(sum - json_number_value(json_object_get(golden, "sum"))) < 1e-6);
        assert_true((double)least == json_number_value(json_object_get(golden, "min")));
        assert_true((double)most == json_number_value(json_object_get(golden, "max")));
        assert_int_equal(at_least, json_integer_value(json_object_get(golden, "voxels_at_min")));
        size_t n;
        const json_t *sample;
        json_array_foreach(json_object_get(golden, "samples"), n, sample)
        {
            const int x = (int)json_integer_value(json_array_get(sample, 0)), y = (int)json_integer_value(json_array_get(sample, 1));
            const int z = (int)json_integer_value(json_array_get(sample, 2));
            assert_true((double)window_weights_row(&weights, x, y)[z] == json_number_value(json_array_get(sample, 3)));
        }
        window_weights_free(&weights);
        window_weights_free(&other);
    }
    json_decref(all);
}

/* Every voxel lies in a window, windows have their size or the volume's, and steps are as long as promised. */
static void any_overlap_covers_the_volume(void **state)
{
    (void)state;
    for (uint64_t key = 0; key < 500; key++) {
        const int size[3] = {1, 1, 1 + (int)random_below(60, 1, key)};
        const int64_t shape[3] = {1, 1, 1 + (int64_t)random_below(300, 2, key)};
        const double overlap = (double)random_below(99, 3, key) / 100;
        window_list list;
        assert_int_equal(windows_make(shape, size, overlap, &list, NULL), SAT_OK);
        int covered = 0;
        for (size_t w = 0; w < list.count; w++) {
            const window_box b = list.boxes[w];
            assert_true(b.from[2] <= covered && b.from[2] >= 0 && b.to[2] <= shape[2]);
            assert_int_equal(b.to[2] - b.from[2], size[2] < shape[2] ? size[2] : shape[2]);
            covered = b.to[2];
        }
        assert_int_equal(covered, shape[2]);
        windows_free(&list);
    }
    /* an even size: the general rule is the release's at 0.5 */
    const int64_t shape[3] = {1, 1, 1001};
    const int size[3] = {1, 1, 96};
    window_list a, b;
    assert_int_equal(windows_make(shape, size, 0.5, &a, NULL), SAT_OK);
    assert_int_equal(windows_make(shape, size, 0.5 + 1e-12, &b, NULL), SAT_OK);
    assert_int_equal(a.count, b.count);
    assert_memory_equal(a.boxes, b.boxes, a.count * sizeof *a.boxes);
    windows_free(&a);
    windows_free(&b);
}

static void impossible_windows_are_refused(void **state)
{
    (void)state;
    const int64_t shape[3] = {2000, 2000, 2000};
    const int size[3] = {288, 288, 96}, none[3] = {288, 0, 96}, dots[3] = {1, 1, 1};
    window_list list;
    window_weights weights;
    sat_error error = {0};
    assert_int_equal(windows_make(shape, size, 1, &list, &error), SAT_BAD_ARGUMENT);
    assert_int_equal(windows_make(shape, size, -0.1, &list, &error), SAT_BAD_ARGUMENT);
    assert_int_equal(windows_make(shape, size, (double)NAN, &list, &error), SAT_BAD_ARGUMENT);
    assert_int_equal(windows_make(shape, none, 0.5, &list, &error), SAT_BAD_ARGUMENT);
    assert_int_equal(windows_make(shape, dots, 0.5, &list, &error), SAT_BAD_ARGUMENT);
    assert_non_null(strstr(error.message, "a million windows"));
    windows_free(&list);
    assert_int_equal(window_weights_make(none, 1, &weights, &error), SAT_BAD_ARGUMENT);
}

static void a_cut_is_padded_at_its_far_ends(void **state)
{
    (void)state;
    const int64_t shape[3] = {5, 3, 9};
    const int size[3] = {4, 4, 4};
    float volume[5 * 3 * 9], patch[4 * 4 * 4];
    for (int n = 0; n < 5 * 3 * 9; n++)
        volume[n] = (float)(n + 1);
    window_list list;
    assert_int_equal(windows_make(shape, size, 0.5, &list, NULL), SAT_OK);
    for (size_t w = 0; w < list.count; w++) {
        const int32_t *from = list.boxes[w].from;
        float most = 0;
        window_cut(&list, w, volume, patch, 3);
        for (int x = 0; x < 4; x++)
            for (int y = 0; y < 4; y++)
                for (int z = 0; z < 4; z++) {
                    const float expected = y < 3 ? volume[((from[0] + x) * 3 + y) * 9 + from[2] + z] : 0;
                    assert_true(patch[(x * 4 + y) * 4 + z] == expected);
                    most = fmaxf(most, expected);
                }
        assert_true(window_all_at_most(&list, w, volume, most));
        assert_false(window_all_at_most(&list, w, volume, most - 1));
    }
    windows_free(&list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spans_equal_the_golden_ones),
        cmocka_unit_test(weights_equal_the_golden_ones),
        cmocka_unit_test(any_overlap_covers_the_volume),
        cmocka_unit_test(impossible_windows_are_refused),
        cmocka_unit_test(a_cut_is_padded_at_its_far_ends),
    };
    return cmocka_run_group_tests_name("segment/windows", tests, NULL, NULL);
}
