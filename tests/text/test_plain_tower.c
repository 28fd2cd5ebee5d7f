/* The twin itself: the formulas in double against the published numbers, so that other tests may trust it. */
#include "tests/support/cmocka.h"
#include "tests/support/golden.h"
#include "tests/support/plain_text_tower.h"
#include "tests/support/text_goldens.h"
#include "tests/support/vocabulary.h"

#include "text/lower_case.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int tokens_of(const tokenizer *t, const char *text, int longest, int32_t *ids)
{
    char *lower;
    size_t bytes;
    assert_int_equal(lower_case(text, strlen(text), &lower, &bytes, NULL), SAT_OK);
    const int count = tokenizer_ids(t, lower, bytes, longest, ids);
    free(lower);
    return count;
}

static npy_array read_golden(const golden_encoder *e, const char *ending)
{
    char name[128];
    snprintf(name, sizeof name, "text/%s%s", e->name, ending);
    return npy_read(golden_path(name));
}

static void queries_equal_the_golden_ones(void **state)
{
    (void)state;
    const weight_source weights = weight_source_deterministic();
    for (int e = 0; e < GOLDEN_ENCODERS_SMALL; e++) {
        const golden_encoder *encoder = &golden_encoders[e];
        tokenizer *t = open_vocabulary(encoder->sizes.kind, encoder->vocabulary);
        npy_array queries = read_golden(encoder, "_queries.npy");
        const float *expected = npy_floats(&queries);
        const int width = encoder->sizes.output_width;
        float modality[4 * 48];
        double largest = 0;
        deterministic_fill("modality_embed.weight", 2, (int64_t[]){4, width}, 0, (size_t)(4 * width), modality);
        for (int i = 0; i < GOLDEN_TEXTS; i++) {
            int32_t ids[256];
            double features[48];
            const int count = tokens_of(t, golden_texts()[i], encoder->sizes.longest, ids);
            plain_text_features(&encoder->sizes, &weights, ids, count, features, NULL);
            for (int m = 0; m < GOLDEN_MODALITIES; m++)
                for (int c = 0; c < width; c++) {
                    const double query =
                        features[c] + (double)modality[(m == 2 ? 3 : m) * width + c]; /* pet is row 3 */
                    largest = fmax(largest, fabs(query - (double)expected[(m * GOLDEN_TEXTS + i) * width + c]));
                }
        }
        print_message("%s: largest difference %.2g\n", encoder->name, largest);
        assert_true(largest < 3e-7);
        npy_free(&queries);
        tokenizer_close(t);
    }
}

static void stages_equal_the_golden_ones(void **state)
{
    (void)state;
    const weight_source weights = weight_source_deterministic();
    for (int e = 0; e < GOLDEN_ENCODERS_WITH_STAGES; e++) {
        const golden_encoder *encoder = &golden_encoders[e];
        tokenizer *t = open_vocabulary(encoder->sizes.kind, encoder->vocabulary);
        npy_array stages = read_golden(encoder, "_stages.npy");
        int32_t ids[256];
        double features[48];
        float made[3 * 32 * 48];
        const int count = tokens_of(t, golden_stages_text(), encoder->sizes.longest, ids);
        assert_int_equal(stages.shape[1], count);
        plain_text_features(&encoder->sizes, &weights, ids, count, features, made);
        assert_true(largest_difference(made, npy_floats(&stages), stages.count) < 5e-7);
        npy_free(&stages);
        tokenizer_close(t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stages_equal_the_golden_ones),
        cmocka_unit_test(queries_equal_the_golden_ones),
    };
    return cmocka_run_group_tests_name("text/plain_tower", tests, NULL, NULL);
}
