#include "tests/support/cmocka.h"
#include "tests/support/golden.h"
#include "tests/support/plain_text_tower.h"
#include "tests/support/text_goldens.h"
#include "tests/support/vocabulary.h"

#include "base/arena.h"
#include "cpu/backend.h"
#include "model/weights.h"
#include "tensor/plan.h"
#include "text/positions.h"
#include "text/tower.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Random ids with some of the numbers that MPNet treats in its own way (0: masked, 1: doesn't move the position). */
static void random_ids(int32_t *ids, int count, int32_t vocabulary, uint64_t key)
{
    for (int i = 0; i < count; i++) {
        const uint64_t kind = random_below(8, key, 2 * (uint64_t)i);
        ids[i] = kind < 2 && i > 0 ? (int32_t)kind
                                   : 2 + (int32_t)random_below((uint64_t)vocabulary - 2, key, 2 * (uint64_t)i + 1);
    }
}

static text_tower *open_tower_on(const text_sizes *sizes, const weight_source *weights, int threads)
{
    text_tower *t;
    sat_error error = {0};
    if (text_tower_open(sizes, weights, threads, &t, &error) != SAT_OK) fail_msg("%s", error.message);
    return t;
}

static text_tower *open_tower(const text_sizes *sizes, int threads)
{
    const weight_source weights = weight_source_deterministic();
    return open_tower_on(sizes, &weights, threads);
}

static void run(text_tower *t, const int32_t *ids, int texts, int tokens, float *features)
{
    sat_error error = {0};
    if (text_tower_run(t, ids, texts, tokens, features, &error) != SAT_OK) fail_msg("%s", error.message);
}

/* A width, heads and feed-forward of no round numbers, each kind. */
static text_sizes odd_sizes(text_kind kind)
{
    text_sizes s = {.kind = kind,
                    .vocabulary = 57,
                    .positions = 70,
                    .width = 39,
                    .layers = 3,
                    .heads = 3,
                    .feed_forward = 71,
                    .output_width = 39,
                    .modality_rows = 5,
                    .longest = 64,
                    .layer_norm_epsilon = 1e-5};
    if (kind == TEXT_MPNET) s.projection_hidden = 29, s.output_width = 43;
    return s;
}

static void compare_with_formulas(const text_sizes *s, const weight_source *weights)
{
    text_tower *t = open_tower_on(s, weights, 2);
    for (int tokens = 2; tokens <= 64; tokens += 1 + tokens / 2) {
        int32_t ids[3 * 64];
        float made[3 * 43];
        double expected[43], largest = 0;
        for (int i = 0; i < 3; i++)
            random_ids(ids + i * tokens, tokens, s->vocabulary, (uint64_t)(100 * tokens + i));
        run(t, ids, 3, tokens, made);
        for (int i = 0; i < 3; i++) {
            plain_text_features(s, weights, ids + i * tokens, tokens, expected, NULL);
            for (int c = 0; c < s->output_width; c++)
                largest = fmax(largest, fabs(expected[c] - (double)made[i * s->output_width + c]));
        }
        if (!(largest < 5e-6)) fail_msg("kind %d, %d tokens: largest difference %g", (int)s->kind, tokens, largest);
    }
    text_tower_close(t);
}

static void the_graph_equals_the_formulas(void **state)
{
    (void)state;
    const weight_source weights = weight_source_deterministic();
    const text_sizes mpnet = odd_sizes(TEXT_MPNET), bert = odd_sizes(TEXT_BERT);
    compare_with_formulas(&mpnet, &weights);
    compare_with_formulas(&bert, &weights);
}

/* A model file of the smaller type: matrices come as bfloat16, vectors as float32. */
static sat_status find_rounded(const weight_source *source, const char *name, int dimensions, const int64_t *shape,
                               weight_view *view, sat_error *error)
{
    const weight_source *inner = source->context;
    const sat_status status = inner->find(inner, name, dimensions, shape, view, error);
    if (status != SAT_OK || dimensions < 2) return status;
    const size_t count = (size_t)shape[0] * (size_t)shape[1];
    bfloat16 *rounded = malloc(count * sizeof *rounded);
    assert_non_null(rounded);
    elements_from_float(ELEMENT_BFLOAT16, view->data, count, rounded);
    inner->release(inner, view);
    *view = (weight_view){
        .type = ELEMENT_BFLOAT16, .dimensions = 2, .shape = {shape[0], shape[1]}, .data = rounded, .owned = rounded};
    return SAT_OK;
}

static void release_rounded(const weight_source *source, weight_view *view)
{
    const weight_source *inner = source->context;
    if (view->type == ELEMENT_BFLOAT16)
        free(view->owned);
    else
        inner->release(inner, view);
}

static void weights_of_half_the_size_are_widened(void **state)
{
    (void)state;
    const weight_source inner = weight_source_deterministic();
    weight_source rounded = inner;
    rounded.find = find_rounded;
    rounded.release = release_rounded;
    rounded.matrix_type = ELEMENT_BFLOAT16;
    rounded.context = &inner;
    const text_sizes mpnet = odd_sizes(TEXT_MPNET), bert = odd_sizes(TEXT_BERT);
    compare_with_formulas(&mpnet, &rounded);
    compare_with_formulas(&bert, &rounded);
}

/* Alone, among others, in another order, with more threads: the same bits. */
static void a_text_does_not_depend_on_its_neighbours(void **state)
{
    (void)state;
    enum { TEXTS = 90, TOKENS = 7 }; /* more than go through the layers at once */
    const text_kind kinds[] = {TEXT_MPNET, TEXT_BERT};
    for (int k = 0; k < 2; k++) {
        const text_sizes s = odd_sizes(kinds[k]);
        int32_t ids[TEXTS * TOKENS], backward[TEXTS * TOKENS];
        float all[TEXTS * 43], again[TEXTS * 43], one[43];
        for (int i = 0; i < TEXTS; i++) {
            random_ids(ids + i * TOKENS, TOKENS, s.vocabulary, (uint64_t)i);
            memcpy(backward + (TEXTS - 1 - i) * TOKENS, ids + i * TOKENS, TOKENS * sizeof *ids);
        }
        text_tower *t = open_tower(&s, 1);
        run(t, ids, TEXTS, TOKENS, all);
        for (int i = 0; i < TEXTS; i++) {
            run(t, ids + i * TOKENS, 1, TOKENS, one);
            assert_memory_equal(one, all + i * s.output_width, (size_t)s.output_width * sizeof *one);
        }
        text_tower_close(t);
        for (int threads = 1; threads <= 7; threads += 3) {
            t = open_tower(&s, threads);
            run(t, backward, TEXTS, TOKENS, again);
            for (int i = 0; i < TEXTS; i++)
                assert_memory_equal(again + (TEXTS - 1 - i) * s.output_width, all + i * s.output_width,
                                    (size_t)s.output_width * sizeof *one);
            text_tower_close(t);
        }
    }
}

/* ---------------------------------------------------------------- the states between the layers */

static void compare_stages(const golden_encoder *e)
{
    const text_sizes *s = &e->sizes;
    const weight_source weights = weight_source_deterministic();
    tokenizer *words = open_vocabulary(s->kind, e->vocabulary);
    char name[64];
    int32_t ids[32], rows[32];
    float embeddings[32 * 48], bias[4 * 32 * 32], token_weights[32] = {0}, table[POSITION_BUCKETS * 4];
    snprintf(name, sizeof name, "text/%s_stages.npy", e->name);
    npy_array golden = npy_read(golden_path(name));
    const int tokens = tokenizer_ids(words, golden_stages_text(), strlen(golden_stages_text()), 32, ids),
              width = s->width;
    assert_int_equal(golden.shape[1], tokens);

    /* The inputs, made here from the tensors' names. */
    const char *prefix = s->kind == TEXT_MPNET ? "text_tower.biolord." : "model.";
    const char *const tables[] = {"embeddings.word_embeddings.weight", "embeddings.token_type_embeddings.weight",
                                  "embeddings.position_embeddings.weight"};
    position_rows(s->kind, ids, tokens, rows);
    memset(embeddings, 0, sizeof embeddings);
    for (int part = 0; part < 3; part++)
        for (int i = 0; i < tokens && (part != 1 || s->kind == TEXT_BERT); i++) {
            const int row = part == 0 ? ids[i] : part == 1 ? 0 : rows[i];
            const int64_t shape[] = {part == 0 ? s->vocabulary : part == 1 ? 2 : s->positions, width};
            float values[48];
            char tensor[128];
            snprintf(tensor, sizeof tensor, "%s%s", prefix, tables[part]);
            deterministic_fill(tensor, 2, shape, (uint64_t)row * (uint64_t)width, (size_t)width, values);
            for (int c = 0; c < width; c++)
                embeddings[i * width + c] += values[c];
        }
    deterministic_fill("text_tower.biolord.encoder.relative_attention_bias.weight", 2,
                       (int64_t[]){POSITION_BUCKETS, s->heads}, 0, (size_t)(POSITION_BUCKETS * s->heads), table);
    position_bias(table, s->heads, ids, tokens, bias);

    graph g;
    plan *p;
    weight_store *store;
    sat_error error = {0};
    arena memory = {0};
    graph_begin(&g);
    text_tower_build(s, &(text_tower_batch){.texts = 1, .tokens = tokens, .masked = true}, true, &g);
    assert_int_equal(weight_store_make(&weights, &store, &error), SAT_OK);
    if (plan_build(&g, cpu_backend(), store, ELEMENT_FLOAT32, 1, &p, &error) != SAT_OK) fail_msg("%s", error.message);
    if (weight_store_load(store, &error) != SAT_OK) fail_msg("%s", error.message);
    assert_int_equal(arena_open(&memory, arena_bytes(plan_bytes(p), 1), &error), SAT_OK);
    plan_attach(p, arena_take(&memory, plan_bytes(p), 1));
    plan_bind(p, TEXT_TOWER_EMBEDDINGS, embeddings);
    plan_bind(p, TEXT_TOWER_WEIGHTS, token_weights);
    if (s->kind == TEXT_MPNET) plan_bind(p, TEXT_TOWER_BIAS, bias);
    assert_int_equal(plan_run(p, NULL, &error), SAT_OK);
    for (int stage = 0; stage <= s->layers; stage++) {
        snprintf(name, sizeof name, TEXT_TOWER_STAGE, stage);
        const size_t count = (size_t)(tokens * width);
        const double difference =
            largest_difference(plan_output(p, name).data, npy_floats(&golden) + (size_t)stage * count, count);
        print_message("%s, stage %d: largest difference %.2g\n", e->name, stage, difference);
        assert_true(difference < 3e-6);
    }
    plan_free(p);
    weight_store_free(store);
    graph_free(&g);
    arena_close(&memory);
    npy_free(&golden);
    tokenizer_close(words);
}

static void stages_equal_the_golden_ones(void **state)
{
    (void)state;
    for (int i = 0; i < GOLDEN_ENCODERS_WITH_STAGES; i++)
        compare_stages(&golden_encoders[i]);
}

static void sizes_that_do_not_fit_are_refused(void **state)
{
    (void)state;
    text_sizes s = odd_sizes(TEXT_BERT);
    s.width = 40; /* 3 heads do not divide it: the graph can't be built */
    text_tower *t = open_tower(&s, 1);
    const int32_t ids[] = {3, 4, 5};
    float features[43];
    sat_error error = {0};
    assert_int_equal(text_tower_run(t, ids, 1, 3, features, &error), SAT_BAD_INPUT);
    assert_non_null(strstr(error.message, "heads"));
    text_tower_close(t);
}

static void the_plan_says_its_memory(void **state)
{
    (void)state;
    const text_sizes s = golden_encoders[4].sizes; /* full size: nothing is read for planning */
    text_tower *t = open_tower(&s, 2);
    size_t shorter, longer;
    assert_int_equal(text_tower_bytes(t, 7, &shorter, NULL), SAT_OK);
    assert_int_equal(text_tower_bytes(t, 256, &longer, NULL), SAT_OK);
    print_message("full tower: %zu MB for 7 tokens, %zu MB for 256\n", shorter / 1000000, longer / 1000000);
    assert_true(shorter > 340000000 && longer < 700000000); /* 86 M parameters in the layers */
    text_tower_close(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_graph_equals_the_formulas),
        cmocka_unit_test(weights_of_half_the_size_are_widened),
        cmocka_unit_test(a_text_does_not_depend_on_its_neighbours),
        cmocka_unit_test(stages_equal_the_golden_ones),
        cmocka_unit_test(sizes_that_do_not_fit_are_refused),
        cmocka_unit_test(the_plan_says_its_memory),
    };
    return cmocka_run_group_tests_name("text/tower", tests, NULL, NULL);
}
