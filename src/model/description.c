#include "model/description.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* The release's rules (pipeline.md, sections 2 and 5), shared by all variants. */
static const intensity_rules release_intensity = {
    .ct_clip_low_hu = -500, .ct_clip_high_hu = 1000, .percentile_low = 0.5, .percentile_high = 99.5};

/* The knowledge-enhanced encoder (text.md): full size, and the small one of the tests (496 words). */
static const text_sizes text_full = {.kind = TEXT_MPNET,
                                     .vocabulary = 30527,
                                     .positions = 514,
                                     .width = 768,
                                     .layers = 12,
                                     .heads = 12,
                                     .feed_forward = 3072,
                                     .projection_hidden = 768,
                                     .output_width = 768,
                                     .modality_rows = 4,
                                     .longest = 256,
                                     .layer_norm_epsilon = 1e-5};
static const text_sizes text_small = {.kind = TEXT_MPNET,
                                      .vocabulary = 496,
                                      .positions = 514,
                                      .width = 48,
                                      .layers = 2,
                                      .heads = 4,
                                      .feed_forward = 96,
                                      .projection_hidden = 48,
                                      .output_width = 48,
                                      .modality_rows = 4,
                                      .longest = 256,
                                      .layer_norm_epsilon = 1e-5};

/* model.md, Variants. The release calls nano, pro and huge UNET, UNET-L and UNET-H. */
static const struct {
    const char *name;
    vision_sizes vision;
    int window[3];
    const text_sizes *text;
} variants[] = {
    {"tiny",
     {.stages = 6,
      .features = {8, 8, 12, 16, 18, 20},
      .convolutions_per_stage = 2,
      .input_channels = 3,
      .text_width = 48,
      .query_width = 48,
      .projection_hidden = 40,
      .query_heads = 4,
      .query_layers = 6,
      .query_feed_forward = 80,
      .mask_hidden = 24,
      .mid_hidden = {24, 28, 32}},
     {64, 64, 32},
     &text_small},
    {"tiny_wide",
     {.stages = 6,
      .features = {8, 8, 12, 16, 18, 20},
      .convolutions_per_stage = 2,
      .input_channels = 3,
      .text_width = 48,
      .query_width = 56,
      .query_projection_hidden = 64,
      .projection_hidden = 40,
      .query_heads = 4,
      .query_layers = 6,
      .query_feed_forward = 80,
      .mask_hidden = 24,
      .mid_hidden = {24, 28, 32}},
     {96, 64, 64},
     &text_small},
    {"nano",
     {.stages = 6,
      .features = {64, 64, 128, 256, 512, 768},
      .convolutions_per_stage = 2,
      .input_channels = 3,
      .text_width = 768,
      .query_width = 768,
      .projection_hidden = 768,
      .query_heads = 8,
      .query_layers = 6,
      .query_feed_forward = 2048,
      .mask_hidden = 256,
      .mid_hidden = {256, 384, 512}},
     {288, 288, 96},
     &text_full},
    {"pro",
     {.stages = 6,
      .features = {128, 128, 256, 512, 1024, 1536},
      .convolutions_per_stage = 3,
      .input_channels = 3,
      .text_width = 768,
      .query_width = 768,
      .projection_hidden = 1536,
      .query_heads = 8,
      .query_layers = 6,
      .query_feed_forward = 2048,
      .mask_hidden = 384,
      .mid_hidden = {384, 512, 512}},
     {288, 288, 96},
     &text_full},
    {"huge",
     {.stages = 6,
      .features = {256, 256, 512, 1024, 1536, 2048},
      .convolutions_per_stage = 3,
      .input_channels = 3,
      .text_width = 768,
      .query_width = 1536,
      .query_projection_hidden = 1536,
      .projection_hidden = 3072,
      .query_heads = 8,
      .query_layers = 6,
      .query_feed_forward = 2048,
      .mask_hidden = 768,
      .mid_hidden = {768, 1024, 1024}},
     {288, 288, 96},
     &text_full},
};
enum { VARIANTS = sizeof variants / sizeof *variants };

bool model_variant(const char *name, model_description *description)
{
    for (int i = 0; i < VARIANTS; i++) {
        if (strcmp(name, variants[i].name) != 0) continue;
        *description = (model_description){.vision = variants[i].vision,
                                           .text = *variants[i].text,
                                           .spacing_mm = {1, 1, 3},
                                           .intensity = release_intensity};
        memcpy(description->window, variants[i].window, sizeof description->window);
        snprintf(description->variant, sizeof description->variant, "%s", name);
        return true;
    }
    return false;
}

const char *const *model_variant_names(void)
{
    static const char *const names[] = {"tiny", "tiny_wide", "nano", "pro", "huge", NULL};
    return names;
}

const char *model_variant_name(const vision_sizes *vision)
{
    for (int i = 0; i < VARIANTS; i++) {
        vision_sizes expected = variants[i].vision;
        expected.mid_heads = vision->mid_heads;
        if (vision->mid_heads == 0) memcpy(expected.mid_hidden, vision->mid_hidden, sizeof expected.mid_hidden);
        if (memcmp(&expected, vision, sizeof expected) == 0) return variants[i].name; /* ints only: no padding */
    }
    return "custom";
}

/* ---------------------------------------------------------------- checks */

/* No published network comes near this; below it no product of two sizes overflows 64 bits. */
enum { SIZE_LARGEST = 1 << 20, LAYERS_LARGEST = 256 };

static sat_status check_size(const char *what, int value, int least, int most, sat_error *error)
{
    if (value >= least && value <= most) return SAT_OK;
    return sat_fail(error, SAT_BAD_INPUT, "the model's %s is %d, but must be between %d and %d", what, value, least,
                    most);
}

typedef struct size_row {
    const char *what;
    int value, least, most;
} size_row;

static sat_status check_sizes(const size_row *rows, size_t count, sat_error *error)
{
    for (size_t i = 0; i < count; i++) {
        const sat_status status = check_size(rows[i].what, rows[i].value, rows[i].least, rows[i].most, error);
        if (status != SAT_OK) return status;
    }
    return SAT_OK;
}

static sat_status check_vision(const vision_sizes *v, sat_error *error)
{
    const size_row rows[] = {
        {"number of stages", v->stages, 2, MODEL_STAGES_MAX},
        {"number of convolutions per stage", v->convolutions_per_stage, 1, LAYERS_LARGEST},
        {"number of input channels", v->input_channels, 1, 1024},
        {"text width", v->text_width, 1, SIZE_LARGEST},
        {"query width", v->query_width, 1, SIZE_LARGEST},
        {"hidden width of the query projection", v->query_projection_hidden, 0, SIZE_LARGEST},
        {"hidden width of the token projection", v->projection_hidden, 1, SIZE_LARGEST},
        {"number of query heads", v->query_heads, 1, v->query_width},
        {"number of query decoder layers", v->query_layers, 1, LAYERS_LARGEST},
        {"feed-forward width of the query decoder", v->query_feed_forward, 1, SIZE_LARGEST},
        {"hidden width of the mask head", v->mask_hidden, 1, SIZE_LARGEST},
    };
    sat_status status = check_sizes(rows, sizeof rows / sizeof *rows, error);
    for (int s = 0; status == SAT_OK && s < v->stages; s++)
        status = check_size("number of channels of a stage", v->features[s], 1, SIZE_LARGEST, error);
    if (status != SAT_OK) return status;
    if (v->query_width % v->query_heads != 0)
        return sat_fail(error, SAT_BAD_INPUT,
                        "%d query heads do not divide the query width %d; give the right number "
                        "with --query-heads",
                        v->query_heads, v->query_width);
    if (v->query_projection_hidden == 0 && v->text_width != v->query_width)
        return sat_fail(error, SAT_BAD_INPUT,
                        "queries of width %d can't enter a decoder of width %d without a query "
                        "projection",
                        v->text_width, v->query_width);
    if (v->mid_heads != 0 && (v->mid_heads != MODEL_MID_HEADS_MAX || v->stages < MODEL_MID_HEADS_MAX + 1))
        return sat_fail(error, SAT_BAD_INPUT,
                        "the model has %d mid heads over %d stages, but either none or %d over more "
                        "stages are known",
                        v->mid_heads, v->stages, MODEL_MID_HEADS_MAX);
    for (int i = 0; status == SAT_OK && i < v->mid_heads; i++)
        status = check_size("hidden width of a mid head", v->mid_hidden[i], 1, SIZE_LARGEST, error);
    return status;
}

static sat_status check_text(const text_sizes *t, int query_width, sat_error *error)
{
    if (t->kind == TEXT_NONE) return SAT_OK;
    if (t->kind != TEXT_MPNET && t->kind != TEXT_BERT)
        return sat_fail(error, SAT_BAD_INPUT, "the text encoder's kind %d is unknown", (int)t->kind);
    const int mpnet = t->kind == TEXT_MPNET;
    const size_row rows[] = {
        {"vocabulary size", t->vocabulary, 1, 1 << 28},
        {"number of text positions", t->positions, 1, SIZE_LARGEST},
        {"text encoder's width", t->width, 1, SIZE_LARGEST},
        {"number of text layers", t->layers, 1, LAYERS_LARGEST},
        {"number of text heads", t->heads, 1, t->width},
        {"text encoder's feed-forward width", t->feed_forward, 1, SIZE_LARGEST},
        {"hidden width of the text projection", t->projection_hidden, mpnet ? 1 : 0, mpnet ? SIZE_LARGEST : 0},
        {"text encoder's output width", t->output_width, 1, SIZE_LARGEST},
        {"number of modality rows", t->modality_rows, 4, 1024},
        /* MPNet counts positions from 2; the frame alone has two tokens. */
        {"longest text", t->longest, 2, mpnet ? t->positions - 2 : t->positions},
    };
    const sat_status status = check_sizes(rows, sizeof rows / sizeof *rows, error);
    if (status != SAT_OK) return status;
    if (t->width % t->heads != 0)
        return sat_fail(error, SAT_BAD_INPUT,
                        "%d text heads do not divide the text encoder's width %d; give the right "
                        "number with --text-heads",
                        t->heads, t->width);
    if (!mpnet && t->output_width != t->width)
        return sat_fail(error, SAT_BAD_INPUT, "a BERT encoder of width %d can't give queries of width %d", t->width,
                        t->output_width);
    if (t->output_width != query_width)
        return sat_fail(error, SAT_BAD_INPUT,
                        "the text encoder gives queries of width %d, the vision network takes %d: "
                        "these two were not trained together",
                        t->output_width, query_width);
    if (!(t->layer_norm_epsilon > 0 && t->layer_norm_epsilon < 1))
        return sat_fail(error, SAT_BAD_INPUT, "the text encoder's layer-norm epsilon %g is not between 0 and 1",
                        t->layer_norm_epsilon);
    return SAT_OK;
}

static sat_status check_rules(const model_description *d, sat_error *error)
{
    const int multiple = 1 << (d->vision.stages - 1);
    for (int axis = 0; axis < 3; axis++) {
        if (d->window[axis] < multiple || d->window[axis] > 4096 || d->window[axis] % multiple != 0)
            return sat_fail(error, SAT_BAD_INPUT,
                            "the window %dx%dx%d is impossible: with %d stages each side must be a "
                            "multiple of %d, 4096 at most",
                            d->window[0], d->window[1], d->window[2], d->vision.stages, multiple);
        if (!(d->spacing_mm[axis] >= 0.01 && d->spacing_mm[axis] <= 100))
            return sat_fail(error, SAT_BAD_INPUT,
                            "the spacing %gx%gx%g mm is impossible: each must lie between 0.01 and 100",
                            d->spacing_mm[0], d->spacing_mm[1], d->spacing_mm[2]);
    }
    const intensity_rules *r = &d->intensity;
    if (!(isfinite(r->ct_clip_low_hu) && isfinite(r->ct_clip_high_hu) && r->ct_clip_low_hu < r->ct_clip_high_hu))
        return sat_fail(error, SAT_BAD_INPUT, "the CT range %g to %g HU is empty", r->ct_clip_low_hu,
                        r->ct_clip_high_hu);
    if (!(r->percentile_low >= 0 && r->percentile_low < r->percentile_high && r->percentile_high <= 100))
        return sat_fail(error, SAT_BAD_INPUT, "the percentiles %g to %g are not a range within 0 to 100",
                        r->percentile_low, r->percentile_high);
    return SAT_OK;
}

sat_status model_description_check(const model_description *description, sat_error *error)
{
    sat_status status = check_vision(&description->vision, error);
    if (status == SAT_OK) status = check_text(&description->text, description->vision.text_width, error);
    if (status == SAT_OK) status = check_rules(description, error);
    return status;
}
