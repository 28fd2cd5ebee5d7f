#include "tests/support/cmocka.h"
#include "tests/support/golden.h"

#include "cpu/tiling.h"

#include <stdlib.h>
#include <string.h>

static tiling_costs some_costs(uint64_t key)
{
    return (tiling_costs){
        .reach = key % 3 ? 3 : 1,
        .stride = key % 2 ? 2 : 1,
        .input_bytes = 2.0 * (double)(1 + random_below(300, key, 3)),
        .output_bytes = 4.0 * (double)(1 + random_below(300, key, 4)),
        .input_work = 5000,
        .output_work = 5000,
        .multiply_work = 200000,
        .task_work = 1e6,
        .groups = 1 + (int)random_below(8, key, 5),
        .bytes_limit = 1e6,
        .keep_axes = key % 5 == 0,
    };
}

/* Every voxel of the map lies in exactly one tile, and both buffers keep the limit. */
static void tiles_cover_the_map_once(void **state)
{
    (void)state;
    for (uint64_t key = 0; key < 60; key++) {
        const int shape_xyz[3] = {1 + (int)random_below(60, key, 0), 1 + (int)random_below(60, key, 1), 1 + (int)random_below(60, key, 2)};
        const tiling_costs costs = some_costs(key);
        const tiling t = tiling_choose(shape_xyz, &costs);
        const size_t voxels = (size_t)(shape_xyz[0] * shape_xyz[1] * shape_xyz[2]);
        unsigned char *seen = calloc(voxels, 1);
        const feature_map map = feature_map_dense(seen, ELEMENT_UINT8, shape_xyz, 1), view = tiling_view(&t, &map);
        for (int i = 0; i < t.tiles; i++) {
            int origin[3], inside[3];
            tiling_tile(&t, i, origin, inside);
            for (int a = 0; a < inside[0]; a++)
                for (int b = 0; b < inside[1]; b++)
                    for (int c = 0; c < inside[2]; c++)
                        seen[(origin[0] + a) * view.pitch_xyz[0] + (origin[1] + b) * view.pitch_xyz[1] + (origin[2] + c) * view.pitch_xyz[2]]++;
        }
        for (size_t v = 0; v < voxels; v++) assert_int_equal(seen[v], 1);
        int box[3];
        const double bytes = (double)tiling_input_voxels(&t, costs.reach, costs.stride, box) * costs.input_bytes +
                             (double)tiling_tile_voxels(&t) * costs.output_bytes;
        assert_true(bytes <= costs.bytes_limit);
        free(seen);
    }
}

/* A map of the deepest level: its rows are short, so a longer axis runs innermost, unless that is forbidden. */
static void the_longest_axis_runs_innermost_where_rows_are_short(void **state)
{
    (void)state;
    tiling_costs costs = some_costs(1);
    const int deep[3] = {18, 18, 6}, shallow[3] = {288, 288, 96};
    assert_int_equal(tiling_choose(deep, &costs).axes[2], 1);
    assert_int_equal(tiling_choose(shallow, &costs).axes[2], 2);
    costs.keep_axes = true;
    assert_int_equal(tiling_choose(deep, &costs).axes[2], 2);
}

static void shares_are_contiguous_and_even(void **state)
{
    (void)state;
    for (int tasks = 0; tasks < 40; tasks++)
        for (int threads = 1; threads < 20; threads++)
            for (int t = 0, next = 0; t < threads; t++) {
                int begin, end;
                tiling_share(tasks, t, threads, &begin, &end);
                assert_int_equal(begin, next);
                assert_in_range(end - begin, tasks / threads, (tasks + threads - 1) / threads);
                next = end;
                if (t == threads - 1) assert_int_equal(end, tasks);
            }
}

static void groups_divide_the_channels(void **state)
{
    (void)state;
    assert_int_equal(tiling_group(64, 100, 1e9), 64);    /* all fit           */
    assert_int_equal(tiling_group(768, 1000, 1e5), 96);  /* the most that fit */
    assert_int_equal(tiling_group(768, 1e6, 1e5), 32);   /* never fewer       */
    assert_int_equal(tiling_group(20, 1e6, 1e5), 20);    /* nothing divides   */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tiles_cover_the_map_once),
        cmocka_unit_test(the_longest_axis_runs_innermost_where_rows_are_short),
        cmocka_unit_test(shares_are_contiguous_and_even),
        cmocka_unit_test(groups_divide_the_channels),
    };
    return cmocka_run_group_tests_name("cpu/tiling", tests, NULL, NULL);
}
