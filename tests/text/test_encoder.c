#define _DEFAULT_SOURCE /* setenv */
#include "tests/support/cmocka.h"
#include "tests/support/golden.h"
#include "tests/support/text_goldens.h"

#include "base/file.h"
#include "model/weights.h"
#include "text/encoder.h"
#include "text/modality.h"

#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The golden encoder `e`, its weights from `weights`. */
static text_encoder *open_encoder(const golden_encoder *e, const weight_source *weights,
                                  const text_encoder_options *options)
{
    char name[128];
    file_map vocabulary;
    text_encoder *encoder;
    sat_error error = {0};
    snprintf(name, sizeof name, "vocab/%s", e->vocabulary);
    const char *path = golden_path(name);
    if (!path || file_map_open(path, &vocabulary, &error) != SAT_OK) fail_msg("%s: %s", name, error.message);
    if (text_encoder_open(&e->sizes, weights, vocabulary.data, vocabulary.size, options, &encoder, &error) != SAT_OK)
        fail_msg("%s", error.message);
    file_map_close(&vocabulary);
    return encoder;
}

static float *queries_of(text_encoder *e, const char *const *prompts, size_t count, int modality)
{
    float *queries = malloc(count * (size_t)text_encoder_width(e) * sizeof *queries);
    sat_error error = {0};
    assert_non_null(queries);
    if (text_encoder_queries(e, prompts, count, modality, queries, NULL, &error) != SAT_OK)
        fail_msg("%s", error.message);
    return queries;
}

static void compare_queries(const golden_encoder *e)
{
    static const char *const modalities[GOLDEN_MODALITIES] = {"ct", "mri", "pet"};
    const weight_source weights = weight_source_deterministic();
    const text_encoder_options options = {.threads = 2};
    char name[128];
    snprintf(name, sizeof name, "text/%s_queries.npy", e->name);
    npy_array golden = npy_read(golden_path(name));
    text_encoder *encoder = open_encoder(e, &weights, &options);
    const size_t count = (size_t)GOLDEN_TEXTS * (size_t)e->sizes.output_width;
    double largest = 0;
    for (int m = 0; m < GOLDEN_MODALITIES; m++) {
        float *queries = queries_of(encoder, golden_texts(), GOLDEN_TEXTS, modality_row(modalities[m]));
        largest = fmax(largest, largest_difference(queries, npy_floats(&golden) + (size_t)m * count, count));
        free(queries);
    }
    assert_int_equal(text_encoder_reported(encoder)->encoded, GOLDEN_TEXTS); /* once, not once a modality */
    print_message("%s: largest difference %.2g, %.1f s\n", e->name, largest, text_encoder_reported(encoder)->seconds);
    assert_true(largest <= e->tolerance);
    text_encoder_close(encoder);
    npy_free(&golden);
}

static void small_queries_equal_the_golden_ones(void **state)
{
    (void)state;
    for (int i = 0; i < GOLDEN_ENCODERS_SMALL; i++)
        compare_queries(&golden_encoders[i]);
}

static void full_queries_equal_the_golden_ones(void **state)
{
    (void)state;
    for (int i = GOLDEN_ENCODERS_SMALL; i < GOLDEN_ENCODERS; i++)
        compare_queries(&golden_encoders[i]);
}

/* ---------------------------------------------------------------- weights whose use is counted */

static atomic_int tensors_read;

static sat_status counted_find(const weight_source *source, const char *name, int dimensions, const int64_t *shape,
                               weight_view *view, sat_error *error)
{
    const weight_source *inner = source->context;
    tensors_read++;
    return inner->find(inner, name, dimensions, shape, view, error);
}

static void counted_release(const weight_source *source, weight_view *view)
{
    const weight_source *inner = source->context;
    inner->release(inner, view);
}

static weight_source counted(const weight_source *inner)
{
    weight_source w = *inner;
    w.find = counted_find;
    w.release = counted_release;
    w.context = inner;
    tensors_read = 0;
    return w;
}

static const golden_encoder *const tiny = &golden_encoders[3];
static const char *const labels[] = {"liver", "Left Kidney", "right kidney", "liver <s> kidney", "spleen", "LIVER"};
enum { LABELS = sizeof labels / sizeof *labels };

/* A second run with the same prompts reads the modality table and nothing of the tower. */
static void a_second_run_does_not_touch_the_tower(void **state)
{
    (void)state;
    const weight_source inner = weight_source_deterministic();
    weight_source weights = counted(&inner);
    const text_encoder_options options = {.threads = 2, .model_identity = "model a", .cache_root = temporary_folder()};
    text_encoder *e = open_encoder(tiny, &weights, &options);
    float *first = queries_of(e, labels, LABELS, 0);
    assert_int_equal(text_encoder_reported(e)->encoded, LABELS - 1); /* LIVER is liver */
    assert_true(tensors_read > 30);
    tensors_read = 0;
    float *again = queries_of(e, labels, LABELS, 0);
    assert_int_equal(tensors_read, 0);
    assert_memory_equal(first, again, LABELS * 48 * sizeof *first);
    text_encoder_close(e);
    free(again);

    e = open_encoder(tiny, &weights, &options);
    size_t bytes = 1;
    assert_int_equal(text_encoder_bytes(e, labels, LABELS, &bytes, NULL), SAT_OK);
    assert_int_equal(bytes, 0);
    again = queries_of(e, labels, LABELS, 0);
    assert_int_equal(tensors_read, 1);
    assert_int_equal(text_encoder_reported(e)->encoded, 0);
    assert_int_equal(text_encoder_reported(e)->remembered, LABELS);
    assert_memory_equal(first, again, LABELS * 48 * sizeof *first);
    free(again);
    again = queries_of(e, labels, 1, 1); /* another modality needs no tower either, and differs */
    assert_int_equal(tensors_read, 1);
    assert_memory_not_equal(first, again, 48 * sizeof *first);
    free(again);
    text_encoder_close(e);

    text_encoder_options other = options;
    other.model_identity = "model b";
    e = open_encoder(tiny, &weights, &other);
    free(queries_of(e, labels, 1, 0));
    assert_int_equal(text_encoder_reported(e)->encoded, 1);
    text_encoder_close(e);
    free(first);
}

static void the_disk_is_left_alone_when_asked(void **state)
{
    (void)state;
    const weight_source weights = weight_source_deterministic();
    char root[1200];
    snprintf(root, sizeof root, "%s/cache", temporary_folder());
    const text_encoder_options without[] = {
        {.threads = 1, .model_identity = "model a", .cache_root = root, .no_disk_cache = true},
        {.threads = 1, .cache_root = root}, /* what the weights are is not known */
    };
    for (int i = 0; i < 2; i++) {
        text_encoder *e = open_encoder(tiny, &weights, &without[i]);
        free(queries_of(e, labels, 2, 0));
        text_encoder_close(e);
        assert_false(file_exists(root));
    }
    unsetenv("HOME");
    unsetenv("XDG_CACHE_HOME");
    const text_encoder_options homeless = {.threads = 1, .model_identity = "model a"};
    text_encoder *e = open_encoder(tiny, &weights, &homeless);
    free(queries_of(e, labels, 2, 0));
    assert_int_equal(text_encoder_reported(e)->cache.code, SAT_OK);
    text_encoder_close(e);
}

static void a_cache_that_cannot_be_written_is_no_failure(void **state)
{
    (void)state;
    const weight_source weights = weight_source_deterministic();
    char root[1200];
    snprintf(root, sizeof root, "%s/file", temporary_folder());
    assert_int_equal(file_write_whole(root, "x", 1, NULL), SAT_OK);
    const text_encoder_options options = {.threads = 1, .model_identity = "model a", .cache_root = root};
    text_encoder *e = open_encoder(tiny, &weights, &options);
    free(queries_of(e, labels, 2, 0));
    assert_int_equal(text_encoder_reported(e)->cache.code, SAT_IO);
    text_encoder_close(e);
}

static void order_neighbours_and_threads_change_nothing(void **state)
{
    (void)state;
    const weight_source weights = weight_source_deterministic();
    const char *backward[LABELS];
    for (int i = 0; i < LABELS; i++)
        backward[i] = labels[LABELS - 1 - i];
    text_encoder *e = open_encoder(tiny, &weights, &(text_encoder_options){.threads = 1});
    float *right = queries_of(e, labels, LABELS, 3);
    text_encoder_close(e);
    for (int threads = 1; threads <= 5; threads += 2) {
        e = open_encoder(tiny, &weights, &(text_encoder_options){.threads = threads});
        float *queries = queries_of(e, backward, LABELS, 3);
        for (int i = 0; i < LABELS; i++)
            assert_memory_equal(right + i * 48, queries + (LABELS - 1 - i) * 48, 48 * sizeof *right);
        free(queries);
        text_encoder_close(e);
        e = open_encoder(tiny, &weights, &(text_encoder_options){.threads = threads});
        for (int i = 0; i < LABELS; i++) {
            queries = queries_of(e, labels + i, 1, 3);
            assert_memory_equal(right + i * 48, queries, 48 * sizeof *right);
            free(queries);
        }
        text_encoder_close(e);
    }
    free(right);
}

static void wrong_uses_are_refused(void **state)
{
    (void)state;
    const weight_source weights = weight_source_deterministic();
    const text_encoder_options options = {.threads = 1};
    static const char few[] = "[CLS]\n[SEP]\n[UNK]\nliver\n";
    text_encoder *e;
    sat_error error = {0};
    assert_int_equal(text_encoder_open(&tiny->sizes, &weights, few, sizeof few - 1, &options, &e, &error),
                     SAT_BAD_INPUT);
    assert_string_equal(error.message,
                        "the vocabulary has 4 tokens, the text encoder 496; is this the encoder's own vocab.txt?");
    assert_null(e);
    const text_sizes none = {.kind = TEXT_NONE};
    assert_int_equal(text_encoder_open(&none, &weights, few, sizeof few - 1, &options, &e, &error), SAT_BAD_ARGUMENT);

    float query[48];
    e = open_encoder(tiny, &weights, &options);
    assert_int_equal(text_encoder_queries(e, labels, 1, 4, query, NULL, &error), SAT_BAD_ARGUMENT);
    assert_int_equal(text_encoder_queries(e, labels, 1, -1, query, NULL, &error), SAT_BAD_ARGUMENT);
    assert_int_equal(text_encoder_queries(e, NULL, 0, 0, NULL, NULL, &error), SAT_OK);
    progress cancelled = {0};
    progress_cancel(&cancelled);
    assert_int_equal(text_encoder_queries(e, labels, 1, 0, query, &cancelled, &error), SAT_CANCELLED);
    text_encoder_close(e);
    assert_int_equal(modality_row("ct"), 0);
    assert_int_equal(modality_row("us"), 2);
    assert_int_equal(modality_row("CT"), -1);
    assert_string_equal(modality_word(3), "pet");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_queries_equal_the_golden_ones),
        cmocka_unit_test(a_second_run_does_not_touch_the_tower),
        cmocka_unit_test(the_disk_is_left_alone_when_asked),
        cmocka_unit_test(a_cache_that_cannot_be_written_is_no_failure),
        cmocka_unit_test(order_neighbours_and_threads_change_nothing),
        cmocka_unit_test(wrong_uses_are_refused),
        cmocka_unit_test(full_queries_equal_the_golden_ones),
    };
    return cmocka_run_group_tests_name("text/encoder", tests, NULL, NULL);
}
