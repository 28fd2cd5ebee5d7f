#include "tests/support/plain_text_tower.h"
#include "tests/support/cmocka.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* L tokens, D width, F feed-forward, H heads; matrices are [row][column], weights (out, in). */

static double *doubles(size_t count)
{
    double *x = calloc(count, sizeof *x);
    assert_non_null(x);
    return x;
}

/* The tensor `prefix`[n]`name`, as double; the caller frees it. */
static double *tensor(const weight_source *weights, const char *prefix, int layer, const char *name, int64_t rows,
                      int64_t columns)
{
    char full[256];
    if (layer >= 0)
        snprintf(full, sizeof full, "%sencoder.layer.%d.%s", prefix, layer, name);
    else
        snprintf(full, sizeof full, "%s%s", prefix, name);
    const int64_t shape[2] = {rows, columns};
    weight_view view;
    sat_error error = {0};
    if (weights->find(weights, full, columns ? 2 : 1, shape, &view, &error) != SAT_OK) fail_msg("%s", error.message);
    const size_t count = (size_t)(rows * (columns ? columns : 1));
    float *values = malloc(count * sizeof *values);
    double *x = doubles(count);
    assert_non_null(values);
    elements_to_float(view.type, view.data, count, values);
    for (size_t i = 0; i < count; i++)
        x[i] = (double)values[i];
    free(values);
    weights->release(weights, &view);
    return x;
}

typedef struct tower {
    const text_sizes *sizes;
    const weight_source *weights;
    const char *prefix;
} tower;

/* y = x Wt + b */
static double *linear(const tower *t, int layer, const char *name, const double *x, int rows, int in, int out)
{
    char weight_name[200], bias_name[200];
    snprintf(weight_name, sizeof weight_name, "%s.weight", name);
    snprintf(bias_name, sizeof bias_name, "%s.bias", name);
    double *w = tensor(t->weights, t->prefix, layer, weight_name, out, in);
    double *b = tensor(t->weights, t->prefix, layer, bias_name, out, 0), *y = doubles((size_t)rows * (size_t)out);
    for (int r = 0; r < rows; r++)
        for (int o = 0; o < out; o++) {
            double sum = b[o];
            for (int i = 0; i < in; i++)
                sum += x[r * in + i] * w[(size_t)o * (size_t)in + (size_t)i];
            y[r * out + o] = sum;
        }
    free(w);
    free(b);
    return y;
}

static void layer_norm(const tower *t, int layer, const char *name, double *x, int rows)
{
    const int width = t->sizes->width;
    char weight_name[200], bias_name[200];
    snprintf(weight_name, sizeof weight_name, "%s.weight", name);
    snprintf(bias_name, sizeof bias_name, "%s.bias", name);
    double *gain = tensor(t->weights, t->prefix, layer, weight_name, width, 0);
    double *bias = tensor(t->weights, t->prefix, layer, bias_name, width, 0);
    for (int r = 0; r < rows; r++, x += width) {
        double mean = 0, variance = 0;
        for (int i = 0; i < width; i++)
            mean += x[i] / width;
        for (int i = 0; i < width; i++)
            variance += (x[i] - mean) * (x[i] - mean) / width;
        for (int i = 0; i < width; i++)
            x[i] = (x[i] - mean) / sqrt(variance + t->sizes->layer_norm_epsilon) * gain[i] + bias[i];
    }
    free(gain);
    free(bias);
}

static void gelu(double *x, int count)
{
    for (int i = 0; i < count; i++)
        x[i] = 0.5 * x[i] * (1 + erf(x[i] / sqrt(2)));
}

static void add_to(double *x, double *y, int count)
{
    for (int i = 0; i < count; i++)
        x[i] += y[i];
    free(y);
}

/* Bucket of key - query, by the release's formula with logarithms. */
static int bucket_of(int distance)
{
    const int size = abs(distance);
    int bucket = size;
    if (size >= 8) bucket = 8 + (int)(log(size / 8.0) / log(128 / 8.0) * 8 + 1e-9);
    if (bucket > 15) bucket = 15;
    return bucket + (distance > 0 ? 16 : 0);
}

/* softmax(Q Kt / sqrt(D / H) + bias) V, head by head. */
static double *attention(const tower *t, const double *q, const double *k, const double *v, const int32_t *ids,
                         int count)
{
    const int width = t->sizes->width, heads = t->sizes->heads, head = width / heads;
    const bool mpnet = t->sizes->kind == TEXT_MPNET;
    double *relative =
        mpnet ? tensor(t->weights, t->prefix, -1, "encoder.relative_attention_bias.weight", 32, heads) : NULL;
    double *out = doubles((size_t)(count * width)), *score = doubles((size_t)count);
    for (int h = 0; h < heads; h++)
        for (int i = 0; i < count; i++) {
            double largest = -INFINITY, sum = 0;
            for (int j = 0; j < count; j++) {
                score[j] = 0;
                for (int c = h * head; c < (h + 1) * head; c++)
                    score[j] += q[i * width + c] * k[j * width + c];
                score[j] /= sqrt(head);
                if (mpnet) score[j] = ids[j] == 0 ? -INFINITY : score[j] + relative[bucket_of(j - i) * heads + h];
                largest = fmax(largest, score[j]);
            }
            for (int j = 0; j < count; j++)
                sum += score[j] = exp(score[j] - largest);
            for (int j = 0; j < count; j++)
                for (int c = h * head; c < (h + 1) * head; c++)
                    out[i * width + c] += score[j] / sum * v[j * width + c];
        }
    free(score);
    free(relative);
    return out;
}

static double *embed(const tower *t, const int32_t *ids, int count)
{
    const text_sizes *s = t->sizes;
    const int width = s->width;
    double *words = tensor(t->weights, t->prefix, -1, "embeddings.word_embeddings.weight", s->vocabulary, width);
    double *positions = tensor(t->weights, t->prefix, -1, "embeddings.position_embeddings.weight", s->positions, width);
    double *types = s->kind == TEXT_BERT
                        ? tensor(t->weights, t->prefix, -1, "embeddings.token_type_embeddings.weight", 2, width)
                        : NULL;
    double *x = doubles((size_t)(count * width));
    for (int i = 0, real = 0; i < count; i++) {
        real += ids[i] != 1;
        const int position = s->kind == TEXT_BERT ? i : ids[i] == 1 ? 1 : 1 + real;
        for (int c = 0; c < width; c++)
            x[i * width + c] = words[ids[i] * width + c] + (types ? types[c] : 0) + positions[position * width + c];
    }
    free(words);
    free(positions);
    free(types);
    layer_norm(t, -1, "embeddings.LayerNorm", x, count);
    return x;
}

static void keep(float **stages, const double *x, int count)
{
    for (int i = 0; *stages && i < count; i++)
        (*stages)[i] = (float)x[i];
    if (*stages) *stages += count;
}

void plain_text_features(const text_sizes *s, const weight_source *weights, const int32_t *ids, int count,
                         double *features, float *stages)
{
    static const char *const names[2][5] = {
        {"attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense",
         "attention.output.LayerNorm"},
        {"attention.attn.q", "attention.attn.k", "attention.attn.v", "attention.attn.o", "attention.LayerNorm"}};
    const bool mpnet = s->kind == TEXT_MPNET;
    const char *const *name = names[mpnet];
    const tower t = {s, weights, mpnet ? "text_tower.biolord." : "model."};
    const int width = s->width, all = count * width;
    double *x = embed(&t, ids, count);
    keep(&stages, x, all);
    for (int n = 0; n < s->layers; n++) {
        double *q = linear(&t, n, name[0], x, count, width, width), *k = linear(&t, n, name[1], x, count, width, width);
        double *v = linear(&t, n, name[2], x, count, width, width), *a = attention(&t, q, k, v, ids, count);
        add_to(x, linear(&t, n, name[3], a, count, width, width), all);
        layer_norm(&t, n, name[4], x, count);
        double *hidden = linear(&t, n, "intermediate.dense", x, count, width, s->feed_forward);
        gelu(hidden, count * s->feed_forward);
        add_to(x, linear(&t, n, "output.dense", hidden, count, s->feed_forward, width), all);
        layer_norm(&t, n, "output.LayerNorm", x, count);
        keep(&stages, x, all);
        free(q);
        free(k);
        free(v);
        free(a);
        free(hidden);
    }
    if (mpnet) {
        const tower projection = {s, weights, ""};
        double *mean = doubles((size_t)width), counted = 0;
        for (int i = 0; i < count; i++)
            counted += ids[i] > 0;
        for (int i = 0; i < count; i++)
            for (int c = 0; c < width && ids[i] > 0; c++)
                mean[c] += x[i * width + c] / counted;
        double *hidden = linear(&projection, -1, "projection_layer.0", mean, 1, width, s->projection_hidden);
        gelu(hidden, s->projection_hidden);
        double *projected =
            linear(&projection, -1, "projection_layer.2", hidden, 1, s->projection_hidden, s->output_width);
        memcpy(features, projected, (size_t)s->output_width * sizeof *features);
        free(mean);
        free(hidden);
        free(projected);
    } else {
        memcpy(features, x, (size_t)width * sizeof *features);
    }
    free(x);
}
