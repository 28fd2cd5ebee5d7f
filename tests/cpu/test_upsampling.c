#include "tests/cpu/maps.h"
#include "tests/support/cmocka.h"

#include "cpu/convolution.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { CHANNELS_MAX = 200 };

typedef struct problem {
    element_type type;
    test_map source;
    load_rule rule;
    float scale[CHANNELS_MAX], shift[CHANNELS_MAX], bias[CHANNELS_MAX];
    int outputs, output_shape[3];
    float *weights; /* rounded to `type` */
} problem;

static void problem_make(problem *p, const int shape_xyz[3], int inputs, int outputs, element_type type, int gap,
                         uint64_t key)
{
    *p = (problem){.type = type, .outputs = outputs};
    p->source = test_map_make(type, shape_xyz, inputs, gap);
    test_map_fill(&p->source.map, key, 0);
    random_fill(p->scale, CHANNELS_MAX, key + 1);
    random_fill(p->shift, CHANNELS_MAX, key + 2);
    random_fill(p->bias, CHANNELS_MAX, key + 3);
    p->rule = key % 3 ? (load_rule){p->scale, p->shift, 0.01f} : (load_rule){0};
    const size_t count = (size_t)inputs * (size_t)outputs * 8;
    p->weights = malloc(count * sizeof(float));
    random_fill(p->weights, count, key + 4);
    if (type == ELEMENT_BFLOAT16)
        for (size_t i = 0; i < count; i++) p->weights[i] = bfloat16_to_float(bfloat16_from_float(p->weights[i]));
    for (int i = 0; i < 3; i++) p->output_shape[i] = 2 * shape_xyz[i];
}

static void problem_free(problem *p)
{
    test_map_free(&p->source);
    free(p->weights);
}

static test_map run_fast(const problem *p, int threads, processor_level level)
{
    sat_error error = {0};
    upsampling *u;
    if (upsampling_make(p->source.map.shape_xyz, p->source.map.channels, p->outputs, p->type, threads, level, &u, &error) !=
        SAT_OK)
        fail_msg("%s", error.message);
    void *packed = aligned_alloc(64, upsampling_packed_bytes(u)), *scratch = aligned_alloc(64, upsampling_scratch_bytes(u));
    memset(packed, 0xff, upsampling_packed_bytes(u));
    memset(scratch, 0xff, upsampling_scratch_bytes(u));
    assert_int_equal(upsampling_pack(u, p->weights, packed, &error), SAT_OK);
    test_map out = test_map_make(p->type, p->output_shape, p->outputs, 2);
    if (upsampling_run(u, &p->source.map, &p->rule, packed, p->bias, &out.map, scratch, &error) != SAT_OK)
        fail_msg("%s", error.message);
    free(packed);
    free(scratch);
    upsampling_free(u);
    return out;
}

/* The twin on operands rounded as the fast kernel rounds them when it loads. */
static test_map expected_of(const problem *p)
{
    const feature_map *from = &p->source.map;
    test_map rounded = test_map_make(ELEMENT_FLOAT32, from->shape_xyz, from->channels, 0);
    test_map out = test_map_make(ELEMENT_FLOAT32, p->output_shape, p->outputs, 0);
    float *values = test_map_dense(from), *to = rounded.map.data;
    const size_t channels = (size_t)from->channels;
    const size_t count = (size_t)from->shape_xyz[0] * (size_t)from->shape_xyz[1] * (size_t)from->shape_xyz[2] * channels;
    for (size_t i = 0; i < count; i++) {
        float v = values[i];
        if (p->rule.scale) {
            v = fmaf(p->scale[i % channels], v, p->shift[i % channels]);
            if (v < 0) v *= p->rule.slope;
        }
        to[i] = p->type == ELEMENT_BFLOAT16 ? bfloat16_to_float(bfloat16_from_float(v)) : v;
    }
    upsampling_plain(&rounded.map, NULL, p->weights, p->bias, &out.map);
    free(values);
    test_map_free(&rounded);
    return out;
}

static double error_of(const problem *p, const test_map *out)
{
    test_map expected = expected_of(p);
    float *actual = test_map_dense(&out->map);
    const size_t count = (size_t)p->output_shape[0] * (size_t)p->output_shape[1] * (size_t)p->output_shape[2] *
                         (size_t)p->outputs;
    const double e = relative_l2(actual, expected.map.data, count);
    free(actual);
    test_map_free(&expected);
    return e;
}

static void odd_shapes_agree_with_the_twin(void **state)
{
    (void)state;
    static const int widths[] = {1, 3, 8, 12, 16, 20, 33, 64, 96, 192};
    const int some = sizeof widths / sizeof *widths;
    double worst[2] = {0, 0};
    for (uint64_t key = 0; key < 60; key++) {
        const int shape[3] = {1 + (int)random_below(7, key, 0), 1 + (int)random_below(7, key, 1),
                              1 + (int)random_below(20, key, 2)};
        const int type = (int)(key % 2);
        problem p;
        problem_make(&p, shape, widths[random_below((uint64_t)some, key, 3)], widths[random_below((uint64_t)some, key, 4)],
                     type ? ELEMENT_BFLOAT16 : ELEMENT_FLOAT32, (int)random_below(4, key, 5), key);
        test_map out = run_fast(&p, 2, key % 3 ? processor_best() : PROCESSOR_PLAIN);
        const double e = error_of(&p, &out);
        if (!(e <= (type ? 4e-3 : 1e-6)))
            fail_msg("problem %d: %dx%dx%d, %d to %d channels: error %g", (int)key, shape[0], shape[1], shape[2],
                     p.source.map.channels, p.outputs, e);
        assert_int_equal(test_map_harm(&out), 0);
        worst[type] = e > worst[type] ? e : worst[type];
        test_map_free(&out);
        problem_free(&p);
    }
    print_message("    relative L2 error at most %.2g in float32, %.2g in bfloat16\n", worst[0], worst[1]);
}

static void thread_counts_give_equal_bits(void **state)
{
    (void)state;
    const int threads[] = {1, 2, 7}, shape[3] = {19, 11, 23};
    for (int type = 0; type < 2; type++) {
        problem p;
        problem_make(&p, shape, 64, 96, type ? ELEMENT_BFLOAT16 : ELEMENT_FLOAT32, 0, 11);
        test_map out[3];
        for (int t = 0; t < 3; t++) out[t] = run_fast(&p, threads[t], processor_best());
        assert_memory_equal(out[0].memory, out[1].memory, out[0].halves * sizeof(uint16_t));
        assert_memory_equal(out[0].memory, out[2].memory, out[0].halves * sizeof(uint16_t));
        for (int t = 0; t < 3; t++) test_map_free(&out[t]);
        problem_free(&p);
    }
}

/* One voxel of one channel spreads to eight, each with its own weight. */
static void by_hand(void **state)
{
    (void)state;
    const int shape[3] = {1, 1, 1};
    problem p;
    problem_make(&p, shape, 1, 1, ELEMENT_FLOAT32, 0, 3);
    *(float *)p.source.map.data = 2;
    for (int i = 0; i < 8; i++) p.weights[i] = (float)i;
    p.bias[0] = 0.5f;
    test_map out = run_fast(&p, 1, PROCESSOR_PLAIN);
    for (int i = 0; i < 8; i++)
        assert_true(test_map_value(&out.map, i / 4, i / 2 % 2, i % 2, 0) == 2 * (float)i + 0.5f);
    test_map_free(&out);
    problem_free(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_hand),
        cmocka_unit_test(odd_shapes_agree_with_the_twin),
        cmocka_unit_test(thread_counts_give_equal_bits),
    };
    return cmocka_run_group_tests_name("cpu/upsampling", tests, NULL, NULL);
}
