#include "tests/support/cmocka.h"
#include "tests/support/golden.h"

#include "base/processor.h"
#include "segment/merge.h"
#include "segment/merge_rows.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { PROMPTS = 9 };
static const int window_size[3] = {32, 32, 16};
static const int64_t volume_shape[3] = {75, 50, 21};

typedef struct fixture {
    window_list windows;
    window_weights weights;
    size_t voxels, patch;
    float *predicted; /* [window][prompt][patch] */
} fixture;

/* What window `window` predicts at a voxel of it: a ball whose place and size depend on the prompt (prompt 8: none at all), with a
 * long tail, and a ripple for each window. */
static float formula(const window_box *box, size_t window, int prompt, int x, int y, int z)
{
    if (prompt == 8) return 0;
    const double dx = x + box->from[0] - (10 + 7 * prompt), dy = y + box->from[1] - (8 + 4 * prompt), dz = z + box->from[2] - (18 - 2 * prompt);
    const double logit = 0.4 * (4 + prompt - sqrt(dx * dx + dy * dy + 4 * dz * dz)) + sin(0.9 * x + 0.7 * y + (double)window);
    return (float)(1 / (1 + exp(-logit)));
}

static fixture open_fixture(void)
{
    fixture f;
    assert_int_equal(windows_make(volume_shape, window_size, 0.5, &f.windows, NULL), SAT_OK);
    assert_int_equal(window_weights_make(window_size, 2, &f.weights, NULL), SAT_OK);
    f.voxels = (size_t)(volume_shape[0] * volume_shape[1] * volume_shape[2]);
    f.patch = (size_t)(window_size[0] * window_size[1] * window_size[2]);
    float *p = f.predicted = malloc(f.windows.count * PROMPTS * f.patch * sizeof *p);
    for (size_t w = 0; w < f.windows.count; w++)
        for (int prompt = 0; prompt < PROMPTS; prompt++)
            for (int x = 0; x < window_size[0]; x++)
                for (int y = 0; y < window_size[1]; y++)
                    for (int z = 0; z < window_size[2]; z++)
                        *p++ = formula(&f.windows.boxes[w], w, prompt, x, y, z);
    return f;
}

static void close_fixture(fixture *f)
{
    windows_free(&f->windows);
    window_weights_free(&f->weights);
    free(f->predicted);
}

static const float *predicted_plane(const fixture *f, size_t window, int prompt, int x)
{
    return f->predicted + (window * PROMPTS + (size_t)prompt) * f->patch + (size_t)(x * window_size[1] * window_size[2]);
}

/* One pass over all windows, `planes` at a time, prompts in ascending or descending order. */
static void run_pass(const fixture *f, merge *m, int prompts, int planes, int threads, bool descending)
{
    const int slabs = (window_size[0] + planes - 1) / planes;
    for (size_t w = 0; w < f->windows.count; w++) {
#pragma omp parallel for collapse(2) num_threads(threads) schedule(dynamic)
        for (int n = 0; n < prompts; n++)
            for (int slab = 0; slab < slabs; slab++) {
                const int prompt = descending ? prompts - 1 - n : n;
                const int x0 = slab * planes, x1 = x0 + planes < window_size[0] ? x0 + planes : window_size[0];
                merge_add(m, w, prompt, x0, x1, predicted_plane(f, w, prompt, x0));
            }
        merge_window_done(m, w, threads);
    }
}

/* The formula of pipeline.md, section 7, on dense arrays. */
static void merge_by_formula(const fixture *f, int prompt, float *result)
{
    float *sum = calloc(f->voxels, sizeof *sum), *weight = calloc(f->voxels, sizeof *weight);
    for (size_t w = 0; w < f->windows.count; w++) {
        const window_box b = f->windows.boxes[w];
        for (int x = b.from[0]; x < b.to[0]; x++)
            for (int y = b.from[1]; y < b.to[1]; y++)
                for (int z = b.from[2]; z < b.to[2]; z++) {
                    const size_t at = (size_t)((x * volume_shape[1] + y) * volume_shape[2] + z);
                    const float g = window_weights_row(&f->weights, x - b.from[0], y - b.from[1])[z - b.from[2]];
                    sum[at] += predicted_plane(f, w, prompt, x - b.from[0])[(y - b.from[1]) * window_size[2] + z - b.from[2]] * g;
                    weight[at] += g;
                }
    }
    for (size_t n = 0; n < f->voxels; n++)
        result[n] = sum[n] / weight[n];
    free(sum);
    free(weight);
}

static merge *open_merge(const fixture *f, int prompts, size_t budget, float tolerance, bool keep)
{
    const merge_settings settings = {.windows = &f->windows, .weights = &f->weights, .prompts = prompts, .budget_bytes = budget,
                                     .tolerance = tolerance, .keep_probabilities = keep, .threads = 2};
    merge *m;
    sat_error error = {0};
    if (merge_open(&settings, &m, &error) != SAT_OK) fail_msg("%s", error.message);
    return m;
}

static void without_tolerance_the_bits_are_those_of_the_formula(void **state)
{
    (void)state;
    fixture f = open_fixture();
    float *expected = malloc(f.voxels * sizeof *expected), *actual = malloc(f.voxels * sizeof *actual);
    merge *m = open_merge(&f, 3, (size_t)1 << 28, 0, true);
    run_pass(&f, m, 3, 7, 2, false);
    for (int prompt = 0; prompt < 3; prompt++) {
        merge_by_formula(&f, prompt, expected);
        merge_dense(m, prompt, actual, NULL);
        assert_memory_equal(expected, actual, f.voxels * sizeof *actual);
    }
    merge_close(m);
    free(expected);
    free(actual);
    close_fixture(&f);
}

static void sparse_sums_are_off_by_no_more_than_the_tolerance(void **state)
{
    (void)state;
    fixture f = open_fixture();
    float *expected = malloc(f.voxels * sizeof *expected), *kept = malloc(f.voxels * sizeof *kept);
    uint8_t *mask = malloc(f.voxels), *freed_mask = malloc(f.voxels);
    const float tolerances[2] = {MERGE_TOLERANCE, 1e-2f};
    for (int t = 0; t < 2; t++) {
        merge *all = open_merge(&f, PROMPTS, (size_t)1 << 28, tolerances[t], true);
        merge *masks = open_merge(&f, PROMPTS, (size_t)1 << 28, tolerances[t], false);
        run_pass(&f, all, PROMPTS, 32, 2, false);
        run_pass(&f, masks, PROMPTS, 32, 2, false);
        for (int prompt = 0; prompt < PROMPTS; prompt++) {
            merge_by_formula(&f, prompt, expected);
            merge_dense(all, prompt, kept, mask);
            merge_dense(masks, prompt, NULL, freed_mask);
            assert_memory_equal(mask, freed_mask, f.voxels);
            for (size_t n = 0; n < f.voxels; n++)
                if (!(expected[n] - kept[n] <= tolerances[t] && kept[n] <= expected[n] * 1.000001f)) fail_msg("prompt %d voxel %zu", prompt, n);
        }
        merge_usage with, without;
        merge_usage_now(all, &with);
        merge_usage_now(masks, &without);
        merge_plan plan;
        merge_plan_make(&f.windows, PROMPTS, (size_t)1 << 28, &plan);
        assert_true(t ? without.used_bytes <= with.used_bytes : without.used_bytes < with.used_bytes);
        assert_true(with.peak_bytes < plan.dense_prompt_bytes * PROMPTS * 3 / 4);
        assert_true(merge_block(masks, 8, 0, 0, 0) == NULL && merge_dense(masks, 8, NULL, NULL) == 0);
        merge_close(all);
        merge_close(masks);
    }
    free(expected);
    free(kept);
    free(mask);
    free(freed_mask);
    close_fixture(&f);
}

/* Runs all passes; which[prompt] = the pass in which it was completed; its probabilities behind maps + prompt * voxels. */
static int run_all(const fixture *f, size_t budget, int planes, int threads, bool descending, int which[PROMPTS], float *maps)
{
    merge *m = open_merge(f, PROMPTS, budget, MERGE_TOLERANCE, false);
    int pass = 0;
    do {
        run_pass(f, m, PROMPTS, planes, threads, descending);
        pass++;
        int complete = 0;
        for (int prompt = 0; prompt < PROMPTS; prompt++) {
            if (!merge_complete(m, prompt)) continue;
            complete++;
            which[prompt] = pass;
            merge_dense(m, prompt, maps + (size_t)prompt * f->voxels, NULL);
            if (prompt % 2) merge_release(m, prompt);
        }
        assert_true(complete > 0);
        merge_usage usage;
        merge_usage_now(m, &usage);
        assert_true(usage.fixed_bytes + usage.pool_bytes <= budget && usage.peak_bytes <= usage.pool_bytes && usage.passes == pass);
    } while (merge_next_pass(m) > 0);
    merge_close(m);
    return pass;
}

static void a_small_pool_defers_the_same_prompts_whatever_the_threads(void **state)
{
    (void)state;
    fixture f = open_fixture();
    merge_plan plan;
    merge_plan_make(&f.windows, PROMPTS, 0, &plan);
    float *free_run = malloc(PROMPTS * f.voxels * sizeof *free_run), *maps = malloc(PROMPTS * f.voxels * sizeof *maps);
    int one_pass[PROMPTS];
    assert_int_equal(run_all(&f, (size_t)1 << 28, 32, 2, false, one_pass, free_run), 1);
    for (int extra = 0; extra < 2; extra++) {
        const size_t budget = plan.minimum_bytes + (size_t)extra * plan.dense_prompt_bytes;
        int first[PROMPTS], again[PROMPTS], passes = 0;
        static const int threads[] = {1, 2, 7, 2}, planes[] = {32, 5, 3, 1};
        for (int n = 0; n < 4; n++) {
            const int here = run_all(&f, budget, planes[n], threads[n], n % 2, n ? again : first, maps);
            if (n == 0) passes = here;
            assert_int_equal(here, passes);
            if (n) assert_memory_equal(first, again, sizeof first);
            assert_memory_equal(free_run, maps, PROMPTS * f.voxels * sizeof *maps);
        }
        if (extra == 0) assert_true(passes > 1);
        for (int prompt = 1; prompt < PROMPTS; prompt++)
            assert_true(first[prompt] >= first[prompt - 1]);
    }
    free(free_run);
    free(maps);
    close_fixture(&f);
}

static void too_small_a_budget_is_refused_with_the_number_that_would_do(void **state)
{
    (void)state;
    fixture f = open_fixture();
    merge_plan plan;
    merge_plan_make(&f.windows, PROMPTS, 0, &plan);
    assert_int_equal(plan.prompts_per_pass, 0);
    merge_settings settings = {.windows = &f.windows, .weights = &f.weights, .prompts = PROMPTS, .budget_bytes = plan.minimum_bytes - 1,
                               .tolerance = MERGE_TOLERANCE, .threads = 1};
    merge *m;
    sat_error error = {0};
    assert_int_equal(merge_open(&settings, &m, &error), SAT_NO_MEMORY);
    assert_null(m);
    assert_non_null(strstr(error.message, "at least"));
    settings.budget_bytes++;
    assert_int_equal(merge_open(&settings, &m, &error), SAT_OK);
    merge_close(m);
    merge_close(NULL);
    settings.prompts = 0;
    assert_int_equal(merge_open(&settings, &m, &error), SAT_BAD_ARGUMENT);
    merge_plan_make(&f.windows, PROMPTS, plan.fixed_bytes + 4 * plan.dense_prompt_bytes, &plan);
    assert_int_equal(plan.prompts_per_pass, 4);
    assert_int_equal(plan.passes_if_dense, 3);
    close_fixture(&f);
}

/* A window left out has no say: the voxels that others cover are as if it were not there, the rest is 0. */
static void skipped_windows_have_no_say(void **state)
{
    (void)state;
    const int64_t shape[3] = {48, 32, 16};
    window_list windows;
    window_weights weights;
    assert_int_equal(windows_make(shape, window_size, 0.5, &windows, NULL), SAT_OK);
    assert_int_equal(windows.count, 2);
    assert_int_equal(window_weights_make(window_size, 1, &weights, NULL), SAT_OK);
    const bool skipped[2] = {false, true};
    const merge_settings settings = {.windows = &windows, .weights = &weights, .skipped = skipped, .prompts = 1, .budget_bytes = 1 << 24,
                                     .tolerance = MERGE_TOLERANCE, .keep_probabilities = true, .threads = 1};
    merge *m;
    assert_int_equal(merge_open(&settings, &m, NULL), SAT_OK);
    float *p = malloc(32 * 32 * 16 * sizeof *p), *dense = malloc(48 * 32 * 16 * sizeof *dense);
    for (int n = 0; n < 32 * 32 * 16; n++)
        p[n] = 0.75f;
    p[17] = NAN;
    merge_add(m, 0, 0, 0, 32, p);
    merge_window_done(m, 0, 1);
    merge_add(m, 1, 0, 0, 32, p);
    merge_window_done(m, 1, 1);
    assert_int_equal(merge_dense(m, 0, dense, NULL), 32 * 32 * 16 - 1);
    for (int n = 0; n < 48 * 32 * 16; n++)
        assert_true(fabsf(dense[n] - (n < 32 * 32 * 16 && n != 17 ? 0.75f : 0)) < 1e-6f);
    merge_close(m);
    free(p);
    free(dense);
    windows_free(&windows);
    window_weights_free(&weights);
}

static void every_processor_finds_the_same_largest(void **state)
{
    (void)state;
    merge_largest_of_rows *tried[2] = {NULL, NULL};
#if defined(__x86_64__)
    if (processor_best() >= PROCESSOR_AVX2) tried[0] = merge_largest_of_rows_avx2;
    if (processor_best() >= PROCESSOR_AVX512) tried[1] = merge_largest_of_rows_avx512;
#endif
    float values[17 * 131], plain[131], fast[131];
    random_fill(values, sizeof values / sizeof *values, 4);
    for (size_t n = 0; n < sizeof values / sizeof *values; n += 97)
        values[n] = n % 2 ? NAN : -0.0f;
    for (int rows = 1; rows <= 16; rows++)
        for (int count = 1; count <= 131; count++) {
            merge_largest_of_rows_plain(values, 131, rows, count, plain);
            for (int k = 0; k < 2 && tried[k]; k++) {
                tried[k](values, 131, rows, count, fast);
                for (int z = 0; z < count; z++)
                    assert_true(plain[z] == fast[z]);
            }
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_processor_finds_the_same_largest),
        cmocka_unit_test(without_tolerance_the_bits_are_those_of_the_formula),
        cmocka_unit_test(sparse_sums_are_off_by_no_more_than_the_tolerance),
        cmocka_unit_test(a_small_pool_defers_the_same_prompts_whatever_the_threads),
        cmocka_unit_test(too_small_a_budget_is_refused_with_the_number_that_would_do),
        cmocka_unit_test(skipped_windows_have_no_say),
    };
    return cmocka_run_group_tests_name("segment/merge", tests, NULL, NULL);
}
