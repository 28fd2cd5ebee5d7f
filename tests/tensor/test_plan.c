/* Graphs refuse what does not fit; plans fuse, order and place memory as they say. A toy backend stands for the CPU's, so that these
 * tests know nothing of kernels. */
#include "tests/support/cmocka.h"
#include "tests/support/golden.h"

#include "tensor/plan.h"
#include "tensor/plan_memory.h"

#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------- a backend that does nothing */

static sat_status toy_prepare(const plan *p, plan_step *s, sat_error *error)
{
    (void)p;
    (void)error;
    s->scratch_bytes = 100;
    return SAT_OK;
}

static sat_status toy_run(const plan *p, const plan_step *s, void *scratch, sat_error *error)
{
    (void)p;
    (void)s;
    (void)scratch;
    (void)error;
    return SAT_OK;
}

static element_type toy_type(element_type wanted) { return wanted; }

static const backend_operation toy_operation = {toy_prepare, toy_run, NULL};
static const backend toy = {
    .name = "toy",
    .supported_type = toy_type,
    .operations = {[GRAPH_CONVOLUTION3D] = &toy_operation, [GRAPH_TRANSPOSED_CONVOLUTION3D] = &toy_operation,
                   [GRAPH_AVERAGE_POOL] = &toy_operation, [GRAPH_LINEAR] = &toy_operation, [GRAPH_LAYER_NORM] = &toy_operation,
                   [GRAPH_ADD] = &toy_operation, [GRAPH_ATTENTION] = &toy_operation},
};

static const int cube[3] = {4, 4, 4};

static graph_value vector(graph *g, const char *name, int64_t size) { return graph_parameter(g, name, NULL, 1, &size); }

static graph_value convolution(graph *g, graph_value x, const char *name, int64_t in, int64_t out)
{
    return graph_convolution3d(g, x, graph_parameter(g, name, ".weight", 5, (const int64_t[]){out, in, 3, 3, 3}),
                               vector(g, "bias", out), 1);
}

static graph_value normed(graph *g, graph_value x, int64_t channels)
{
    return graph_leaky_relu(g, graph_instance_norm(g, x, vector(g, "gain", channels), vector(g, "bias", channels), 1e-5f), 0.01f);
}

static plan *planned(const graph *g, weight_store **store)
{
    static const weight_source none = {0};
    sat_error error = {0};
    plan *p;
    assert_int_equal(weight_store_make(&none, store, &error), SAT_OK);
    if (plan_build(g, &toy, *store, ELEMENT_BFLOAT16, 1, &p, &error) != SAT_OK) fail_msg("%s", error.message);
    return p;
}

/* ---------------------------------------------------------------- graphs */

static void shapes_are_inferred(void **state)
{
    (void)state;
    graph g;
    graph_begin(&g);
    const graph_value x = graph_input_map(&g, "x", (const int[]){5, 4, 3}, 2);
    const graph_value y = graph_convolution3d(&g, x, graph_parameter(&g, "w", NULL, 5, (const int64_t[]){7, 2, 3, 3, 3}), vector(&g, "b", 7), 2);
    assert_int_equal(graph_check(&g, NULL), SAT_OK);
    const int64_t expected[4] = {3, 2, 2, 7};
    assert_memory_equal(g.nodes[y].shape.size, expected, sizeof expected);
    graph_free(&g);
}

static void what_does_not_fit_marks_the_graph_with_its_first_failure(void **state)
{
    (void)state;
    graph g;
    graph_begin(&g);
    const graph_value x = graph_input_map(&g, "x", cube, 2);
    const graph_value wrong = convolution(&g, x, "three channels", 3, 8);
    assert_int_equal(wrong, GRAPH_NONE);
    graph_output(&g, "y", graph_leaky_relu(&g, wrong, 0.01f)); /* harmless */
    sat_error error = {0};
    assert_int_equal(graph_check(&g, &error), SAT_BAD_INPUT);
    assert_non_null(strstr(error.message, "convolution3d: weight or bias don't fit"));
    graph_free(&g);
}

/* ---------------------------------------------------------------- fusion */

static void norm_and_activation_become_a_rule_of_the_next_load(void **state)
{
    (void)state;
    graph g;
    graph_begin(&g);
    graph_value x = normed(&g, convolution(&g, graph_input_map(&g, "x", cube, 2), "a", 2, 8), 8);
    graph_output(&g, "y", normed(&g, convolution(&g, x, "b", 8, 4), 4));
    weight_store *store;
    plan *p = planned(&g, &store);
    assert_int_equal(p->step_count, 2);
    assert_int_equal(p->steps[0].sources[0].coefficients, PLAN_NONE);
    assert_int_equal(p->steps[1].sources[0].coefficients, p->steps[0].coefficients);
    assert_true(p->steps[1].sources[0].slope == 0.01f);
    assert_int_not_equal(p->steps[1].norm, PLAN_NONE);
    plan_free(p);
    weight_store_free(store);
    graph_free(&g);
}

static void a_concatenation_is_two_sources(void **state)
{
    (void)state;
    graph g;
    graph_begin(&g);
    const graph_value x = graph_input_map(&g, "x", cube, 2);
    const graph_value a = convolution(&g, x, "a", 2, 3), b = convolution(&g, x, "b", 2, 5);
    graph_output(&g, "y", convolution(&g, graph_concatenate(&g, (const graph_value[]){a, b}, 2), "c", 8, 4));
    weight_store *store;
    plan *p = planned(&g, &store);
    assert_int_equal(p->step_count, 3);
    assert_int_equal(p->steps[2].source_count, 2);
    assert_int_equal(p->steps[2].sources[0].buffer, p->steps[0].out);
    assert_int_equal(p->steps[2].sources[1].buffer, p->steps[1].out);
    plan_free(p);
    weight_store_free(store);
    graph_free(&g);
}

static void activation_and_residual_join_a_linear_layer(void **state)
{
    (void)state;
    graph g;
    graph_begin(&g);
    const graph_value x = graph_input_matrix(&g, "x", 3, 6);
    const graph_value w = graph_parameter(&g, "w", NULL, 2, (const int64_t[]){6, 6});
    const graph_value h = graph_gelu(&g, graph_linear(&g, x, w, vector(&g, "b", 6)));
    graph_output(&g, "y", graph_add(&g, h, graph_linear(&g, h, w, vector(&g, "b", 6))));
    weight_store *store;
    plan *p = planned(&g, &store);
    assert_int_equal(p->step_count, 2);
    assert_int_equal(p->steps[0].activation, PLAN_GELU);
    assert_int_equal(p->steps[1].activation, PLAN_LINEAR);
    assert_int_equal(p->steps[1].residual, p->steps[0].out);
    plan_free(p);
    weight_store_free(store);
    graph_free(&g);
}

static void pooled_maps_fill_columns_of_one_matrix(void **state)
{
    (void)state;
    graph g;
    graph_begin(&g);
    const graph_value x = graph_input_map(&g, "x", cube, 2);
    const graph_value a = convolution(&g, x, "a", 2, 3), b = convolution(&g, x, "b", 2, 5);
    const graph_value pools[] = {graph_average_pool(&g, a, 2), graph_average_pool(&g, b, 2)};
    graph_output(&g, "y", graph_concatenate(&g, pools, 2));
    weight_store *store;
    plan *p = planned(&g, &store);
    assert_int_equal(p->step_count, 4);
    assert_int_equal(p->steps[2].out, p->steps[3].out);
    assert_int_equal(p->steps[2].out_column, 0);
    assert_int_equal(p->steps[3].out_column, 3);
    assert_int_equal(plan_output(p, "y").shape.size[1], 8);
    plan_free(p);
    weight_store_free(store);
    graph_free(&g);
}

static void what_no_output_needs_is_not_computed(void **state)
{
    (void)state;
    graph g;
    graph_begin(&g);
    const graph_value x = graph_input_map(&g, "x", cube, 2);
    convolution(&g, x, "unused", 2, 3);
    graph_output(&g, "y", convolution(&g, x, "used", 2, 3));
    weight_store *store;
    plan *p = planned(&g, &store);
    assert_int_equal(p->step_count, 1);
    plan_free(p);
    weight_store_free(store);
    graph_free(&g);
}

static void a_backend_says_what_it_cannot_do(void **state)
{
    (void)state;
    graph g;
    graph_begin(&g);
    graph_output(&g, "y", graph_pool_rows(&g, graph_input_matrix(&g, "x", 4, 3), graph_input_matrix(&g, "w", 2, 2)));
    const weight_source none = {0};
    weight_store *store;
    plan *p;
    sat_error error = {0};
    assert_int_equal(weight_store_make(&none, &store, &error), SAT_OK);
    assert_int_equal(plan_build(&g, &toy, store, ELEMENT_FLOAT32, 1, &p, &error), SAT_BAD_INPUT);
    assert_string_equal(error.message, "the toy backend has no pool_rows");
    weight_store_free(store);
    graph_free(&g);
}

/* ---------------------------------------------------------------- memory */

/* A chain needs two maps at a time, however long it is. */
static void a_chain_takes_the_memory_of_two_maps(void **state)
{
    (void)state;
    graph g;
    graph_begin(&g);
    graph_value x = graph_input_map(&g, "x", cube, 32);
    for (int i = 0; i < 9; i++)
        x = convolution(&g, x, "layer", 32, 32);
    graph_output(&g, "y", x);
    weight_store *store;
    plan *p = planned(&g, &store);
    assert_int_equal(p->activation_bytes, 2 * 64 * 32 * sizeof(bfloat16));
    assert_int_equal(plan_bytes(p), p->activation_bytes + 128); /* and the scratch of one step */
    plan_free(p);
    weight_store_free(store);
    graph_free(&g);
}

/* On random lifetimes: nothing alive at once overlaps, and the whole is never more than all side by side. */
static void buffers_alive_together_never_overlap(void **state)
{
    (void)state;
    enum { COUNT = 40 };
    for (uint64_t key = 0; key < 200; key++) {
        plan_buffer b[COUNT];
        size_t side_by_side = 0;
        for (uint64_t i = 0; i < COUNT; i++) {
            b[i] = (plan_buffer){.bytes = 1 + random_below(5000, key, 3 * i)};
            b[i].first_step = (int)random_below(30, key, 3 * i + 1);
            b[i].last_step = b[i].first_step + (int)random_below(6, key, 3 * i + 2);
            side_by_side += (b[i].bytes + 63) / 64 * 64;
        }
        const size_t total = plan_assign_offsets(b, COUNT);
        assert_true(total <= side_by_side);
        for (int i = 0; i < COUNT; i++) {
            assert_int_equal(b[i].offset % 64, 0);
            assert_true(b[i].offset + b[i].bytes <= total);
            for (int k = 0; k < i; k++) {
                const bool together = b[i].first_step <= b[k].last_step && b[k].first_step <= b[i].last_step;
                const bool apart = b[i].offset + b[i].bytes <= b[k].offset || b[k].offset + b[k].bytes <= b[i].offset;
                assert_true(!together || apart);
            }
        }
    }
}

/* ---------------------------------------------------------------- the store */

static const float stored[6] = {1, 2, 3, 4, 5, 6};

static sat_status find_stored(const weight_source *source, const char *name, int dimensions, const int64_t *shape, weight_view *view, sat_error *error)
{
    (void)source;
    if (strcmp(name, "w") != 0) return sat_fail(error, SAT_BAD_INPUT, "no tensor %s", name);
    *view = (weight_view){.type = ELEMENT_FLOAT32, .dimensions = dimensions, .data = stored};
    memcpy(view->shape, shape, (size_t)dimensions * sizeof *shape);
    return SAT_OK;
}

static void release_stored(const weight_source *source, weight_view *view)
{
    (void)source;
    (void)view;
}

static void weights_are_used_in_place_shared_or_converted(void **state)
{
    (void)state;
    const weight_source source = {.find = find_stored, .release = release_stored, .in_place = true, .matrix_type = ELEMENT_FLOAT32};
    weight_store *store;
    sat_error error = {0};
    assert_int_equal(weight_store_make(&source, &store, &error), SAT_OK);
    const int64_t shape[2] = {3, 2};
    weight_request request = {.name = "w", .dimensions = 2, .shape = shape, .first = 1, .rows = 2, .type = ELEMENT_FLOAT32};
    int rows, again, converted;
    assert_int_equal(weight_store_add(store, &request, &rows, &error), SAT_OK);
    assert_int_equal(weight_store_add(store, &request, &again, &error), SAT_OK);
    assert_int_equal(rows, again);
    assert_int_equal(weight_store_bytes(store), 0);
    request.type = ELEMENT_BFLOAT16;
    assert_int_equal(weight_store_add(store, &request, &converted, &error), SAT_OK);
    assert_int_equal(weight_store_bytes(store), 4 * sizeof(bfloat16));
    assert_int_equal(weight_store_load(store, &error), SAT_OK);
    assert_ptr_equal(weight_store_data(store, rows), stored + 2);
    const bfloat16 *rounded = weight_store_data(store, converted);
    for (int i = 0; i < 4; i++)
        assert_true(bfloat16_to_float(rounded[i]) == stored[2 + i]);
    request.name = "missing";
    assert_int_equal(weight_store_add(store, &request, &rows, &error), SAT_OK);
    assert_int_equal(weight_store_load(store, &error), SAT_BAD_INPUT);
    assert_string_equal(error.message, "no tensor missing");
    weight_store_free(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shapes_are_inferred),
        cmocka_unit_test(what_does_not_fit_marks_the_graph_with_its_first_failure),
        cmocka_unit_test(norm_and_activation_become_a_rule_of_the_next_load),
        cmocka_unit_test(a_concatenation_is_two_sources),
        cmocka_unit_test(activation_and_residual_join_a_linear_layer),
        cmocka_unit_test(pooled_maps_fill_columns_of_one_matrix),
        cmocka_unit_test(what_no_output_needs_is_not_computed),
        cmocka_unit_test(a_backend_says_what_it_cannot_do),
        cmocka_unit_test(a_chain_takes_the_memory_of_two_maps),
        cmocka_unit_test(buffers_alive_together_never_overlap),
        cmocka_unit_test(weights_are_used_in_place_shared_or_converted),
    };
    return cmocka_run_group_tests_name("tensor/plan", tests, NULL, NULL);
}
