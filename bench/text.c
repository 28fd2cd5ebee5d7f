/* The text side of a run: opening a vocabulary, tokens, and 497 prompts through a full-size MPNet tower with weights made
 * from names; then the same prompts from the cache.
 *
 *     build/bench_text [THREADS] [PROMPTS]
 *
 * The vocabulary is one of as many made-up words: the tower's work does not depend on what they mean. */
#include "base/clock.h"
#include "base/text.h"
#include "model/description.h"
#include "model/weights.h"
#include "text/encoder.h"
#include "text/modality.h"
#include "text/wordpiece.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "<s>", ..., the frame, letters, and words w00000, w00001, ... up to `size` lines. */
static text make_vocabulary(int size)
{
    text t = text_open(1 << 24);
    text_add(&t, "<s>\n<pad>\n</s>\n<unk>\n[UNK]\n[CLS]\n[SEP]\n");
    for (int i = 7; i < size; i++)
        text_format(&t, "w%05d\n", i);
    return t;
}

/* Prompts of 3 to 7 words, 5 in the middle: 7 tokens with the frame, as the labels of SAT-DS have. */
static char **make_prompts(int count, int vocabulary)
{
    char **prompts = calloc((size_t)count, sizeof *prompts);
    for (int i = 0; prompts && i < count; i++) {
        const int words = 3 + i % 5;
        prompts[i] = malloc(64);
        for (int k = 0; prompts[i] && k < words; k++)
            snprintf(prompts[i] + 7 * k, 64 - 7 * (size_t)k, "w%05d ", 7 + (i * 131 + k * 17) % (vocabulary - 7));
    }
    return prompts;
}

int main(int count, char **arguments)
{
    const int threads = count > 1 ? atoi(arguments[1]) : 2, prompt_count = count > 2 ? atoi(arguments[2]) : 497;
    model_description d;
    sat_error error = {0};
    text_encoder *e = NULL;
    tokenizer *words = NULL;
    if (!model_variant("nano", &d) || prompt_count < 1) return 2;
    text vocabulary = make_vocabulary(d.text.vocabulary);
    char **prompts = make_prompts(prompt_count, d.text.vocabulary);
    float *queries = malloc((size_t)prompt_count * (size_t)d.text.output_width * sizeof *queries);
    const weight_source weights = weight_source_deterministic();
    const text_encoder_options options = {.threads = threads, .no_disk_cache = true};
    if (!prompts || !queries) return 4;

    double start = clock_seconds();
    sat_status status = tokenizer_open(TEXT_MPNET, vocabulary.data, vocabulary.length, &words, &error);
    if (status != SAT_OK) goto done;
    printf("vocabulary of %d tokens opened     %8.2f ms\n", d.text.vocabulary, 1e3 * (clock_seconds() - start));

    int32_t ids[256];
    long tokens = 0;
    start = clock_seconds();
    for (int i = 0; i < prompt_count; i++)
        tokens += tokenizer_ids(words, prompts[i], strlen(prompts[i]), 256, ids);
    printf("%d prompts to %ld tokens          %8.2f ms\n", prompt_count, tokens, 1e3 * (clock_seconds() - start));

    status = text_encoder_open(&d.text, &weights, vocabulary.data, vocabulary.length, &options, &e, &error);
    for (int round = 0; round < 2 && status == SAT_OK; round++) {
        start = clock_seconds();
        status = text_encoder_queries(e, (const char *const *)prompts, (size_t)prompt_count, 0, queries, NULL, &error);
        const double seconds = clock_seconds() - start;
        if (status != SAT_OK) break;
        if (round == 0) /* 85 M products a token in the layers */
            printf("through the tower, %d threads        %8.2f s, %.0f GFLOP/s, weights made from names included\n",
                   threads, seconds, 2e-9 * 85e6 * (double)tokens / seconds);
        else
            printf("from the cache                      %8.2f ms\n", 1e3 * seconds);
    }
done:
    if (status != SAT_OK) fprintf(stderr, "%s\n", error.message);
    text_encoder_close(e);
    tokenizer_close(words);
    text_free(&vocabulary);
    for (int i = 0; i < prompt_count; i++)
        free(prompts[i]);
    free(prompts);
    free(queries);
    return sat_exit_code(status);
}
