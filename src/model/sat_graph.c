#include "model/sat_graph.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Fixed by the release, not by the checkpoint (model.md, Order of operations). */
static const float norm_epsilon = 1e-5f, leaky_slope = 0.01f;

void sat_graph_name(char *name, const char *stem, int number) { snprintf(name, GRAPH_NAME_MAX, "%s%d", stem, number); }

/* ---------------------------------------------------------------- pieces */

static graph_value vector(graph *g, const char *name, const char *suffix, int64_t size)
{
    return graph_parameter(g, name, suffix, 1, &size);
}

static graph_value matrix(graph *g, const char *name, const char *suffix, int64_t rows, int64_t columns)
{
    return graph_parameter(g, name, suffix, 2, (const int64_t[]){rows, columns});
}

static int64_t width_of(const graph *g, graph_value v)
{
    if (v < 0) return 1; /* after a failure: graph_check tells */
    const graph_shape *s = &g->nodes[v].shape;
    return s->size[s->rank - 1];
}

static graph_value linear_layer(graph *g, graph_value x, const char *name, int64_t out)
{
    return graph_linear(g, x, matrix(g, name, ".weight", out, width_of(g, x)), vector(g, name, ".bias", out));
}

/* Linear, GELU, Linear, GELU: `stem`.0 and `stem`.2. */
static graph_value two_layers(graph *g, graph_value x, const char *stem, int64_t hidden, int64_t out)
{
    char name[GRAPH_NAME_MAX];
    snprintf(name, sizeof name, "%.80s.0", stem);
    x = graph_gelu(g, linear_layer(g, x, name, hidden));
    snprintf(name, sizeof name, "%.80s.2", stem);
    return graph_gelu(g, linear_layer(g, x, name, out));
}

/* A run of blocks, each convolution, instance norm, LeakyReLU; `stem` is what stands before ".convs". */
static graph_value block_run(graph *g, graph_value x, const char *stem, int count, int64_t channels, int first_stride)
{
    for (int i = 0; i < count; i++) {
        char name[GRAPH_NAME_MAX];
        snprintf(name, sizeof name, "%s.convs.%d", stem, i);
        const int64_t weight[5] = {channels, width_of(g, x), 3, 3, 3};
        x = graph_convolution3d(g, x, graph_parameter(g, name, ".conv.weight", 5, weight), vector(g, name, ".conv.bias", channels),
                                i == 0 ? first_stride : 1);
        x = graph_instance_norm(g, x, vector(g, name, ".norm.weight", channels), vector(g, name, ".norm.bias", channels),
                                norm_epsilon);
        x = graph_leaky_relu(g, x, leaky_slope);
    }
    return x;
}

static void tap(graph *g, bool wanted, const char *stem, int number, graph_value v)
{
    char name[GRAPH_NAME_MAX];
    sat_graph_name(name, stem, number);
    if (wanted) graph_output(g, name, v);
}

/* ---------------------------------------------------------------- the image */

int sat_graph_tokens(const model_description *model)
{
    int tokens = 1;
    for (int a = 0; a < 3; a++)
        tokens *= model->window[a] >> (model->vision.stages - 1);
    return tokens;
}

/* maps[s], finest first, and each one's mean over the cells of the coarsest grid, pooled[s]. A map is pooled where it is
 * made, so that the tokens don't keep it alive. */
static void encoder(graph *g, const model_description *model, graph_value *maps, graph_value *pooled, bool taps)
{
    const vision_sizes *v = &model->vision;
    graph_value x = graph_repeat_channels(g, graph_input_map(g, "image", model->window, 1), v->input_channels);
    for (int s = 0; s < v->stages; s++) {
        char stem[GRAPH_NAME_MAX];
        snprintf(stem, sizeof stem, "backbone.encoder.stages.%d.0", s);
        x = block_run(g, x, stem, v->convolutions_per_stage, v->features[s], s == 0 ? 1 : 2);
        maps[s] = x;
        pooled[s] = graph_average_pool(g, x, 1 << (v->stages - 1 - s));
        tap(g, taps, "encoder.", s, x);
    }
}

/* Coarsest first; decoder stage s works on encoder level stages - 2 - s. Returns the map of full resolution, P0. */
static graph_value decoder(graph *g, const vision_sizes *v, const graph_value *maps, bool taps)
{
    graph_value x = maps[v->stages - 1];
    for (int s = 0; s < v->stages - 1; s++) {
        const int level = v->stages - 2 - s;
        char name[GRAPH_NAME_MAX];
        snprintf(name, sizeof name, "backbone.decoder.transpconvs.%d", s);
        const int64_t weight[5] = {width_of(g, x), v->features[level], 2, 2, 2};
        const graph_value up = graph_transposed_convolution3d(g, x, graph_parameter(g, name, ".weight", 5, weight),
                                                              vector(g, name, ".bias", v->features[level]));
        snprintf(name, sizeof name, "backbone.decoder.stages.%d", s);
        x = block_run(g, graph_concatenate(g, (const graph_value[]){up, maps[level]}, 2), name, v->convolutions_per_stage,
                      v->features[level], 1);
        tap(g, taps, "decoder.", level, x);
    }
    return x;
}

/* The packed input projection's rows: queries, then keys, then values. */
static graph_value packed_projection(graph *g, graph_value x, int layer, int which, int width)
{
    char name[GRAPH_NAME_MAX];
    snprintf(name, sizeof name, "transformer_decoder.layers.%d.multihead_attn.in_proj", layer);
    const graph_value weight = matrix(g, name, "_weight", 3 * (int64_t)width, width);
    const graph_value bias = vector(g, name, "_bias", 3 * (int64_t)width);
    return graph_linear(g, x, graph_slice_rows(g, weight, which * width, width), graph_slice_rows(g, bias, which * width, width));
}

void sat_graph_image(graph *g, const model_description *model, bool taps)
{
    const vision_sizes *v = &model->vision;
    graph_value maps[MODEL_STAGES_MAX], pooled[MODEL_STAGES_MAX];
    encoder(g, model, maps, pooled, taps);
    const graph_value tokens = two_layers(g, graph_concatenate(g, pooled, v->stages), "projection_layer", v->projection_hidden,
                                          v->query_width);
    if (taps) graph_output(g, "tokens", tokens);
    /* Keys see tokens and position, values tokens alone; neither depends on the query (model.md, step 7). */
    const graph_value placed = graph_add(g, tokens, graph_input_matrix(g, "position", sat_graph_tokens(model), v->query_width));
    for (int l = 0; l < v->query_layers; l++) {
        tap(g, true, "keys.", l, packed_projection(g, placed, l, 1, v->query_width));
        tap(g, true, "values.", l, packed_projection(g, tokens, l, 2, v->query_width));
    }
    graph_output(g, "features", decoder(g, v, maps, taps));
}

/* ---------------------------------------------------------------- the queries */

static graph_value layer_normed(graph *g, graph_value x, const char *name)
{
    const int64_t width = width_of(g, x);
    return graph_layer_norm(g, x, vector(g, name, ".weight", width), vector(g, name, ".bias", width), norm_epsilon);
}

/* x += Attention(LN2(x), keys, values); x += W2 ReLU(W1 LN3(x)). norm1 is stored by the release and never used. */
static graph_value decoder_layer(graph *g, const vision_sizes *v, graph_value x, int l, int tokens)
{
    char stem[GRAPH_NAME_MAX / 2], name[GRAPH_NAME_MAX], keys[GRAPH_NAME_MAX], values[GRAPH_NAME_MAX];
    snprintf(stem, sizeof stem, "transformer_decoder.layers.%d", l);
    sat_graph_name(keys, "keys.", l);
    sat_graph_name(values, "values.", l);
    snprintf(name, sizeof name, "%s.norm2", stem);
    const graph_value q = packed_projection(g, layer_normed(g, x, name), l, 0, v->query_width);
    const graph_value mixed = graph_attention(g, q, graph_input_matrix(g, keys, tokens, v->query_width),
                                              graph_input_matrix(g, values, tokens, v->query_width), GRAPH_NONE, v->query_heads, 1);
    snprintf(name, sizeof name, "%s.multihead_attn.out_proj", stem);
    x = graph_add(g, x, linear_layer(g, mixed, name, v->query_width));
    snprintf(name, sizeof name, "%s.norm3", stem);
    graph_value hidden = layer_normed(g, x, name);
    snprintf(name, sizeof name, "%s.linear1", stem);
    hidden = graph_relu(g, linear_layer(g, hidden, name, v->query_feed_forward));
    snprintf(name, sizeof name, "%s.linear2", stem);
    return graph_add(g, x, linear_layer(g, hidden, name, v->query_width));
}

void sat_graph_queries(graph *g, const model_description *model, int queries, bool taps)
{
    const vision_sizes *v = &model->vision;
    graph_value x = graph_input_matrix(g, "queries", queries, v->text_width);
    if (v->query_projection_hidden) x = two_layers(g, x, "query_proj", v->query_projection_hidden, v->query_width);
    for (int l = 0; l < v->query_layers; l++)
        x = decoder_layer(g, v, x, l, sat_graph_tokens(model));
    x = layer_normed(g, x, "transformer_decoder.norm");
    if (taps) graph_output(g, "decoded", x);
    graph_output(g, "embedding", two_layers(g, x, "mask_embed_proj", v->mask_hidden, v->features[0]));
    for (int i = 0; taps && i < v->mid_heads; i++) {
        char name[GRAPH_NAME_MAX];
        sat_graph_name(name, "mid_mask_embed_proj.", i);
        tap(g, true, "embedding_mid.", i, two_layers(g, x, name, v->mid_hidden[i], v->features[i + 1]));
    }
}

/* ---------------------------------------------------------------- where a token is */

void sat_position_code(const int tokens_xyz[3], int width, float *code)
{
    /* c channels an axis, c = 2 ceil(width / 6): sine and cosine by turns; the three axes side by side, cut at width. */
    const int c = 2 * ((width + 5) / 6);
    for (int x = 0; x < tokens_xyz[0]; x++)
        for (int y = 0; y < tokens_xyz[1]; y++)
            for (int z = 0; z < tokens_xyz[2]; z++)
                for (int q = 0; q < width; q++) {
                    const int axis = q / c, i = q % c / 2;
                    const float position = (float)(axis == 0 ? x : axis == 1 ? y : z);
                    const float frequency = 1.0f / powf(10000.0f, (float)(2 * i) / (float)c);
                    const float angle = position * frequency;
                    *code++ = q % 2 ? cosf(angle) : sinf(angle);
                }
}
