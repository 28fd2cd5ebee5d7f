#include "model/tensors.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *model_part_name(model_part part)
{
    static const char *const names[MODEL_PARTS] = {"encoder",          "decoder",       "projection", "query_decoder",
                                                   "query_projection", "mid_heads",     "mask_head",  "text_tower",
                                                   "text_projection",  "modality_codes"};
    return names[part];
}

/* A list under construction; the first failure to grow makes the rest do nothing. */
typedef struct list_builder {
    model_tensor_list *list;
    size_t capacity;
    bool failed;
    model_part part;
    model_tensor nowhere; /* takes the writes of callers after a failure */
} list_builder;

typedef struct tensor_shape {
    int dimensions;
    int64_t sizes[WEIGHT_DIMENSIONS_MAX];
} tensor_shape;

static tensor_shape shape1(int64_t a) { return (tensor_shape){1, {a}}; }
static tensor_shape shape2(int64_t a, int64_t b) { return (tensor_shape){2, {a, b}}; }
static tensor_shape shape_cube(int64_t a, int64_t b, int64_t side)
{
    return (tensor_shape){5, {a, b, side, side, side}};
}

__attribute__((format(printf, 3, 4))) static model_tensor *add(list_builder *b, tensor_shape shape, const char *format,
                                                               ...)
{
    if (b->list->count == b->capacity && !b->failed) {
        const size_t capacity = b->capacity ? 2 * b->capacity : 256;
        model_tensor *larger = realloc(b->list->tensors, capacity * sizeof *larger);
        b->failed = larger == NULL;
        if (larger) {
            b->list->tensors = larger;
            b->capacity = capacity;
        }
    }
    if (b->failed) return &b->nowhere;
    model_tensor *tensor = &b->list->tensors[b->list->count++];
    *tensor = (model_tensor){.part = b->part, .exact = shape.dimensions < 2, .dimensions = shape.dimensions};
    memcpy(tensor->shape, shape.sizes, sizeof tensor->shape);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(tensor->name, sizeof tensor->name, format, arguments);
    va_end(arguments);
    return tensor;
}

static sat_status finish(list_builder *b, sat_error *error)
{
    return b->failed ? sat_fail(error, SAT_NO_MEMORY, "no memory for the list of tensors") : SAT_OK;
}

/* `name`.weight (out, in) and `name`.bias (out). */
static void add_linear(list_builder *b, const char *name, int64_t out, int64_t in)
{
    add(b, shape2(out, in), "%s.weight", name);
    add(b, shape1(out), "%s.bias", name);
}

/* `name`.weight and `name`.bias, (width) each. */
static void add_norm(list_builder *b, const char *name, int64_t width)
{
    add(b, shape1(width), "%s.weight", name);
    add(b, shape1(width), "%s.bias", name);
}

/* `name`.0 and `name`.2, the linear layers of a perceptron whose activations have no weights. */
static void add_perceptron(list_builder *b, const char *name, int64_t in, int64_t hidden, int64_t out)
{
    char layer[MODEL_NAME_MAX];
    snprintf(layer, sizeof layer, "%s.0", name);
    add_linear(b, layer, hidden, in);
    snprintf(layer, sizeof layer, "%s.2", name);
    add_linear(b, layer, out, hidden);
}

/* Convolutions with their instance norms; only the first sees another number of channels. */
static void add_blocks(list_builder *b, const char *stage, int count, int64_t in, int64_t out)
{
    for (int i = 0; i < count; i++) {
        add(b, shape_cube(out, i == 0 ? in : out, 3), "%s.convs.%d.conv.weight", stage, i);
        add(b, shape1(out), "%s.convs.%d.conv.bias", stage, i);
        add(b, shape1(out), "%s.convs.%d.norm.weight", stage, i);
        add(b, shape1(out), "%s.convs.%d.norm.bias", stage, i);
    }
}

static void add_backbone(list_builder *b, const vision_sizes *v)
{
    char stage[128];
    b->part = PART_ENCODER;
    for (int s = 0; s < v->stages; s++) {
        snprintf(stage, sizeof stage, "backbone.encoder.stages.%d.0", s);
        add_blocks(b, stage, v->convolutions_per_stage, s ? v->features[s - 1] : v->input_channels, v->features[s]);
    }
    b->part = PART_DECODER;
    for (int s = 0; s < v->stages - 1; s++) {
        const int64_t out = v->features[v->stages - 2 - s];
        snprintf(stage, sizeof stage, "backbone.decoder.stages.%d", s);
        add_blocks(b, stage, v->convolutions_per_stage, 2 * out, out);
    }
    for (int s = 0; s < v->stages - 1; s++) { /* input channels first */
        const int64_t in = v->features[v->stages - 1 - s], out = v->features[v->stages - 2 - s];
        add(b, shape_cube(in, out, 2), "backbone.decoder.transpconvs.%d.weight", s);
        add(b, shape1(out), "backbone.decoder.transpconvs.%d.bias", s);
    }
}

static void add_query_decoder(list_builder *b, const vision_sizes *v)
{
    const int64_t q = v->query_width;
    char name[128];
    b->part = PART_QUERY_DECODER;
    for (int l = 0; l < v->query_layers; l++) {
        add(b, shape2(3 * q, q), "transformer_decoder.layers.%d.multihead_attn.in_proj_weight", l); /* rows q, k, v */
        add(b, shape1(3 * q), "transformer_decoder.layers.%d.multihead_attn.in_proj_bias", l);
        snprintf(name, sizeof name, "transformer_decoder.layers.%d.multihead_attn.out_proj", l);
        add_linear(b, name, q, q);
        snprintf(name, sizeof name, "transformer_decoder.layers.%d.linear1", l);
        add_linear(b, name, v->query_feed_forward, q);
        snprintf(name, sizeof name, "transformer_decoder.layers.%d.linear2", l);
        add_linear(b, name, q, v->query_feed_forward);
        for (int n = 1; n <= 3;
             n++) { /* norm1 belongs to a self-attention that SAT does not have: stored, never used */
            snprintf(name, sizeof name, "transformer_decoder.layers.%d.norm%d", l, n);
            add_norm(b, name, q);
        }
    }
    add_norm(b, "transformer_decoder.norm", q);
}

sat_status model_tensors_vision(const vision_sizes *vision, model_tensor_list *list, sat_error *error)
{
    *list = (model_tensor_list){0};
    list_builder b = {.list = list};
    int64_t pooled = 0;
    for (int s = 0; s < vision->stages; s++)
        pooled += vision->features[s];
    add_backbone(&b, vision);
    if (!b.failed) list->tensors[0].exact = true; /* the first convolution */
    b.part = PART_TOKEN_PROJECTION;
    add_perceptron(&b, "projection_layer", pooled, vision->projection_hidden, vision->query_width);
    add_query_decoder(&b, vision);
    b.part = PART_QUERY_PROJECTION;
    if (vision->query_projection_hidden)
        add_perceptron(&b, "query_proj", vision->text_width, vision->query_projection_hidden, vision->query_width);
    b.part = PART_MID_HEADS;
    for (int i = 0; i < vision->mid_heads; i++) {
        char name[128];
        snprintf(name, sizeof name, "mid_mask_embed_proj.%d", i);
        add_perceptron(&b, name, vision->query_width, vision->mid_hidden[i], vision->features[i + 1]);
    }
    b.part = PART_MASK_HEAD;
    add_perceptron(&b, "mask_embed_proj", vision->query_width, vision->mask_hidden, vision->features[0]);
    return finish(&b, error);
}

/* The names inside one layer of the two kinds of tower. */
typedef struct layer_names {
    const char *tower, *projections[4], *attention_norm;
} layer_names;
static const layer_names mpnet_names = {"text_tower.biolord.", {"attn.q", "attn.k", "attn.v", "attn.o"}, "LayerNorm"};
static const layer_names bert_names = {
    "model.", {"self.query", "self.key", "self.value", "output.dense"}, "output.LayerNorm"};

static void add_tower_layer(list_builder *b, const text_sizes *t, const layer_names *names, int n)
{
    const int64_t width = t->width;
    char layer[64], name[128];
    snprintf(layer, sizeof layer, "%sencoder.layer.%d", names->tower, n);
    for (int i = 0; i < 4; i++) {
        snprintf(name, sizeof name, "%s.attention.%s", layer, names->projections[i]);
        add_linear(b, name, width, width);
    }
    snprintf(name, sizeof name, "%s.attention.%s", layer, names->attention_norm);
    add_norm(b, name, width);
    snprintf(name, sizeof name, "%s.intermediate.dense", layer);
    add_linear(b, name, t->feed_forward, width);
    snprintf(name, sizeof name, "%s.output.dense", layer);
    add_linear(b, name, width, t->feed_forward);
    snprintf(name, sizeof name, "%s.output.LayerNorm", layer);
    add_norm(b, name, width);
}

sat_status model_tensors_text(const text_sizes *text, model_tensor_list *list, sat_error *error)
{
    *list = (model_tensor_list){0};
    if (text->kind == TEXT_NONE) return SAT_OK;
    list_builder b = {.list = list, .part = PART_TEXT_TOWER};
    const bool mpnet = text->kind == TEXT_MPNET;
    const layer_names *names = mpnet ? &mpnet_names : &bert_names;
    const int64_t width = text->width;
    char name[128];
    add(&b, shape2(text->vocabulary, width), "%sembeddings.word_embeddings.weight", names->tower);
    add(&b, shape2(text->positions, width), "%sembeddings.position_embeddings.weight", names->tower)->exact = true;
    if (!mpnet) add(&b, shape2(2, width), "%sembeddings.token_type_embeddings.weight", names->tower)->exact = true;
    snprintf(name, sizeof name, "%sembeddings.LayerNorm", names->tower);
    add_norm(&b, name, width);
    for (int n = 0; n < text->layers; n++)
        add_tower_layer(&b, text, names, n);
    if (mpnet) add(&b, shape2(32, text->heads), "%sencoder.relative_attention_bias.weight", names->tower)->exact = true;
    add(&b, shape2(width, width), "%spooler.dense.weight", names->tower)->optional = true;
    add(&b, shape1(width), "%spooler.dense.bias", names->tower)->optional = true;
    b.part = PART_TEXT_PROJECTION;
    if (mpnet) add_perceptron(&b, "projection_layer", width, text->projection_hidden, text->output_width);
    b.part = PART_MODALITY;
    add(&b, shape2(text->modality_rows, text->output_width), "modality_embed.weight")->exact = true;
    return finish(&b, error);
}

void model_tensors_free(model_tensor_list *list)
{
    free(list->tensors);
    *list = (model_tensor_list){0};
}

int64_t model_tensor_elements(const model_tensor *tensor)
{
    int64_t elements = 1;
    for (int i = 0; i < tensor->dimensions; i++)
        elements *= tensor->shape[i];
    return elements;
}

int64_t model_tensors_parameters(const model_tensor_list *list, model_part part)
{
    int64_t sum = 0;
    for (size_t i = 0; i < list->count; i++)
        if (part == MODEL_PARTS || list->tensors[i].part == part) sum += model_tensor_elements(&list->tensors[i]);
    return sum;
}
