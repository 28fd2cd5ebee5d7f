#include "tests/cpu/maps.h"
#include "tests/support/cmocka.h"

#include "cpu/linear.h"

#include <math.h>
#include <string.h>

enum { CHANNELS_MAX = 130, QUERIES_MAX = 130 };
#define CANARY_VALUE (-7.25e30f)

typedef struct problem {
    element_type type;
    test_map features;
    load_rule rule;
    float scale[CHANNELS_MAX], shift[CHANNELS_MAX];
    int queries;
    float *embeddings;
} problem;

static void problem_make(problem *p, const int shape_xyz[3], int channels, int queries, element_type type, int gap, uint64_t key)
{
    *p = (problem){.type = type, .queries = queries};
    p->features = test_map_make(type, shape_xyz, channels, gap);
    test_map_fill(&p->features.map, key, 0);
    random_fill(p->scale, CHANNELS_MAX, key + 1);
    random_fill(p->shift, CHANNELS_MAX, key + 2);
    p->rule = key % 3 ? (load_rule){p->scale, p->shift, 0.01f} : (load_rule){0};
    p->embeddings = malloc((size_t)(queries * channels) * sizeof(float));
    random_fill(p->embeddings, (size_t)(queries * channels), key + 3);
    for (int i = 0; type == ELEMENT_BFLOAT16 && i < queries * channels; i++)
        p->embeddings[i] = bfloat16_to_float(bfloat16_from_float(p->embeddings[i]));
}

static void problem_free(problem *p)
{
    test_map_free(&p->features);
    free(p->embeddings);
}

/* [queries][x_begin..x_end][y][z], the caller frees; 16 canaries behind it are checked. */
static float *run(const problem *p, const float *embeddings, int queries, int x_begin, int x_end, bool probability)
{
    sat_error error = {0};
    const feature_map *f = &p->features.map;
    query_masks *m;
    const int slot = 1;
    if (query_masks_make(f->shape_xyz, f->channels, queries, p->type, 2, processor_best(), &m, &error) != SAT_OK)
        fail_msg("%s", error.message);
    const size_t bytes = query_masks_scratch_bytes(m);
    const size_t count = (size_t)queries * (size_t)(x_end - x_begin) * (size_t)f->shape_xyz[1] * (size_t)f->shape_xyz[2];
    void *scratch = aligned_alloc(64, bytes);
    memset(scratch, 0xff, bytes);
    float *out = malloc((count + 16) * sizeof *out);
    for (size_t i = 0; i < count + 16; i++) out[i] = CANARY_VALUE;
    if (query_masks_run(m, slot, f, &p->rule, x_begin, x_end, embeddings, probability, out, scratch, &error) != SAT_OK)
        fail_msg("%s", error.message);
    for (size_t i = count; i < count + 16; i++) assert_true(out[i] == CANARY_VALUE);
    free(scratch);
    query_masks_free(m);
    return out;
}

/* The definition: dot products in double over operands rounded as the kernel rounds them. */
static double value_of(const problem *p, int q, int x, int y, int z, bool probability)
{
    const feature_map *f = &p->features.map;
    double sum = 0;
    for (int c = 0; c < f->channels; c++) {
        float v = test_map_value(f, x, y, z, c);
        if (p->rule.scale) {
            v = fmaf(p->scale[c], v, p->shift[c]);
            if (v < 0) v *= p->rule.slope;
        }
        if (p->type == ELEMENT_BFLOAT16) v = bfloat16_to_float(bfloat16_from_float(v));
        sum += (double)v * p->embeddings[q * f->channels + c];
    }
    return probability ? 1 / (1 + exp(-sum)) : sum;
}

static void values_agree_with_the_definition(void **state)
{
    (void)state;
    static const int widths[] = {1, 3, 8, 20, 64, 128};
    double worst[2] = {0, 0};
    for (uint64_t key = 0; key < 40; key++) {
        const int shape[3] = {1 + (int)random_below(5, key, 0), 1 + (int)random_below(30, key, 1),
                              key % 10 == 9 ? 600 + (int)random_below(600, key, 2) : 1 + (int)random_below(70, key, 2)};
        const int queries = 1 + (int)random_below(60, key, 3), type = (int)(key % 2);
        const bool probability = key % 4 < 2;
        problem p;
        problem_make(&p, shape, widths[random_below(6, key, 4)], queries, type ? ELEMENT_BFLOAT16 : ELEMENT_FLOAT32,
                     (int)random_below(3, key, 5), key);
        const int x_begin = (int)random_below((uint64_t)shape[0], key, 6);
        float *out = run(&p, p.embeddings, queries, x_begin, shape[0], probability);
        double difference = 0, norm = 1e-30;
        size_t i = 0;
        for (int q = 0; q < queries; q++)
            for (int x = x_begin; x < shape[0]; x++)
                for (int y = 0; y < shape[1]; y++)
                    for (int z = 0; z < shape[2]; z++, i++) {
                        const double expected = value_of(&p, q, x, y, z, probability), d = out[i] - expected;
                        difference += d * d;
                        norm += expected * expected;
                    }
        const double e = sqrt(difference / norm);
        if (!(e <= (type ? 4e-3 : 1e-6))) fail_msg("problem %d: error %g", (int)key, e);
        worst[type] = e > worst[type] ? e : worst[type];
        free(out);
        problem_free(&p);
    }
    print_message("    relative L2 error at most %.2g in float32, %.2g in bfloat16\n", worst[0], worst[1]);
}

/* A query alone and among others, a plane alone and among others: the same bits. */
static void queries_and_planes_do_not_see_each_other(void **state)
{
    (void)state;
    const int shape[3] = {3, 13, 40};
    const size_t plane = (size_t)shape[1] * (size_t)shape[2];
    for (int type = 0; type < 2; type++) {
        problem p;
        problem_make(&p, shape, 64, QUERIES_MAX, type ? ELEMENT_BFLOAT16 : ELEMENT_FLOAT32, 0, 7);
        float *all = run(&p, p.embeddings, QUERIES_MAX, 0, 3, true);
        for (int q = 0; q < QUERIES_MAX; q += 1 + q / 20) {
            float *alone = run(&p, p.embeddings + q * 64, 1, q % 3, q % 3 + 1, true);
            assert_memory_equal(alone, all + ((size_t)q * 3 + (size_t)(q % 3)) * plane, plane * sizeof *alone);
            free(alone);
        }
        free(all);
        problem_free(&p);
    }
}

static void wrong_shapes_are_refused(void **state)
{
    (void)state;
    const int shape[3] = {2, 3, 4};
    sat_error error = {0};
    query_masks *m;
    assert_int_equal(query_masks_make(shape, 8, 0, ELEMENT_FLOAT32, 1, PROCESSOR_PLAIN, &m, &error), SAT_BAD_ARGUMENT);
    assert_null(m);
    assert_int_equal(query_masks_make(shape, 8, 1, ELEMENT_FLOAT32, 1, PROCESSOR_PLAIN, &m, &error), SAT_OK);
    test_map f = test_map_make(ELEMENT_FLOAT32, shape, 9, 0);
    assert_int_equal(query_masks_run(m, 0, &f.map, NULL, 0, 1, NULL, true, NULL, NULL, &error), SAT_BAD_ARGUMENT);
    test_map_free(&f);
    query_masks_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_agree_with_the_definition),
        cmocka_unit_test(queries_and_planes_do_not_see_each_other),
        cmocka_unit_test(wrong_shapes_are_refused),
    };
    return cmocka_run_group_tests_name("cpu/query_masks", tests, NULL, NULL);
}
