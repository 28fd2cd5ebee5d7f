/* The vision network against the goldens of PyTorch's float64 run: every stage, both types, any number of threads. */
#include "tests/support/cmocka.h"
#include "tests/support/golden.h"
#include "tests/support/network_golden.h"

#include "model/sat_graph.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const golden_case tiny = {"tiny", "tiny", {64, 64, 32}, 3, 1, 97, 3e-2};
static const golden_case tiny_wide = {"tiny_wide", "tiny/wide", {96, 64, 64}, 2, 37, 97 * 37, 3e-2};
static const golden_case nano = {"nano", "nano", {96, 96, 32}, 3, 7, 97 * 7, 3e-2};
static const golden_case pro = {"pro", "pro", {64, 64, 32}, 3, 7, 97 * 7, 5e-2};

static void compare_all(const golden_case *c)
{
    network_run r = network_run_case(c, ELEMENT_FLOAT32, 2, true);
    const plan *image = network_image_plan(r.net), *query = network_query_plan(r.net);
    const size_t width = (size_t)network_embedding_width(r.net), queries = (size_t)c->queries;
    golden_compare_samples(c, &r, "encoder", r.model.vision.stages, FLOAT32_BOUND);
    const plan_value tokens = plan_output(image, "tokens");
    golden_compare(c, "tokens", tokens.data, (size_t)graph_elements(&tokens.shape), FLOAT32_BOUND);
    golden_compare_samples(c, &r, "decoder", r.model.vision.stages - 1, FLOAT32_BOUND);
    golden_compare(c, "decoded", plan_output(query, "decoded").data, queries * (size_t)r.model.vision.query_width, FLOAT32_BOUND);
    golden_compare(c, "mask_embedding", r.embeddings, queries * width, FLOAT32_BOUND);
    for (int i = 0; i < r.model.vision.mid_heads; i++) {
        char name[40], what[40];
        snprintf(name, sizeof name, "embedding_mid.%d", i);
        snprintf(what, sizeof what, "mask_embedding_mid%d", i + 1);
        golden_compare(c, what, plan_output(query, name).data, queries * (size_t)r.model.vision.features[i + 1], FLOAT32_BOUND);
    }
    golden_compare_logits(c, &r, FLOAT32_BOUND);
    network_run_free(&r);
}

/* ---------------------------------------------------------------- tests */

static void tiny_agrees_at_every_stage(void **state) { (void)state; compare_all(&tiny); }
static void tiny_wide_agrees_at_every_stage(void **state) { (void)state; compare_all(&tiny_wide); }
static void nano_agrees_at_every_stage(void **state) { (void)state; compare_all(&nano); }
static void pro_agrees_at_every_stage(void **state) { (void)state; compare_all(&pro); }

static void bfloat16_stays_within_its_bounds(void **state)
{
    (void)state;
    const golden_case *const cases[] = {&tiny, &tiny_wide, &nano, &pro};
    for (int i = 0; i < 4; i++) {
        network_run r = network_run_case(cases[i], ELEMENT_BFLOAT16, 2, false);
        if (network_type(r.net) != ELEMENT_BFLOAT16) print_message("             this processor has no bfloat16: float32 was used\n");
        golden_compare_logits(cases[i], &r, cases[i]->bf16_bound);
        network_run_free(&r);
    }
}

/* Nothing may depend on how many threads there are. */
static void results_are_bitwise_equal_for_every_thread_count(void **state)
{
    (void)state;
    const element_type types[] = {ELEMENT_FLOAT32, ELEMENT_BFLOAT16};
    for (int t = 0; t < 2; t++) {
        network_run one = network_run_case(&tiny, types[t], 1, false);
        for (int threads = 2; threads <= 7; threads += 5) {
            network_run more = network_run_case(&tiny, types[t], threads, false);
            assert_memory_equal(one.logits, more.logits, 3 * one.voxels * sizeof(float));
            network_run_free(&more);
        }
        network_run_free(&one);
    }
}

/* A query's mask does not depend on its neighbours: two alone are two of three. */
static void queries_do_not_see_each_other(void **state)
{
    (void)state;
    golden_case fewer = tiny;
    fewer.queries = 2;
    network_run three = network_run_case(&tiny, ELEMENT_FLOAT32, 2, false), two = network_run_case(&fewer, ELEMENT_FLOAT32, 2, false);
    assert_memory_equal(three.logits, two.logits, 2 * two.voxels * sizeof(float));
    network_run_free(&three);
    network_run_free(&two);
}

static void position_codes_agree(void **state)
{
    (void)state;
    const struct {
        const char *file;
        int xyz[3], width, step;
    } cases[] = {
        {"tiny/position/2x1x3_10.npy", {2, 1, 3}, 10, 1},  {"tiny/position/2x3x2_40.npy", {2, 3, 2}, 40, 1},
        {"tiny/position/3x2x4_48.npy", {3, 2, 4}, 48, 1},  {"tiny/position/3x2x4_56.npy", {3, 2, 4}, 56, 1},
        {"tiny/position/9x9x3_768_every_11th.npy", {9, 9, 3}, 768, 11},
    };
    for (int i = 0; i < 5; i++) {
        const char *path = golden_path(cases[i].file);
        if (!path) skip();
        npy_array expected = npy_read(path);
        const size_t count = (size_t)(cases[i].xyz[0] * cases[i].xyz[1] * cases[i].xyz[2] * cases[i].width);
        float *code = malloc(count * sizeof *code);
        sat_position_code(cases[i].xyz, cases[i].width, code);
        for (size_t k = 0; k < expected.count; k++)
            assert_true(fabsf(code[k * (size_t)cases[i].step] - npy_floats(&expected)[k]) <= 1e-6f);
        free(code);
        npy_free(&expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(position_codes_agree),
        cmocka_unit_test(tiny_agrees_at_every_stage),
        cmocka_unit_test(tiny_wide_agrees_at_every_stage),
        cmocka_unit_test(results_are_bitwise_equal_for_every_thread_count),
        cmocka_unit_test(queries_do_not_see_each_other),
        cmocka_unit_test(nano_agrees_at_every_stage),
        cmocka_unit_test(pro_agrees_at_every_stage),
        cmocka_unit_test(bfloat16_stays_within_its_bounds),
    };
    return cmocka_run_group_tests_name("model/network", tests, NULL, NULL);
}
