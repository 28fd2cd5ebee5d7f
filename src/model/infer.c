#include "model/infer.h"

#include <stdio.h>

static const char mpnet_tower[] = "text_tower.biolord.", bert_tower[] = "model.";

static bool holds(const state_table *state, const char *prefix, const char *name)
{
    return state_size(state, 0, "%s%s", prefix, name) > 0;
}

/* What is being looked for, in the words of messages. */
static const char vision_network[] = "vision network", text_encoder[] = "text encoder";

/* Says which tensor is missing, and whether the other kind of checkpoint was given. */
static sat_status lacks(const state_table *state, const char *what, const char *name, sat_error *error)
{
    const char *hint = "is this the right file?";
    if (what == vision_network && (holds(state, mpnet_tower, "embeddings.word_embeddings.weight") ||
                                   holds(state, bert_tower, "embeddings.word_embeddings.weight")))
        hint = "this is a text encoder, which belongs to --text";
    if (what == text_encoder && holds(state, "", "backbone.encoder.stages.0.0.convs.0.conv.weight"))
        hint = "this is a vision network, which belongs to --model";
    return sat_fail(error, SAT_BAD_INPUT,
                    "the checkpoint lacks the tensor %s, without which no %s can be recognised: %s", name, what, hint);
}

typedef struct needed_size {
    int *size;
    int dimension;
    const char *name;
} needed_size;

static sat_status infer_sizes(const state_table *state, const char *what, const char *prefix, const needed_size *needed,
                              size_t count, sat_error *error)
{
    for (size_t i = 0; i < count; i++) {
        char name[MODEL_NAME_MAX];
        snprintf(name, sizeof name, "%s%s", prefix, needed[i].name);
        *needed[i].size = state_size(state, needed[i].dimension, "%s", name);
        if (*needed[i].size == 0) return lacks(state, what, name, error);
    }
    return SAT_OK;
}

sat_status infer_vision(const state_table *state, vision_sizes *v, sat_error *error)
{
    const int query_heads = v->query_heads;
    *v = (vision_sizes){.query_heads = query_heads};
    const needed_size needed[] = {
        {&v->input_channels, 1, "backbone.encoder.stages.0.0.convs.0.conv.weight"},
        {&v->projection_hidden, 0, "projection_layer.0.weight"},
        {&v->query_width, 0, "projection_layer.2.weight"},
        {&v->query_feed_forward, 0, "transformer_decoder.layers.0.linear1.weight"},
        {&v->mask_hidden, 0, "mask_embed_proj.0.weight"},
    };
    const sat_status status = infer_sizes(state, vision_network, "", needed, sizeof needed / sizeof *needed, error);
    if (status != SAT_OK) return status;

    int width;
    while ((width = state_size(state, 0, "backbone.encoder.stages.%d.0.convs.0.conv.weight", v->stages)) > 0) {
        if (v->stages == MODEL_STAGES_MAX)
            return sat_fail(error, SAT_BAD_INPUT, "the network has more than the %d stages that are supported",
                            MODEL_STAGES_MAX);
        v->features[v->stages++] = width;
    }
    while (state_size(state, 0, "backbone.encoder.stages.0.0.convs.%d.conv.weight", v->convolutions_per_stage) > 0)
        v->convolutions_per_stage++;
    while (state_size(state, 0, "transformer_decoder.layers.%d.linear1.weight", v->query_layers) > 0)
        v->query_layers++;
    while (v->mid_heads < MODEL_MID_HEADS_MAX &&
           (width = state_size(state, 0, "mid_mask_embed_proj.%d.0.weight", v->mid_heads)) > 0)
        v->mid_hidden[v->mid_heads++] = width;
    v->query_projection_hidden = state_size(state, 0, "query_proj.0.weight");
    v->text_width = v->query_projection_hidden ? state_size(state, 1, "query_proj.0.weight") : v->query_width;
    return SAT_OK;
}

sat_status infer_text(const state_table *state, text_sizes *t, sat_error *error)
{
    const bool bert = holds(state, bert_tower, "embeddings.word_embeddings.weight");
    const char *tower = bert ? bert_tower : mpnet_tower;
    const int heads = t->heads;
    *t = (text_sizes){.kind = bert ? TEXT_BERT : TEXT_MPNET,
                      .heads = heads,
                      .longest = bert ? 64 : 256,
                      .layer_norm_epsilon = bert ? 1e-12 : 1e-5};
    const needed_size needed[] = {
        {&t->vocabulary, 0, "embeddings.word_embeddings.weight"},
        {&t->width, 1, "embeddings.word_embeddings.weight"},
        {&t->positions, 0, "embeddings.position_embeddings.weight"},
        {&t->feed_forward, 0, "encoder.layer.0.intermediate.dense.weight"},
    };
    sat_status status = infer_sizes(state, text_encoder, tower, needed, sizeof needed / sizeof *needed, error);
    const needed_size modality[] = {
        {&t->modality_rows, 0, "modality_embed.weight"},
        {&t->output_width, 1, "modality_embed.weight"},
    };
    if (status == SAT_OK) status = infer_sizes(state, text_encoder, "", modality, 2, error);
    const needed_size mpnet[] = {
        {&t->heads, 1, "text_tower.biolord.encoder.relative_attention_bias.weight"},
        {&t->projection_hidden, 0, "projection_layer.0.weight"},
    };
    if (status == SAT_OK && !bert) status = infer_sizes(state, text_encoder, "", mpnet, 2, error);
    if (status != SAT_OK) return status;
    while (state_size(state, 0, "%sencoder.layer.%d.intermediate.dense.weight", tower, t->layers) > 0)
        t->layers++;
    const int usable = bert ? t->positions : t->positions - 2; /* MPNet counts from 2 */
    if (t->longest > usable) t->longest = usable;
    return SAT_OK;
}
