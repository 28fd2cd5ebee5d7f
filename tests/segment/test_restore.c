#include "tests/support/cmocka.h"
#include "tests/support/golden.h"

#include "segment/merge.h"
#include "segment/restore.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const int window_size[3] = {32, 32, 16};

/* A merge of one prompt whose processed probabilities are `dense`, by one big window or many small ones. */
typedef struct planted {
    window_list windows;
    window_weights weights;
    merge *m;
} planted;

static void plant(const int64_t shape[3], const float *dense, bool keep, float threshold, planted *p)
{
    assert_int_equal(windows_make(shape, window_size, 0.5, &p->windows, NULL), SAT_OK);
    assert_int_equal(window_weights_make(window_size, 1, &p->weights, NULL), SAT_OK);
    const merge_settings settings = {.windows = &p->windows, .weights = &p->weights, .prompts = 1, .budget_bytes = (size_t)1 << 27,
                                     .tolerance = keep ? 0 : MERGE_TOLERANCE, .threshold = threshold, .keep_probabilities = keep, .threads = 2};
    assert_int_equal(merge_open(&settings, &p->m, NULL), SAT_OK);
    float *patch = malloc(32 * 32 * 16 * sizeof *patch);
    for (size_t w = 0; w < p->windows.count; w++) {
        window_cut(&p->windows, w, dense, patch, 1);
        merge_add(p->m, w, 0, 0, 32, patch);
        merge_window_done(p->m, w, 1);
    }
    free(patch);
}

static void uproot(planted *p)
{
    merge_close(p->m);
    windows_free(&p->windows);
    window_weights_free(&p->weights);
}

typedef struct collected {
    uint8_t *mask;
    float *probability;
    size_t at, at_probability, zeros;
    int calls_left;
} collected;

static sat_status take_mask(void *context, const uint8_t *mask, size_t voxels, sat_error *error)
{
    collected *c = context;
    if (c->calls_left-- == 0) return sat_fail(error, SAT_IO, "the disk is full");
    memcpy(c->mask + c->at, mask, voxels);
    c->at += voxels;
    return SAT_OK;
}

static sat_status take_probability(void *context, const float *probability, size_t voxels, sat_error *error)
{
    collected *c = context;
    (void)error;
    memcpy(c->probability + c->at_probability, probability, voxels * sizeof *probability);
    c->at_probability += voxels;
    return SAT_OK;
}

static sat_status take_zeros(void *context, size_t voxels, sat_error *error)
{
    collected *c = context;
    (void)error;
    memset(c->mask + c->at, 0, voxels);
    c->at += voxels;
    c->zeros += voxels;
    return SAT_OK;
}

static size_t voxels_of(const int64_t shape[3]) { return (size_t)(shape[0] * shape[1] * shape[2]); }

static void code_number(int number, char code[4])
{
    static const int orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    for (int a = 0; a < 3; a++)
        code[a] = "RLAPSI"[2 * orders[number / 8][a] + (number >> a & 1)];
    code[3] = 0;
}

/* A scan with axes towards `code`, isotropic, centred in the world: bright where x > 12, y > 6 and z > 3 mm, else dim. */
static volume scan_of_code(const char *code, const int64_t shape[3], double spacing)
{
    volume v = {.grid = {.shape_ijk = {shape[0], shape[1], shape[2]}}, .type = VOXEL_UINT8, .stored = malloc(voxels_of(shape))};
    for (int axis = 0; axis < 3; axis++) {
        const int letter = (int)(strchr("RLAPSI", code[axis]) - "RLAPSI");
        const double step = letter % 2 ? -spacing : spacing;
        v.grid.voxel_to_world[letter / 2][axis] = step;
        v.grid.voxel_to_world[letter / 2][3] = -step * (double)(shape[axis] - 1) / 2;
    }
    uint8_t *stored = v.stored;
    for (int64_t k = 0; k < shape[2]; k++)
        for (int64_t j = 0; j < shape[1]; j++)
            for (int64_t i = 0; i < shape[0]; i++) {
                bool inside = true;
                for (int row = 0; row < 3; row++) {
                    const double *m = v.grid.voxel_to_world[row];
                    inside = inside && m[0] * (double)i + m[1] * (double)j + m[2] * (double)k + m[3] > (row == 0 ? 12 : row == 1 ? 6 : 3);
                }
                *stored++ = inside ? 200 : 50;
            }
    return v;
}

/* The bright corner is marked on the processed grid by its value; on the way back it must come out where it is bright. */
static void a_planted_mask_returns_to_its_side_in_all_48_orientations(void **state)
{
    (void)state;
    static const char *const targets[] = {"RAS", "ASR", "LPI"};
    for (int number = 0; number < 48; number++) {
        char code[4];
        code_number(number, code);
        const int64_t shape[3] = {37, 44, 31};
        volume v = scan_of_code(code, shape, 1.2);
        const standard_settings settings = {.modality = "mri", .orientation_code = targets[number % 3], .spacing_mm = {1, 1, 3},
                                            .intensity = {-500, 1000, 0, 100}, .threads = 2};
        standard_scan scan;
        assert_int_equal(standard_make(&v, &settings, &scan, NULL), SAT_OK);
        const size_t processed = voxels_of(scan.grid.shape_xyz), voxels = voxels_of(shape);
        /* intensity, linear in the stored value, as the probability: > 0.5 where nearer to 200 than to 50 */
        for (size_t n = 0; n < processed; n++) {
            const double value = (double)scan.voxels[n] * scan.statistics.std + scan.statistics.mean;
            scan.voxels[n] = (float)((value - 50) / 150);
        }
        planted p;
        plant(scan.grid.shape_xyz, scan.voxels, true, 0, &p);
        restore *back;
        assert_int_equal(restore_open(&scan.grid, true, 2, &back, NULL), SAT_OK);
        collected c = {.mask = malloc(voxels), .probability = malloc(voxels * sizeof(float)), .calls_left = -1};
        const restore_sink sink = {&c, take_mask, take_probability, NULL};
        restore_found found;
        assert_int_equal(restore_prompt(back, p.m, 0, &sink, &found, NULL), SAT_OK);
        const uint8_t *stored = v.stored;
        size_t wrong = 0, bright = 0, count = 0;
        int64_t box[3][2] = {{99, 0}, {99, 0}, {99, 0}};
        for (size_t n = 0; n < voxels; n++) {
            wrong += (stored[n] == 200) != c.mask[n];
            bright += stored[n] == 200;
            count += c.mask[n];
            const int64_t at[3] = {(int64_t)n % shape[0], (int64_t)n / shape[0] % shape[1], (int64_t)n / shape[0] / shape[1]};
            for (int a = 0; a < 3 && c.mask[n]; a++) {
                if (at[a] < box[a][0]) box[a][0] = at[a];
                if (at[a] >= box[a][1]) box[a][1] = at[a] + 1;
            }
        }
        /* resampling blurs the corner's surface: a voxel's thickness there, nothing elsewhere */
        assert_true(bright > 500);
        if (wrong * 3 > bright) fail_msg("%s: %zu of %zu voxels are on the wrong side", code, wrong, bright);
        assert_int_equal(found.voxels, count);
        assert_memory_equal(found.box_ijk, box, sizeof box);
        free(c.mask);
        free(c.probability);
        restore_close(back);
        uproot(&p);
        standard_free(&scan);
        volume_free(&v);
    }
}

/* A grid made by hand from a file's affine; nothing cropped but a margin. */
static standard_grid grid_of(const double affine[3][4], const int64_t shape[3], const int64_t margin)
{
    geometry file = {.shape_ijk = {shape[0], shape[1], shape[2]}};
    memcpy(file.voxel_to_world, affine, sizeof file.voxel_to_world);
    const standard_settings settings = {.modality = "ct", .spacing_mm = {1, 1, 3}, .intensity = {-500, 1000, 0.5, 99.5}, .threads = 1};
    standard_grid grid;
    assert_int_equal(standard_plan(&file, &settings, &grid, NULL), SAT_OK);
    for (int a = 0; a < 3; a++) {
        grid.box[a][0] = margin;
        grid.box[a][1] -= margin;
        grid.shape_xyz[a] -= 2 * margin;
    }
    return grid;
}

static const double straight[3][4] = {{-0.8, 0, 0, 40}, {0, -0.8, 0, 30}, {0, 0, 1.1, -20}};
static const double oblique[3][4] = {{0.79, 0.12, 0.05, 3}, {-0.11, 0.8, 0.02, 5}, {-0.04, -0.03, 1.9, 7}};
static const double fitting[3][4] = {{0, -1, 0, 3}, {1, 0, 0, 5}, {0, 0, 3, 7}};

/* Two blobs, one of them at the edge of the crop, with long tails. */
static float *blobs(const int64_t shape[3])
{
    float *p = malloc(voxels_of(shape) * sizeof *p), *at = p;
    for (int64_t x = 0; x < shape[0]; x++)
        for (int64_t y = 0; y < shape[1]; y++)
            for (int64_t z = 0; z < shape[2]; z++) {
                const double a = hypot(hypot((double)x - 20, (double)y - 25), 3 * ((double)z - 8)), b = hypot(hypot((double)x - 70, (double)y - 70), 3 * ((double)z - 1));
                *at++ = (float)(1 / (1 + exp(0.9 * (a - 11))) + 0.9 / (1 + exp(1.5 * (b - 6))));
            }
    return p;
}

/* Single voxels far above a background just below the threshold, at corners and faces of blocks: their neighbours decide. */
static float *sparks(const int64_t shape[3])
{
    float *p = malloc(voxels_of(shape) * sizeof *p);
    for (size_t n = 0; n < voxels_of(shape); n++)
        p[n] = 0.45f;
    for (uint64_t n = 0; n < 12; n++) {
        int64_t at[3];
        const int64_t size[3] = {MERGE_BLOCK_X, MERGE_BLOCK_Y, MERGE_BLOCK_Z};
        for (int a = 0; a < 3; a++) {
            const int64_t blocks = shape[a] / size[a];
            at[a] = size[a] * (int64_t)random_below((uint64_t)blocks, n, (uint64_t)a) + (random_below(2, n, 5 + (uint64_t)a) ? size[a] - 1 : 0);
        }
        p[(at[0] * shape[1] + at[1]) * shape[2] + at[2]] = 0.99f;
    }
    return p;
}

static void masks_are_the_same_from_sparse_blocks_and_with_any_threads(void **state)
{
    (void)state;
    const double (*const affines[])[4] = {straight, oblique, fitting};
    for (int kind = 0; kind < 18; kind++) { /* three affines, two images, three thresholds */
        const bool smooth = kind % 6 < 3;
        const float threshold = kind < 6 ? 0 : kind < 12 ? 0.3f : 0.8f;
        const int64_t shape[3] = {120, 115, kind % 3 == 2 ? 33 : 60};
        const standard_grid grid = grid_of(affines[kind % 3], shape, 2);
        float *dense = smooth ? blobs(grid.shape_xyz) : sparks(grid.shape_xyz);
        const size_t voxels = voxels_of(shape);
        planted all, masks;
        plant(grid.shape_xyz, dense, true, threshold, &all);
        plant(grid.shape_xyz, dense, false, threshold, &masks);
        collected c[5];
        restore_found found[5];
        const int threads[5] = {1, 2, 7, 2, 2};
        for (int n = 0; n < 5; n++) {
            c[n] = (collected){.mask = malloc(voxels), .probability = malloc(voxels * sizeof(float)), .calls_left = -1};
            restore *back;
            assert_int_equal(restore_open(&grid, n != 3, threads[n], &back, NULL), SAT_OK);
            const restore_sink probabilities = {&c[n], take_mask, take_probability, NULL}, sparse = {&c[n], take_mask, NULL, take_zeros};
            for (int again = 0; again < 2; again++) { /* the buffers are clean for the second prompt */
                c[n].at = c[n].at_probability = c[n].zeros = 0;
                assert_int_equal(restore_prompt(back, n < 3 ? all.m : masks.m, 0, n != 3 ? &probabilities : &sparse, &found[n], NULL), SAT_OK);
                assert_int_equal(c[n].at, voxels);
            }
            restore_close(back);
        }
        assert_true(smooth ? found[0].voxels > 1000 && c[3].zeros > 0 : found[0].voxels > 0);
        for (int n = 1; n < 5; n++) {
            assert_memory_equal(c[0].mask, c[n].mask, voxels);
            assert_memory_equal(&found[0], &found[n], sizeof found[0]);
            if (n < 3) assert_memory_equal(c[0].probability, c[n].probability, voxels * sizeof(float));
        }
        for (size_t v = 0; v < voxels; v++) /* within masks probabilities are right although blocks were freed */
            if (c[4].mask[v]) assert_memory_equal(&c[4].probability[v], &c[0].probability[v], sizeof(float));
        for (int n = 0; n < 5; n++) {
            free(c[n].mask);
            free(c[n].probability);
        }
        uproot(&all);
        uproot(&masks);
        free(dense);
    }
}

static void a_failing_sink_stops_the_work(void **state)
{
    (void)state;
    const int64_t shape[3] = {40, 40, 30};
    const standard_grid grid = grid_of(straight, shape, 0);
    float *dense = blobs(grid.shape_xyz);
    planted p;
    plant(grid.shape_xyz, dense, true, 0, &p);
    collected c = {.mask = malloc(voxels_of(shape)), .calls_left = 1};
    restore *back;
    restore_found found;
    sat_error error = {0};
    const restore_sink sink = {&c, take_mask, NULL, NULL}, greedy = {&c, take_mask, take_probability, NULL};
    assert_int_equal(restore_open(&grid, false, 2, &back, NULL), SAT_OK);
    assert_int_equal(restore_prompt(back, p.m, 0, &sink, &found, &error), SAT_IO);
    assert_string_equal(error.message, "the disk is full");
    assert_int_equal(restore_prompt(back, p.m, 0, &greedy, &found, &error), SAT_BAD_ARGUMENT);
    restore_close(back);
    restore_close(NULL);
    standard_grid other = grid;
    other.shape_xyz[1]++;
    assert_int_equal(restore_open(&other, false, 2, &back, NULL), SAT_OK);
    assert_int_equal(restore_prompt(back, p.m, 0, &sink, &found, &error), SAT_BAD_ARGUMENT);
    restore_close(back);
    uproot(&p);
    free(c.mask);
    free(dense);
}

static void nothing_found_is_an_empty_mask(void **state)
{
    (void)state;
    const int64_t shape[3] = {40, 40, 30};
    const standard_grid grid = grid_of(straight, shape, 0);
    float *dense = calloc(voxels_of(grid.shape_xyz), sizeof *dense);
    planted p;
    plant(grid.shape_xyz, dense, false, 0, &p);
    collected c = {.mask = malloc(voxels_of(shape)), .calls_left = 0};
    const restore_sink sink = {&c, take_mask, NULL, take_zeros};
    restore *back;
    restore_found found;
    assert_int_equal(restore_open(&grid, false, 1, &back, NULL), SAT_OK);
    assert_int_equal(restore_prompt(back, p.m, 0, &sink, &found, NULL), SAT_OK);
    assert_true(c.zeros == voxels_of(shape) && found.voxels == 0 && found.box_ijk[2][1] == 0);
    restore_close(back);
    uproot(&p);
    free(c.mask);
    free(dense);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_planted_mask_returns_to_its_side_in_all_48_orientations),
        cmocka_unit_test(masks_are_the_same_from_sparse_blocks_and_with_any_threads),
        cmocka_unit_test(a_failing_sink_stops_the_work),
        cmocka_unit_test(nothing_found_is_an_empty_mask),
    };
    return cmocka_run_group_tests_name("segment/restore", tests, NULL, NULL);
}
