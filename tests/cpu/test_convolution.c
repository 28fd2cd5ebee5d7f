#include "tests/cpu/maps.h"
#include "tests/support/cmocka.h"

#include "cpu/convolution.h"

#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <string.h>

enum { CHANNELS_MAX = 200 };

/* Everything of one random problem; made by problem_make, compared with the twin by whoever wants. */
typedef struct problem {
    convolution_shape shape;
    element_type type;
    test_map sources[2];
    load_rule rules[2];
    float scale[2][CHANNELS_MAX], shift[2][CHANNELS_MAX], bias[CHANNELS_MAX];
    bool has_rules, has_bias;
    float *weights; /* rounded to `type` */
    int output_shape[3];
} problem;

static void problem_make(problem *p, const convolution_shape *shape, element_type type, int gap, bool rules, int whole,
                         uint64_t key)
{
    *p = (problem){.shape = *shape, .type = type, .has_rules = rules, .has_bias = true};
    int inputs = 0;
    for (int s = 0; s < shape->source_count; s++) {
        p->sources[s] = test_map_make(type, shape->input_shape_xyz, shape->source_channels[s], gap + s);
        test_map_fill(&p->sources[s].map, key + 10 * (uint64_t)s, whole);
        random_fill(p->scale[s], CHANNELS_MAX, key + 3);
        random_fill(p->shift[s], CHANNELS_MAX, key + 4);
        /* one source may be taken as it is while the other is normalised */
        p->rules[s] = s == 1 && key % 3 == 0 ? (load_rule){0} : (load_rule){p->scale[s], p->shift[s], 0.01f};
        inputs += shape->source_channels[s];
    }
    const size_t count = (size_t)shape->output_channels * (size_t)inputs * 27;
    p->weights = malloc(count * sizeof(float));
    random_fill(p->weights, count, key + 5);
    for (size_t i = 0; i < count; i++) {
        if (whole) p->weights[i] = (float)(int)(p->weights[i] * 2.99f);
        if (type == ELEMENT_BFLOAT16) p->weights[i] = bfloat16_to_float(bfloat16_from_float(p->weights[i]));
    }
    random_fill(p->bias, CHANNELS_MAX, key + 6);
    for (int i = 0; i < 3; i++) p->output_shape[i] = (shape->input_shape_xyz[i] - 1) / shape->stride + 1;
}

static void problem_free(problem *p)
{
    for (int s = 0; s < p->shape.source_count; s++) test_map_free(&p->sources[s]);
    free(p->weights);
}

/* Rounds what the fast kernel will round when it loads, so that the twin works on the same operands. */
static void expected_of(const problem *p, feature_map *out)
{
    test_map rounded[2];
    feature_map maps[2];
    for (int s = 0; s < p->shape.source_count; s++) {
        const feature_map *from = &p->sources[s].map;
        const load_rule *rule = p->has_rules ? &p->rules[s] : NULL;
        rounded[s] = test_map_make(ELEMENT_FLOAT32, from->shape_xyz, from->channels, 0);
        maps[s] = rounded[s].map;
        float *values = test_map_dense(from);
        const size_t count = (size_t)from->shape_xyz[0] * (size_t)from->shape_xyz[1] * (size_t)from->shape_xyz[2] *
                             (size_t)from->channels;
        for (size_t i = 0; i < count; i++) {
            float v = values[i];
            const size_t c = i % (size_t)from->channels;
            if (rule && rule->scale) {
                v = fmaf(rule->scale[c], v, rule->shift[c]);
                if (v < 0) v *= rule->slope;
            }
            ((float *)maps[s].data)[i] = p->type == ELEMENT_BFLOAT16 ? bfloat16_to_float(bfloat16_from_float(v)) : v;
        }
        free(values);
    }
    convolution_plain(&p->shape, maps, NULL, p->weights, p->has_bias ? p->bias : NULL, out);
    for (int s = 0; s < p->shape.source_count; s++) test_map_free(&rounded[s]);
}

typedef struct result {
    test_map out;
    double sum[CHANNELS_MAX], square[CHANNELS_MAX];
    float minimum[CHANNELS_MAX], maximum[CHANNELS_MAX];
} result;

/* The packed weights and the scratch are exactly as long as promised and begin as not-a-numbers. */
static void run_fast(const problem *p, int threads, processor_level level, element_type out_type, result *r)
{
    sat_error error = {0};
    convolution *c;
    feature_map sources[2];
    for (int s = 0; s < p->shape.source_count; s++) sources[s] = p->sources[s].map;
    if (convolution_make(&p->shape, p->type, threads, level, &c, &error) != SAT_OK) fail_msg("%s", error.message);
    char text[200];
    convolution_describe(c, text, sizeof text);
    assert_true(strlen(text) > 10);
    void *packed = aligned_alloc(64, convolution_packed_bytes(c)), *scratch = aligned_alloc(64, convolution_scratch_bytes(c));
    memset(packed, 0xff, convolution_packed_bytes(c));
    memset(scratch, 0xff, convolution_scratch_bytes(c));
    assert_int_equal(convolution_pack(c, p->weights, packed, &error), SAT_OK);
    r->out = test_map_make(out_type, p->output_shape, p->shape.output_channels, 3);
    channel_statistics statistics = {r->sum, r->square, r->minimum, r->maximum};
    const sat_status status = convolution_run(c, sources, p->has_rules ? p->rules : NULL, packed,
                                              p->has_bias ? p->bias : NULL, &r->out.map, &statistics, scratch, &error);
    if (status != SAT_OK) fail_msg("%s", error.message);
    free(packed);
    free(scratch);
    convolution_free(c);
}

static size_t values_of(const problem *p)
{
    return (size_t)p->output_shape[0] * (size_t)p->output_shape[1] * (size_t)p->output_shape[2] *
           (size_t)p->shape.output_channels;
}

/* Minimum and maximum are those of the stored values; sums agree to rounding (their order is the tiles'). */
static void check_statistics(const problem *p, const result *r, const float *values, bool exact)
{
    const size_t channels = (size_t)p->shape.output_channels, voxels = values_of(p) / channels;
    for (size_t c = 0; c < channels; c++) {
        double sum = 0, square = 0, magnitude = 0;
        float least = values[c], most = values[c];
        for (size_t v = 0; v < voxels; v++) {
            const float x = values[v * channels + c];
            sum += x;
            magnitude += fabs(x);
            square += (double)x * x;
            least = x < least ? x : least;
            most = x > most ? x : most;
        }
        const double slack = exact ? 0 : 1e-13;
        assert_true(fabs(r->sum[c] - sum) <= slack * magnitude);
        assert_true(fabs(r->square[c] - square) <= slack * square);
        assert_true(r->minimum[c] == least && r->maximum[c] == most);
    }
}

/* Against the twin; returns the relative L2 error. */
static double check_problem(const problem *p, processor_level level, element_type out_type, bool exact)
{
    result r = {0};
    run_fast(p, 2, level, out_type, &r);
    test_map expected = test_map_make(ELEMENT_FLOAT32, p->output_shape, p->shape.output_channels, 0);
    expected_of(p, &expected.map);
    float *actual = test_map_dense(&r.out.map);
    const double e = relative_l2(actual, expected.map.data, values_of(p));
    assert_int_equal(test_map_harm(&r.out), 0);
    check_statistics(p, &r, actual, exact);
    free(actual);
    test_map_free(&expected);
    test_map_free(&r.out);
    return e;
}

static int pick(int low, int high, uint64_t key, uint64_t counter)
{
    return low + (int)random_below((uint64_t)(high - low + 1), key, counter);
}

static convolution_shape random_shape(uint64_t key)
{
    static const int widths[] = {1, 2, 3, 5, 8, 12, 16, 17, 20, 31, 32, 48, 64};
    const int some = sizeof widths / sizeof *widths;
    return (convolution_shape){
        {pick(1, 13, key, 0), pick(1, 13, key, 1), pick(1, 30, key, 2)},
        pick(1, 2, key, 3),
        {widths[pick(0, some - 1, key, 4)], widths[pick(0, some - 1, key, 5)]},
        widths[pick(0, some - 1, key, 6)],
        pick(1, 2, key, 7),
    };
}

static void odd_shapes_agree_with_the_twin(element_type type, element_type out_type, double bound)
{
    double worst = 0;
    for (uint64_t key = 0; key < 40; key++) {
        const convolution_shape shape = random_shape(key);
        problem p;
        problem_make(&p, &shape, type, pick(0, 5, key, 8), key % 4 != 1, 0, key);
        p.has_bias = key % 5 != 2;
        const double e = check_problem(&p, processor_best(), out_type, false);
        if (!(e <= bound))
            fail_msg("problem %d: %dx%dx%d, %d sources, %d + %d to %d channels, stride %d: error %g", (int)key,
                     shape.input_shape_xyz[0], shape.input_shape_xyz[1], shape.input_shape_xyz[2], shape.source_count,
                     shape.source_channels[0], shape.source_channels[1], shape.output_channels, shape.stride, e);
        worst = e > worst ? e : worst;
        problem_free(&p);
    }
    print_message("    %s operands, %s result: relative L2 error at most %.2g\n", element_name(type),
                  element_name(out_type), worst);
}

static void float32_agrees_with_the_twin(void **state)
{
    (void)state;
    odd_shapes_agree_with_the_twin(ELEMENT_FLOAT32, ELEMENT_FLOAT32, 1e-6);
}

static void bfloat16_agrees_with_the_twin(void **state)
{
    (void)state;
    /* Where the processor has bfloat16 products the first is 5e-7: only the sums differ. Elsewhere operands stay float32. */
    odd_shapes_agree_with_the_twin(ELEMENT_BFLOAT16, ELEMENT_FLOAT32, 4e-3);
    odd_shapes_agree_with_the_twin(ELEMENT_BFLOAT16, ELEMENT_BFLOAT16, 4e-3);
}

/* Whole numbers have no rounding: every level, every type, sums in every order give the same. */
static void whole_numbers_are_exact(void **state)
{
    (void)state;
    for (uint64_t key = 100; key < 116; key++) {
        const convolution_shape shape = random_shape(key);
        problem p;
        problem_make(&p, &shape, key % 2 ? ELEMENT_FLOAT32 : ELEMENT_BFLOAT16, 1, false, 3, key);
        p.has_bias = false;
        for (processor_level level = PROCESSOR_PLAIN; level <= processor_best(); level++)
            assert_true(check_problem(&p, level, ELEMENT_FLOAT32, true) == 0);
        problem_free(&p);
    }
}

/* Channels in several groups, tiles along all axes, permuted axes: the shapes of the deep layers, made small. */
static void deep_layers_agree_with_the_twin(void **state)
{
    (void)state;
    const convolution_shape shapes[] = {
        {{9, 9, 3}, 1, {160, 0}, 192, 1},
        {{7, 18, 6}, 2, {96, 96}, 192, 1},
        {{18, 9, 6}, 1, {128, 0}, 192, 2},
    };
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        problem p;
        problem_make(&p, &shapes[i], ELEMENT_FLOAT32, 0, true, 0, 7 + i);
        assert_true(check_problem(&p, processor_best(), ELEMENT_FLOAT32, false) <= 2e-6); /* sums of 5184 products */
        problem_free(&p);
        problem_make(&p, &shapes[i], ELEMENT_BFLOAT16, 0, true, 0, 7 + i);
        assert_true(check_problem(&p, processor_best(), ELEMENT_BFLOAT16, false) <= 4e-3);
        problem_free(&p);
    }
}

static void thread_counts_give_equal_bits(void **state)
{
    (void)state;
    const convolution_shape shapes[] = {
        {{40, 23, 50}, 2, {24, 16}, 20, 1},
        {{40, 23, 50}, 1, {1, 0}, 24, 1},
        {{33, 21, 47}, 1, {32, 0}, 64, 2},
        {{9, 9, 3}, 1, {192, 0}, 192, 1},
    };
    const int threads[] = {1, 2, 7};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (int type = 0; type < 2; type++) {
            problem p;
            problem_make(&p, &shapes[i], type ? ELEMENT_BFLOAT16 : ELEMENT_FLOAT32, 0, true, 0, 50 + i);
            result r[3];
            for (int t = 0; t < 3; t++) {
                memset(&r[t], 0, sizeof r[t]);
                run_fast(&p, threads[t], processor_best(), p.type, &r[t]);
            }
            for (int t = 1; t < 3; t++) {
                assert_memory_equal(r[0].out.memory, r[t].out.memory, r[0].out.halves * sizeof(uint16_t));
                assert_memory_equal(r[0].sum, r[t].sum, sizeof r[0].sum);
                assert_memory_equal(r[0].square, r[t].square, sizeof r[0].square);
                assert_memory_equal(r[0].minimum, r[t].minimum, sizeof r[0].minimum);
                assert_memory_equal(r[0].maximum, r[t].maximum, sizeof r[0].maximum);
            }
            for (int t = 0; t < 3; t++) test_map_free(&r[t].out);
            problem_free(&p);
        }
}

/* One voxel, one channel: 27 taps of which one meets the voxel. */
static void by_hand(void **state)
{
    (void)state;
    const convolution_shape shape = {{1, 1, 2}, 1, {1, 0}, 1, 1};
    problem p;
    problem_make(&p, &shape, ELEMENT_FLOAT32, 0, false, 0, 1);
    float *x = p.sources[0].map.data;
    x[0] = 3;
    x[1] = 5;
    for (int i = 0; i < 27; i++) p.weights[i] = (float)i;
    p.bias[0] = 0.5f;
    result r = {0};
    run_fast(&p, 1, PROCESSOR_PLAIN, ELEMENT_FLOAT32, &r);
    assert_true(test_map_value(&r.out.map, 0, 0, 0, 0) == 13 * 3 + 14 * 5 + 0.5f);
    assert_true(test_map_value(&r.out.map, 0, 0, 1, 0) == 12 * 3 + 13 * 5 + 0.5f);
    test_map_free(&r.out);
    problem_free(&p);
}

/* Equal forms mean equal bytes, whatever the maps: windows of several sizes share their weights. */
static void equal_forms_pack_equally(void **state)
{
    (void)state;
    sat_error error = {0};
    const convolution_shape shapes[] = {{{48, 40, 30}, 1, {32, 0}, 64, 1}, {{20, 31, 50}, 1, {32, 0}, 64, 1}, {{18, 18, 6}, 1, {32, 0}, 64, 1}};
    enum { SHAPES = sizeof shapes / sizeof *shapes };
    convolution *c[SHAPES];
    unsigned char *packed[SHAPES];
    float *weights = malloc(64 * 32 * 27 * sizeof *weights);
    random_fill(weights, 64 * 32 * 27, 1);
    for (int i = 0; i < SHAPES; i++) {
        assert_int_equal(convolution_make(&shapes[i], ELEMENT_FLOAT32, 1, PROCESSOR_PLAIN, &c[i], &error), SAT_OK);
        packed[i] = calloc(convolution_packed_bytes(c[i]) + 64, 1);
        unsigned char *aligned = packed[i] + (64 - (uintptr_t)packed[i] % 64) % 64;
        assert_int_equal(convolution_pack(c[i], weights, aligned, &error), SAT_OK);
        memmove(packed[i], aligned, convolution_packed_bytes(c[i]));
    }
    for (int i = 1; i < SHAPES; i++) {
        const bool equal = convolution_packed_form(c[0]) == convolution_packed_form(c[i]);
        const size_t bytes = convolution_packed_bytes(c[0]);
        if (equal) assert_int_equal(convolution_packed_bytes(c[i]), bytes);
        assert_true(equal == (bytes == convolution_packed_bytes(c[i]) && memcmp(packed[0], packed[i], bytes) == 0));
    }
    /* the first two run z innermost, the third, with short rows, does not */
    assert_true(convolution_packed_form(c[0]) == convolution_packed_form(c[1]));
    assert_true(convolution_packed_form(c[0]) != convolution_packed_form(c[2]));
    for (int i = 0; i < SHAPES; i++) {
        convolution_free(c[i]);
        free(packed[i]);
    }
    free(weights);
}

static void wrong_shapes_are_refused(void **state)
{
    (void)state;
    sat_error error = {0};
    convolution *c;
    convolution_shape shape = {{4, 4, 4}, 1, {2, 0}, 3, 3};
    assert_int_equal(convolution_make(&shape, ELEMENT_FLOAT32, 1, PROCESSOR_PLAIN, &c, &error), SAT_BAD_ARGUMENT);
    assert_null(c);
    convolution_free(c);
    shape.stride = 1;
    assert_int_equal(convolution_make(&shape, ELEMENT_FLOAT32, 1, PROCESSOR_PLAIN, &c, &error), SAT_OK);
    const int other[3] = {4, 4, 5};
    test_map in = test_map_make(ELEMENT_FLOAT32, other, 2, 0), out = test_map_make(ELEMENT_FLOAT32, other, 3, 0);
    assert_int_equal(convolution_run(c, &in.map, NULL, NULL, NULL, &out.map, NULL, NULL, &error), SAT_BAD_ARGUMENT);
    test_map_free(&in);
    test_map_free(&out);
    convolution_free(c);
}

/* Making and running leave the caller's OpenMP setting alone. */
static void openmp_settings_stay(void **state)
{
    (void)state;
    omp_set_num_threads(5);
    const convolution_shape shape = {{4, 4, 4}, 1, {8, 0}, 8, 1};
    problem p;
    problem_make(&p, &shape, ELEMENT_FLOAT32, 0, false, 0, 1);
    result r = {0};
    run_fast(&p, 1, PROCESSOR_PLAIN, ELEMENT_FLOAT32, &r);
    assert_int_equal(omp_get_max_threads(), 5);
    test_map_free(&r.out);
    problem_free(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_hand),
        cmocka_unit_test(float32_agrees_with_the_twin),
        cmocka_unit_test(bfloat16_agrees_with_the_twin),
        cmocka_unit_test(whole_numbers_are_exact),
        cmocka_unit_test(deep_layers_agree_with_the_twin),
        cmocka_unit_test(thread_counts_give_equal_bits),
        cmocka_unit_test(equal_forms_pack_equally),
        cmocka_unit_test(wrong_shapes_are_refused),
        cmocka_unit_test(openmp_settings_stay),
    };
    return cmocka_run_group_tests_name("cpu/convolution", tests, NULL, NULL);
}
