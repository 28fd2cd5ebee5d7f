#include "text/tower.h"
#include "text/positions.h"

#include "base/arena.h"
#include "cpu/backend.h"
#include "tensor/plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Rows (tokens) that go through the layers together: enough to read each weight once for many products and to start
 * threads seldom, few enough for 30 MB of states at full size. Texts are never split. */
enum { ROWS_TOGETHER = 1024 };

/* ---------------------------------------------------------------- the graph */

/* Names inside a layer; `attention` are those of the projections Q, K, V and of the output. */
typedef struct tower_names {
    const char *prefix, *attention[4], *attention_norm;
} tower_names;

static const tower_names mpnet_names = {
    "text_tower.biolord.",
    {"attention.attn.q", "attention.attn.k", "attention.attn.v", "attention.attn.o"},
    "attention.LayerNorm"};
static const tower_names bert_names = {
    "model.",
    {"attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense"},
    "attention.output.LayerNorm"};

static const tower_names *names_of(text_kind kind) { return kind == TEXT_MPNET ? &mpnet_names : &bert_names; }

/* A graph in the making: where names go. */
typedef struct builder {
    graph *g;
    const text_sizes *sizes;
    char prefix[64]; /* of the part that is being built */
} builder;

static graph_value weight(builder *b, const char *name, const char *suffix, int rank, int64_t out, int64_t in)
{
    char full[GRAPH_NAME_MAX];
    snprintf(full, sizeof full, "%s%s", b->prefix, name);
    return graph_parameter(b->g, full, suffix, rank, (const int64_t[]){out, in});
}

static graph_value linear(builder *b, const char *name, graph_value x, int in, int out)
{
    const graph_value w = weight(b, name, ".weight", 2, out, in);
    return graph_linear(b->g, x, w, weight(b, name, ".bias", 1, out, 0));
}

static graph_value layer_norm(builder *b, const char *name, graph_value x)
{
    const graph_value gain = weight(b, name, ".weight", 1, b->sizes->width, 0);
    const graph_value bias = weight(b, name, ".bias", 1, b->sizes->width, 0);
    return graph_layer_norm(b->g, x, gain, bias, (float)b->sizes->layer_norm_epsilon);
}

/* x = norm(attention(x) + x); x = norm(feed-forward(x) + x) */
static graph_value layer(builder *b, const tower_names *names, int n, graph_value x, graph_value bias, int texts)
{
    const text_sizes *s = b->sizes;
    snprintf(b->prefix, sizeof b->prefix, "%sencoder.layer.%d.", names->prefix, n);
    const graph_value q = linear(b, names->attention[0], x, s->width, s->width);
    const graph_value k = linear(b, names->attention[1], x, s->width, s->width);
    const graph_value v = linear(b, names->attention[2], x, s->width, s->width);
    const graph_value mixed = graph_attention(b->g, q, k, v, bias, s->heads, texts);
    x = graph_add(b->g, linear(b, names->attention[3], mixed, s->width, s->width), x);
    x = layer_norm(b, names->attention_norm, x);
    const graph_value hidden = graph_gelu(b->g, linear(b, "intermediate.dense", x, s->width, s->feed_forward));
    x = graph_add(b->g, linear(b, "output.dense", hidden, s->feed_forward, s->width), x);
    return layer_norm(b, "output.LayerNorm", x);
}

static void keep_stage(builder *b, bool wanted, int number, graph_value x)
{
    char name[32];
    snprintf(name, sizeof name, TEXT_TOWER_STAGE, number);
    if (wanted) graph_output(b->g, name, x);
}

void text_tower_build(const text_sizes *s, const text_tower_batch *batch, bool with_stages, graph *g)
{
    const tower_names *names = names_of(s->kind);
    const bool mpnet = s->kind == TEXT_MPNET;
    builder b = {.g = g, .sizes = s};
    graph_value bias = GRAPH_NONE;
    if (mpnet)
        bias = graph_input_attention_bias(g, TEXT_TOWER_BIAS, batch->masked ? batch->texts : 1, s->heads, batch->tokens,
                                          batch->tokens);
    graph_value x = graph_input_matrix(g, TEXT_TOWER_EMBEDDINGS, (int64_t)batch->texts * batch->tokens, s->width);
    snprintf(b.prefix, sizeof b.prefix, "%s", names->prefix);
    x = layer_norm(&b, "embeddings.LayerNorm", x);
    keep_stage(&b, with_stages, 0, x);
    for (int n = 0; n < s->layers; n++) {
        x = layer(&b, names, n, x, bias, batch->texts);
        keep_stage(&b, with_stages, n + 1, x);
    }
    x = graph_pool_rows(g, x, graph_input_matrix(g, TEXT_TOWER_WEIGHTS, batch->texts, batch->tokens));
    if (mpnet) {
        b.prefix[0] = 0;
        x = graph_gelu(g, linear(&b, "projection_layer.0", x, s->width, s->projection_hidden));
        x = linear(&b, "projection_layer.2", x, s->projection_hidden, s->output_width);
    }
    graph_output(g, TEXT_TOWER_FEATURES, x);
}

/* ---------------------------------------------------------------- inputs */

/* One batch size, planned: what runs of it need. */
typedef struct prepared {
    text_tower_batch batch;
    graph network;
    plan *steps;
    arena memory;
    float *embeddings, *bias, *weights, *spare;
    int32_t *rows;
} prepared;

struct text_tower {
    text_sizes sizes;
    weight_source source;
    weight_store *store;
    int threads;
    bool has_tables;
    weight_view words, positions; /* [vocabulary][width] and [positions][width] as they lie, looked up row by row */
    float *token_type;            /* [width], BERT; NULL for MPNet     */
    float *relative;              /* [32][heads], MPNet; NULL for BERT */
    prepared last;                /* of the last run: often the next has the same size */
};

static sat_status find(const text_tower *t, const char *name, int64_t rows, int64_t columns, weight_view *view,
                       sat_error *error)
{
    char full[GRAPH_NAME_MAX];
    snprintf(full, sizeof full, "%s%s", names_of(t->sizes.kind)->prefix, name);
    return t->source.find(&t->source, full, 2, (const int64_t[]){rows, columns}, view, error);
}

/* A small table as float32; `take` elements of it. */
static sat_status read_table(const text_tower *t, const char *name, int64_t rows, int64_t columns, size_t take,
                             float **values, sat_error *error)
{
    weight_view view;
    sat_status status = find(t, name, rows, columns, &view, error);
    if (status != SAT_OK) return status;
    if (!*values) *values = malloc(take * sizeof **values);
    if (*values)
        elements_to_float(view.type, view.data, take, *values);
    else
        status = sat_fail(error, SAT_NO_MEMORY, "no memory for the table %s", name);
    t->source.release(&t->source, &view);
    return status;
}

static sat_status read_tables(text_tower *t, sat_error *error)
{
    const text_sizes *s = &t->sizes;
    if (t->has_tables) return SAT_OK;
    sat_status status = SAT_OK;
    if (s->kind == TEXT_BERT)
        status = read_table(t, "embeddings.token_type_embeddings.weight", 2, s->width, (size_t)s->width, &t->token_type,
                            error);
    else
        status = read_table(t, "encoder.relative_attention_bias.weight", POSITION_BUCKETS, s->heads,
                            (size_t)POSITION_BUCKETS * (size_t)s->heads, &t->relative, error);
    if (status == SAT_OK)
        status = find(t, "embeddings.position_embeddings.weight", s->positions, s->width, &t->positions, error);
    if (status != SAT_OK) return status;
    status = find(t, "embeddings.word_embeddings.weight", s->vocabulary, s->width, &t->words, error);
    t->has_tables = status == SAT_OK;
    if (!t->has_tables) t->source.release(&t->source, &t->positions);
    return status;
}

static void read_row(const weight_view *table, int64_t row, int width, float *values)
{
    const size_t pitch = (size_t)width * element_bytes(table->type);
    elements_to_float(table->type, (const unsigned char *)table->data + (size_t)row * pitch, (size_t)width, values);
}

/* word + token type + position, in this order. `rows`: room for `tokens` numbers, `spare`: for a row. */
static void embed(const text_tower *t, const int32_t *ids, int tokens, int32_t *rows, float *spare, float *out)
{
    const int width = t->sizes.width;
    position_rows(t->sizes.kind, ids, tokens, rows);
    for (int i = 0; i < tokens; i++, out += width) {
        read_row(&t->words, ids[i], width, out);
        read_row(&t->positions, rows[i], width, spare);
        for (int c = 0; c < width; c++)
            out[c] = (t->token_type ? out[c] + t->token_type[c] : out[c]) + spare[c];
    }
}

/* MPNet: the mean over the tokens that count. BERT: the first token alone. */
static void weigh_tokens(text_kind kind, const int32_t *ids, int tokens, float *weights)
{
    int counting = 0;
    for (int i = 0; i < tokens; i++)
        counting += position_counts(kind, ids[i]);
    for (int i = 0; i < tokens; i++)
        if (kind == TEXT_BERT)
            weights[i] = i == 0 ? 1.0f : 0.0f;
        else
            weights[i] = position_counts(kind, ids[i]) ? 1.0f / (float)counting : 0.0f;
}

/* ---------------------------------------------------------------- running */

static size_t bias_count(const text_tower *t, const text_tower_batch *b)
{
    if (t->sizes.kind != TEXT_MPNET) return 0;
    return (size_t)(b->masked ? b->texts : 1) * (size_t)t->sizes.heads * (size_t)b->tokens * (size_t)b->tokens;
}

/* Bytes of the arena: the plan's own, and the inputs. */
static size_t batch_bytes(const text_tower *t, const prepared *p)
{
    const size_t rows = (size_t)p->batch.texts * (size_t)p->batch.tokens, width = (size_t)t->sizes.width;
    return arena_bytes(plan_bytes(p->steps), 1) + arena_bytes(rows * width, sizeof(float)) +
           arena_bytes(bias_count(t, &p->batch), sizeof(float)) + arena_bytes(rows, sizeof(float)) +
           arena_bytes(width, sizeof(float)) + arena_bytes((size_t)p->batch.tokens, sizeof(int32_t));
}

static sat_status plan_batch(text_tower *t, const text_tower_batch *batch, prepared *p, sat_error *error)
{
    p->batch = *batch;
    graph_begin(&p->network);
    text_tower_build(&t->sizes, batch, false, &p->network);
    return plan_build(&p->network, cpu_backend(), t->store, ELEMENT_FLOAT32, t->threads, &p->steps, error);
}

static sat_status prepare(text_tower *t, const text_tower_batch *batch, prepared *p, sat_error *error)
{
    sat_status status = read_tables(t, error);
    if (status == SAT_OK) status = plan_batch(t, batch, p, error);
    if (status == SAT_OK) status = weight_store_load(t->store, error);
    if (status == SAT_OK) status = arena_open(&p->memory, batch_bytes(t, p), error);
    if (status != SAT_OK) return status;
    const size_t rows = (size_t)batch->texts * (size_t)batch->tokens, width = (size_t)t->sizes.width;
    plan_attach(p->steps, arena_take(&p->memory, plan_bytes(p->steps), 1));
    p->embeddings = arena_take(&p->memory, rows * width, sizeof(float));
    p->bias = arena_take(&p->memory, bias_count(t, batch), sizeof(float));
    p->weights = arena_take(&p->memory, rows, sizeof(float));
    p->spare = arena_take(&p->memory, width, sizeof(float));
    p->rows = arena_take(&p->memory, (size_t)batch->tokens, sizeof(int32_t));
    plan_bind(p->steps, TEXT_TOWER_EMBEDDINGS, p->embeddings);
    plan_bind(p->steps, TEXT_TOWER_WEIGHTS, p->weights);
    if (t->sizes.kind == TEXT_MPNET) plan_bind(p->steps, TEXT_TOWER_BIAS, p->bias);
    return SAT_OK;
}

static void prepared_free(prepared *p)
{
    plan_free(p->steps);
    graph_free(&p->network);
    arena_close(&p->memory);
    *p = (prepared){0};
}

static sat_status run_batch(const text_tower *t, prepared *p, const int32_t *ids, float *features, sat_error *error)
{
    const int tokens = p->batch.tokens, texts = p->batch.texts;
    const size_t bias_of_text = (size_t)t->sizes.heads * (size_t)tokens * (size_t)tokens;
    for (int i = 0; i < texts; i++) {
        const int32_t *text_ids = ids + (ptrdiff_t)i * tokens;
        embed(t, text_ids, tokens, p->rows, p->spare, p->embeddings + (ptrdiff_t)i * tokens * t->sizes.width);
        weigh_tokens(t->sizes.kind, text_ids, tokens, p->weights + (ptrdiff_t)i * tokens);
        if (t->relative && p->batch.masked)
            position_bias(t->relative, t->sizes.heads, text_ids, tokens, p->bias + (size_t)i * bias_of_text);
    }
    if (t->relative && !p->batch.masked) position_bias(t->relative, t->sizes.heads, NULL, tokens, p->bias);
    const sat_status status = plan_run(p->steps, NULL, error);
    if (status != SAT_OK) return status;
    const plan_value value = plan_output(p->steps, TEXT_TOWER_FEATURES);
    memcpy(features, value.data, (size_t)texts * (size_t)t->sizes.output_width * sizeof *features);
    return SAT_OK;
}

static bool any_masked(text_kind kind, const int32_t *ids, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!position_counts(kind, ids[i])) return true;
    return false;
}

static bool same_batch(const text_tower_batch *a, const text_tower_batch *b)
{
    return a->texts == b->texts && a->tokens == b->tokens && a->masked == b->masked;
}

sat_status text_tower_run(text_tower *t, const int32_t *ids, int texts, int tokens, float *features, sat_error *error)
{
    const int together = tokens < ROWS_TOGETHER ? ROWS_TOGETHER / tokens : 1;
    prepared *p = &t->last;
    sat_status status = SAT_OK;
    for (int i = 0; i < texts && status == SAT_OK; i += together) {
        const int32_t *these = ids + (ptrdiff_t)i * tokens;
        text_tower_batch batch = {.texts = texts - i < together ? texts - i : together, .tokens = tokens};
        batch.masked = any_masked(t->sizes.kind, these, (size_t)batch.texts * (size_t)tokens);
        if (!p->memory.memory || !same_batch(&p->batch, &batch)) {
            prepared_free(p);
            status = prepare(t, &batch, p, error);
        }
        if (status == SAT_OK) status = run_batch(t, p, these, features + (ptrdiff_t)i * t->sizes.output_width, error);
    }
    return status;
}

/* ---------------------------------------------------------------- opening and closing */

sat_status text_tower_open(const text_sizes *sizes, const weight_source *weights, int threads, text_tower **made,
                           sat_error *error)
{
    text_tower *t = calloc(1, sizeof *t);
    *made = NULL;
    if (!t) return sat_fail(error, SAT_NO_MEMORY, "no memory for the text encoder");
    *t = (text_tower){.sizes = *sizes, .source = *weights, .threads = threads};
    const sat_status status = weight_store_make(weights, &t->store, error);
    if (status == SAT_OK)
        *made = t;
    else
        text_tower_close(t);
    return status;
}

void text_tower_close(text_tower *t)
{
    if (!t) return;
    prepared_free(&t->last);
    if (t->has_tables) t->source.release(&t->source, &t->words);
    if (t->has_tables) t->source.release(&t->source, &t->positions);
    weight_store_free(t->store);
    free(t->token_type);
    free(t->relative);
    free(t);
}

sat_status text_tower_bytes(text_tower *t, int tokens, size_t *bytes, sat_error *error)
{
    prepared p = {0};
    const text_tower_batch batch = {
        .texts = tokens < ROWS_TOGETHER ? ROWS_TOGETHER / tokens : 1, .tokens = tokens, .masked = true};
    const size_t rows = (size_t)t->sizes.vocabulary + (size_t)t->sizes.positions; /* of tables that a generator makes */
    const sat_status status = plan_batch(t, &batch, &p, error);
    if (status == SAT_OK)
        *bytes = batch_bytes(t, &p) + weight_store_bytes(t->store) + weight_store_temporary_bytes(t->store) +
                 (t->source.in_place ? 0 : rows * (size_t)t->sizes.width * sizeof(float));
    prepared_free(&p);
    return status;
}
