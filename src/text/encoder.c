#include "text/encoder.h"
#include "text/lower_case.h"
#include "text/modality.h"
#include "text/query_cache.h"
#include "text/tower.h"
#include "text/word_map.h"
#include "text/wordpiece.h"

#include "base/clock.h"
#include "base/processor.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Part of the cache's key: to be raised when the way from a text to its vector changes. */
enum { ENCODING_VERSION = 1, ROOT_ROOM = 4096 };
/* Tokens between two looks at whether the user still wants it: a second or two of a full-size tower. */
enum { TOKENS_AT_ONCE = 1024 };

struct text_encoder {
    text_sizes sizes;
    weight_source weights;
    int threads;
    tokenizer *words;
    query_cache *cache;
    float *modalities; /* owned; [MODALITIES][output_width] */
    text_encoder_report report;
};

/* ---------------------------------------------------------------- opening */

/* SHA-256 of all that a vector depends on but its text. Sums are rounded differently by the kernels of different
 * processors, so that machines that share a folder do not share vectors unless they are of one level. */
static void make_key(const text_sizes *s, const char *identity, const void *vocabulary, size_t bytes,
                     char key[HASH_SHA256_TEXT])
{
    char numbers[512];
    hash_sha256 hash;
    snprintf(numbers, sizeof numbers,
             "encoding %d, %s; kind %d, %d words, %d positions, %d x %d, %d heads, %d, %d, %d, %d, %.17g; ",
             ENCODING_VERSION, processor_level_name(processor_best()), (int)s->kind, s->vocabulary, s->positions,
             s->layers, s->width, s->heads, s->feed_forward, s->projection_hidden, s->output_width, s->longest,
             s->layer_norm_epsilon);
    hash_sha256_begin(&hash);
    hash_sha256_add(&hash, numbers, strlen(numbers));
    hash_sha256_add(&hash, identity, strlen(identity) + 1);
    hash_sha256_add(&hash, vocabulary, bytes);
    hash_sha256_end(&hash, key);
}

static sat_status open_cache(text_encoder *e, const text_encoder_options *options, const void *vocabulary, size_t bytes,
                             sat_error *error)
{
    char key[HASH_SHA256_TEXT], root[ROOT_ROOM];
    const char *identity = options->model_identity ? options->model_identity : "", *where = options->cache_root;
    if (!where && query_cache_default_root(root, sizeof root)) where = root;
    if (options->no_disk_cache || !*identity) where = NULL;
    make_key(&e->sizes, identity, vocabulary, bytes, key);
    return query_cache_open(where, key, e->sizes.output_width, &e->cache, error);
}

static sat_status read_modalities(text_encoder *e, sat_error *error)
{
    const size_t count = (size_t)MODALITIES * (size_t)e->sizes.output_width; /* of perhaps more rows: the first four */
    weight_view view;
    sat_status status = e->weights.find(&e->weights, "modality_embed.weight", 2,
                                        (const int64_t[]){e->sizes.modality_rows, e->sizes.output_width}, &view, error);
    if (status != SAT_OK) return status;
    e->modalities = malloc(count * sizeof *e->modalities);
    if (e->modalities)
        elements_to_float(view.type, view.data, count, e->modalities);
    else
        status = sat_fail(error, SAT_NO_MEMORY, "no memory for the text encoder");
    e->weights.release(&e->weights, &view);
    return status;
}

static sat_status open_vocabulary(text_encoder *e, const void *vocabulary, size_t bytes, sat_error *error)
{
    const sat_status status = tokenizer_open(e->sizes.kind, vocabulary, bytes, &e->words, error);
    if (status != SAT_OK || tokenizer_size(e->words) == e->sizes.vocabulary) return status;
    return sat_fail(error, SAT_BAD_INPUT,
                    "the vocabulary has %d tokens, the text encoder %d; is this the encoder's own vocab.txt?",
                    (int)tokenizer_size(e->words), e->sizes.vocabulary);
}

sat_status text_encoder_open(const text_sizes *sizes, const weight_source *weights, const void *vocabulary,
                             size_t vocabulary_bytes, const text_encoder_options *options, text_encoder **made,
                             sat_error *error)
{
    *made = NULL;
    if (sizes->kind == TEXT_NONE)
        return sat_fail(error, SAT_BAD_ARGUMENT,
                        "the model has no text encoder; convert it again with --text and --vocab");
    text_encoder *e = calloc(1, sizeof *e);
    if (!e) return sat_fail(error, SAT_NO_MEMORY, "no memory for the text encoder");
    *e = (text_encoder){.sizes = *sizes, .weights = *weights, .threads = options->threads < 1 ? 1 : options->threads};
    sat_status status = open_vocabulary(e, vocabulary, vocabulary_bytes, error);
    if (status == SAT_OK) status = read_modalities(e, error);
    if (status == SAT_OK) status = open_cache(e, options, vocabulary, vocabulary_bytes, error);
    if (status == SAT_OK)
        *made = e;
    else
        text_encoder_close(e);
    return status;
}

void text_encoder_close(text_encoder *e)
{
    if (!e) return;
    tokenizer_close(e->words);
    query_cache_close(e->cache);
    free(e->modalities);
    free(e);
}

int text_encoder_width(const text_encoder *e) { return e->sizes.output_width; }
const text_encoder_report *text_encoder_reported(const text_encoder *e) { return &e->report; }

/* ---------------------------------------------------------------- what has to be encoded */

typedef struct new_text {
    const char *text; /* borrowed from the work's lower-cased prompts */
    size_t bytes;
    int32_t *ids; /* owned; as many as tokens */
    int tokens;
    size_t order;
} new_text;

/* The prompts in lower case, and those texts among them, each once, that are not in the cache. */
typedef struct encoding_work {
    char **lower;  /* owned, [prompt] */
    size_t *bytes; /* owned, [prompt] */
    size_t prompts;
    new_text *texts; /* owned */
    size_t count;
} encoding_work;

static void work_free(encoding_work *w)
{
    for (size_t i = 0; i < w->count; i++)
        free(w->texts[i].ids);
    for (size_t i = 0; w->lower && i < w->prompts; i++)
        free(w->lower[i]);
    free(w->texts);
    free(w->lower);
    free(w->bytes);
    *w = (encoding_work){0};
}

static sat_status add_text(const text_encoder *e, encoding_work *w, size_t prompt, int32_t *ids, sat_error *error)
{
    new_text *t = &w->texts[w->count];
    *t = (new_text){.text = w->lower[prompt], .bytes = w->bytes[prompt], .order = w->count};
    t->tokens = tokenizer_ids(e->words, t->text, t->bytes, e->sizes.longest, ids);
    t->ids = malloc((size_t)t->tokens * sizeof *ids);
    if (!t->ids) return sat_fail(error, SAT_NO_MEMORY, "no memory for the prompts");
    memcpy(t->ids, ids, (size_t)t->tokens * sizeof *ids);
    w->count++;
    return SAT_OK;
}

static int by_length(const void *a, const void *b)
{
    const new_text *x = a, *y = b;
    if (x->tokens != y->tokens) return x->tokens < y->tokens ? -1 : 1;
    return x->order < y->order ? -1 : x->order > y->order;
}

/* `spare`: room for one vector. On failure the work is still to be freed. */
static sat_status find_work(const text_encoder *e, const char *const *prompts, size_t count, float *spare,
                            encoding_work *w, sat_error *error)
{
    word_map seen = {0};
    int32_t *ids = malloc((size_t)e->sizes.longest * sizeof *ids);
    *w = (encoding_work){.prompts = count,
                         .lower = calloc(count + 1, sizeof *w->lower),
                         .bytes = calloc(count + 1, sizeof *w->bytes),
                         .texts = calloc(count + 1, sizeof *w->texts)};
    sat_status status = SAT_OK;
    if (!w->lower || !w->bytes || !w->texts || !ids)
        status = sat_fail(error, SAT_NO_MEMORY, "no memory for %zu prompts", count);
    for (size_t i = 0; i < count && status == SAT_OK; i++) {
        int32_t first = 0;
        status = lower_case(prompts[i], strlen(prompts[i]), &w->lower[i], &w->bytes[i], error);
        if (status != SAT_OK || query_cache_find(e->cache, w->lower[i], w->bytes[i], spare)) continue;
        status = word_map_add(&seen, w->lower[i], w->bytes[i], (int32_t)w->count, &first, error);
        if (status == SAT_OK && (size_t)first == w->count) status = add_text(e, w, i, ids, error);
    }
    word_map_close(&seen);
    free(ids);
    if (status == SAT_OK) qsort(w->texts, w->count, sizeof *w->texts, by_length);
    return status;
}

/* ---------------------------------------------------------------- encoding */

/* Texts [first, first + count) of the work, which have one length. */
static sat_status encode_some(text_encoder *e, text_tower *tower, const encoding_work *w, size_t first, size_t count,
                              int32_t *ids, float *vectors, sat_error *error)
{
    const int tokens = w->texts[first].tokens;
    for (size_t i = 0; i < count; i++)
        memcpy(ids + i * (size_t)tokens, w->texts[first + i].ids, (size_t)tokens * sizeof *ids);
    sat_status status = text_tower_run(tower, ids, (int)count, tokens, vectors, error);
    for (size_t i = 0; i < count && status == SAT_OK; i++) {
        const new_text *t = &w->texts[first + i];
        status = query_cache_add(e->cache, t->text, t->bytes, vectors + i * (size_t)e->sizes.output_width, error);
        e->report.encoded += status == SAT_OK;
    }
    return status;
}

static sat_status encode_all(text_encoder *e, text_tower *tower, const encoding_work *w, progress *p, sat_error *error)
{
    const size_t most_ids = TOKENS_AT_ONCE > e->sizes.longest ? TOKENS_AT_ONCE : (size_t)e->sizes.longest;
    int32_t *ids = malloc(most_ids * sizeof *ids);
    float *vectors =
        malloc(TOKENS_AT_ONCE / 2 * (size_t)e->sizes.output_width * sizeof *vectors); /* a text has 2 tokens */
    sat_status status = ids && vectors ? SAT_OK : sat_fail(error, SAT_NO_MEMORY, "no memory for the prompts");
    for (size_t i = 0; i < w->count && status == SAT_OK;) {
        size_t count = 1;
        const size_t tokens = (size_t)w->texts[i].tokens;
        while ((count + 1) * tokens <= TOKENS_AT_ONCE && i + count < w->count &&
               (size_t)w->texts[i + count].tokens == tokens)
            count++;
        status = encode_some(e, tower, w, i, count, ids, vectors, error);
        i += count;
        progress_add(p, count);
        if (status == SAT_OK) status = progress_check(p, error);
    }
    free(ids);
    free(vectors);
    return status;
}

static sat_status encode(text_encoder *e, const encoding_work *w, progress *p, sat_error *error)
{
    if (w->count == 0) return SAT_OK;
    const double start = clock_seconds();
    text_tower *tower = NULL;
    progress_begin(p, "prompts", w->count);
    sat_status status = text_tower_open(&e->sizes, &e->weights, e->threads, &tower, error);
    if (status == SAT_OK) status = encode_all(e, tower, w, p, error);
    text_tower_close(tower);
    progress_end(p);
    e->report.seconds += clock_seconds() - start;
    query_cache_save(e->cache, &e->report.cache); /* what was done before a failure is kept too */
    return status;
}

sat_status text_encoder_features(text_encoder *e, const char *const *prompts, size_t count, float *features,
                                 progress *p, sat_error *error)
{
    encoding_work work = {0};
    if (count == 0) return SAT_OK;
    sat_status status = find_work(e, prompts, count, features, &work, error);
    if (status == SAT_OK) status = encode(e, &work, p, error);
    for (size_t i = 0; i < count && status == SAT_OK; i++)
        query_cache_find(e->cache, work.lower[i], work.bytes[i], features + i * (size_t)e->sizes.output_width);
    if (status == SAT_OK) e->report.remembered += count - work.count;
    work_free(&work);
    return status;
}

sat_status text_encoder_queries(text_encoder *e, const char *const *prompts, size_t count, int modality, float *queries,
                                progress *p, sat_error *error)
{
    const size_t width = (size_t)e->sizes.output_width;
    if (modality < 0 || modality >= MODALITIES)
        return sat_fail(error, SAT_BAD_ARGUMENT, "modality row %d does not exist; use ct, mri, us or pet", modality);
    const sat_status status = text_encoder_features(e, prompts, count, queries, p, error);
    for (size_t i = 0; i < count && status == SAT_OK; i++)
        for (size_t c = 0; c < width; c++)
            queries[i * width + c] += e->modalities[(size_t)modality * width + c];
    return status;
}

sat_status text_encoder_bytes(text_encoder *e, const char *const *prompts, size_t count, size_t *bytes,
                              sat_error *error)
{
    encoding_work work = {0};
    text_tower *tower = NULL;
    float *spare = malloc((size_t)e->sizes.output_width * sizeof *spare);
    sat_status status = spare ? SAT_OK : sat_fail(error, SAT_NO_MEMORY, "no memory for the prompts");
    *bytes = 0;
    if (status == SAT_OK) status = find_work(e, prompts, count, spare, &work, error);
    if (status == SAT_OK && work.count > 0) {
        status = text_tower_open(&e->sizes, &e->weights, e->threads, &tower, error);
        if (status == SAT_OK) status = text_tower_bytes(tower, work.texts[work.count - 1].tokens, bytes, error);
    }
    text_tower_close(tower);
    work_free(&work);
    free(spare);
    return status;
}
