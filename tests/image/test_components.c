/* Connected parts against a flood fill, by hand and at random. */
#include "tests/support/cmocka.h"
#include "tests/support/golden.h"

#include "image/components.h"

#include <stdlib.h>
#include <string.h>

typedef struct mask {
    int64_t shape[3], box[3][2];
    uint8_t *voxels;
} mask;

static size_t count_of(const mask *m) { return (size_t)(m->shape[0] * m->shape[1] * m->shape[2]); }

static mask make(int64_t ni, int64_t nj, int64_t nk)
{
    mask m = {.shape = {ni, nj, nk}, .box = {{0, ni}, {0, nj}, {0, nk}}};
    m.voxels = calloc(count_of(&m), 1);
    assert_non_null(m.voxels);
    return m;
}

static components_report filter(mask *m, int64_t least, bool largest, int threads)
{
    components_report report;
    sat_error error = {0};
    const components_rule rule = {least, largest};
    if (components_filter(m->voxels, m->shape, m->box, &rule, threads, &report, &error) != SAT_OK) fail_msg("%s", error.message);
    return report;
}

/* The twin: parts[voxel] by flooding from each voxel not yet seen, in the file's order; sizes[part]. */
static int64_t flood(const mask *m, int64_t *parts, int64_t *sizes)
{
    const int64_t ni = m->shape[0], nj = m->shape[1], nk = m->shape[2];
    int64_t *stack = malloc(count_of(m) * sizeof *stack), count = 0;
    for (size_t v = 0; v < count_of(m); v++)
        parts[v] = -1;
    for (size_t start = 0; start < count_of(m); start++) {
        if (!m->voxels[start] || parts[start] >= 0) continue;
        size_t top = 0;
        stack[top++] = (int64_t)start;
        parts[start] = count;
        sizes[count] = 0;
        while (top) {
            const int64_t at = stack[--top], i = at % ni, j = at / ni % nj, k = at / (ni * nj);
            sizes[count]++;
            for (int64_t c = k - 1; c <= k + 1; c++)
                for (int64_t b = j - 1; b <= j + 1; b++)
                    for (int64_t a = i - 1; a <= i + 1; a++) {
                        if (a < 0 || a >= ni || b < 0 || b >= nj || c < 0 || c >= nk) continue;
                        const int64_t near = (c * nj + b) * ni + a;
                        if (!m->voxels[near] || parts[near] >= 0) continue;
                        parts[near] = count;
                        stack[top++] = near;
                    }
        }
        count++;
    }
    free(stack);
    return count;
}

static void random_masks_as_by_flooding(void **state)
{
    (void)state;
    for (uint64_t trial = 0; trial < 120; trial++) {
        mask m = make(1 + (int64_t)random_below(40, trial, 0), 1 + (int64_t)random_below(20, trial, 1), 1 + (int64_t)random_below(60, trial, 2));
        const uint64_t share = 1 + random_below(60, trial, 3);
        const bool coarse = trial % 2; /* lumps of four along i, so that runs are longer */
        for (size_t v = 0; v < count_of(&m); v++)
            m.voxels[v] = random_below(100, trial + 1000, coarse ? v / 4 : v) < share;
        int64_t *parts = malloc(count_of(&m) * sizeof *parts), *sizes = malloc(count_of(&m) * sizeof *sizes);
        const int64_t count = flood(&m, parts, sizes);
        const int64_t least = (int64_t)random_below(12, trial, 4);
        const bool largest = trial % 3 == 0;
        int64_t most = 0, removed = 0;
        for (int64_t p = 0; p < count; p++)
            if (sizes[p] > sizes[most]) most = p;
        uint8_t *expected = malloc(count_of(&m));
        for (size_t v = 0; v < count_of(&m); v++) {
            expected[v] = m.voxels[v] && sizes[parts[v]] >= least && (!largest || parts[v] == most);
            removed += m.voxels[v] != expected[v];
        }
        const components_report report = filter(&m, least, largest, 1 + (int)(trial % 4));
        assert_int_equal(report.parts, count);
        assert_int_equal(report.voxels_removed, removed);
        assert_memory_equal(m.voxels, expected, count_of(&m));
        free(expected);
        free(parts);
        free(sizes);
        free(m.voxels);
    }
}

/* Corners connect; a gap of one voxel does not. Two equal parts: the first stays. */
static void by_hand(void **state)
{
    (void)state;
    mask m = make(9, 3, 3);
#define AT(i, j, k) m.voxels[((k)*3 + (j)) * 9 + (i)]
    AT(0, 0, 0) = AT(1, 1, 1) = AT(2, 2, 2) = 1; /* a diagonal: one part of 3 */
    AT(6, 0, 0) = AT(7, 0, 0) = AT(8, 1, 1) = 1; /* another one               */
    AT(4, 2, 2) = 1;                             /* alone: one voxel of distance to the first */
    components_report report = filter(&m, 2, false, 2);
    assert_int_equal(report.parts, 3);
    assert_int_equal(report.voxels, 7);
    assert_int_equal(report.parts_removed, 1);
    assert_int_equal(report.voxels_removed, 1);
    assert_int_equal(AT(4, 2, 2), 0);
    report = filter(&m, 0, true, 2);
    assert_int_equal(report.voxels_removed, 3);
    assert_int_equal(AT(0, 0, 0), 1);
    assert_int_equal(AT(2, 2, 2), 1);
    assert_int_equal(AT(6, 0, 0), 0);
    report = filter(&m, 4, true, 2);
    assert_int_equal(report.parts_removed, 1);
    for (size_t v = 0; v < count_of(&m); v++)
        assert_int_equal(m.voxels[v], 0);
    report = filter(&m, 4, true, 2);
    assert_int_equal(report.parts, 0);
#undef AT
    free(m.voxels);
}

/* A box spares the search the rest; the result is the same. An empty box is fine. */
static void within_a_box(void **state)
{
    (void)state;
    mask m = make(30, 20, 40);
    for (int64_t k = 11; k < 39; k++)
        m.voxels[(k * 20 + 7) * 30 + 3 + k % 2] = 1;
    m.voxels[(20 * 20 + 15) * 30 + 17] = 1;
    const int64_t box[3][2] = {{3, 18}, {7, 16}, {11, 39}};
    memcpy(m.box, box, sizeof box);
    components_report report = filter(&m, 0, true, 3);
    assert_int_equal(report.parts, 2);
    assert_int_equal(report.voxels, 29);
    assert_int_equal(m.voxels[(20 * 20 + 15) * 30 + 17], 0);
    const int64_t none[3][2] = {{0, 0}, {0, 0}, {0, 0}};
    memcpy(m.box, none, sizeof none);
    report = filter(&m, 0, true, 3);
    assert_int_equal(report.voxels, 0);
    free(m.voxels);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_hand),
        cmocka_unit_test(random_masks_as_by_flooding),
        cmocka_unit_test(within_a_box),
    };
    return cmocka_run_group_tests_name("image/components", tests, NULL, NULL);
}
