#include "tests/support/bright_model.h"

#include "tests/support/cmocka.h"
#include "tests/support/golden.h"

#include "base/file.h"
#include "base/json.h"
#include "model/weights.h"
#include "model/description_json.h"
#include "model/model_file.h"
#include "model/tensors.h"
#include "text/encoder.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Channels of the finest features. Instance norm with weight 0 leaves its bias: a constant, to compare with. */
enum { BRIGHT, DARK, CONSTANT };
static const float constant_level = 218; /* times GELU(-0.75) = -0.17: what 6 times a feature must exceed */
static const float constant_before_gelu = -0.75f, feature_factor = 6, hidden_when_meant = 10;

/* ---------------------------------------------------------------- weights by hand */

/* The first rows of the mask head tell the two prompts apart: [2][width] and their thresholds. */
typedef struct prompt_rows {
    float row[2][256], threshold[2];
    bool known;
} prompt_rows;

static bool is(const char *name, const char *expected) { return strcmp(name, expected) == 0; }

/* Each of the four convolutions on the way looks one voxel further along some axes: x, y, z of the network. */
static const int steps[4][3] = {{1, 1, 1}, {1, 1, 0}, {1, 0, 0}, {1, 0, 0}};
const double bright_model_shift_mm[3] = {-4 * 1, -2 * 1, -1 * 3};

/* A 3 x 3 x 3 convolution (out, in, x, y, z) that passes channel `from` on as `to`, times `sign`. */
static void pass_channel(float *weight, int64_t in, int to, int64_t from, const int step[3], float sign)
{
    weight[(to * in + from) * 27 + (1 + step[0]) * 9 + (1 + step[1]) * 3 + 1 + step[2]] = sign;
}

static void fill_vision(const model_tensor *t, const vision_sizes *v, const prompt_rows *prompts, float *values)
{
    char last[64], name[128];
    const char *const ending = strrchr(t->name, '.');
    snprintf(last, sizeof last, "backbone.decoder.stages.%d", v->stages - 2);
    if (strstr(t->name, "norm") && is(ending, ".weight"))
        for (int64_t i = 0; i < t->shape[0]; i++)
            values[i] = 1;
    if (is(t->name, "backbone.encoder.stages.0.0.convs.0.conv.weight")) {
        pass_channel(values, t->shape[1], BRIGHT, 0, steps[0], 1);
        pass_channel(values, t->shape[1], DARK, 0, steps[0], -1);
    }
    for (int side = 0; side < 2; side++) {
        snprintf(name, sizeof name, "%s.convs.1.conv.weight", side ? last : "backbone.encoder.stages.0.0");
        for (int c = BRIGHT; is(t->name, name) && c <= DARK; c++)
            pass_channel(values, t->shape[1], c, c, steps[side ? 3 : 1], 1);
    }
    snprintf(name, sizeof name, "%s.convs.0.conv.weight", last);
    for (int c = BRIGHT; is(t->name, name) && c <= DARK; c++)
        pass_channel(values, t->shape[1], c, v->features[0] + c, steps[2], 1); /* behind what comes from below */
    snprintf(name, sizeof name, "%s.convs.1.norm.weight", last);
    if (is(t->name, name)) values[CONSTANT] = 0;
    snprintf(name, sizeof name, "%s.convs.1.norm.bias", last);
    if (is(t->name, name)) values[CONSTANT] = constant_level;
    for (int p = BRIGHT; prompts->known && p <= DARK; p++) {
        if (is(t->name, "mask_embed_proj.0.weight")) memcpy(values + p * t->shape[1], prompts->row[p], (size_t)t->shape[1] * sizeof *values);
        if (is(t->name, "mask_embed_proj.0.bias")) values[p] = -prompts->threshold[p];
        if (is(t->name, "mask_embed_proj.2.weight")) values[p * t->shape[1] + p] = feature_factor / hidden_when_meant;
    }
    if (is(t->name, "mask_embed_proj.2.bias")) values[CONSTANT] = constant_before_gelu;
}

/* ---------------------------------------------------------------- the file */

enum { NAME_BYTES = MODEL_NAME_MAX + sizeof MODEL_FILE_TEXT_PREFIX };

static void check(sat_status status, const sat_error *error)
{
    if (status != SAT_OK) fail_msg("%s: %s", error->file, error->message);
}

static const model_tensor *tensor_of(const model_tensor_list *list, const char *name)
{
    for (size_t i = 0; i < list->count; i++)
        if (is(list->tensors[i].name, name)) return &list->tensors[i];
    fail_msg("no tensor %s", name);
    return NULL;
}

static void write_tensor(safetensors_writer *w, const safetensors_tensor *t, const model_description *d, const model_tensor_list *vision,
                         const file_map *vocabulary, size_t vocabulary_bytes, const prompt_rows *prompts)
{
    sat_error error = {0};
    const size_t prefix = strlen(MODEL_FILE_TEXT_PREFIX);
    if (t->type == ELEMENT_UINT8) {
        check(safetensors_write(w, vocabulary->data, vocabulary_bytes, &error), &error);
        return;
    }
    float *values = calloc((size_t)t->bytes, 1);
    assert_non_null(values);
    if (strncmp(t->name, MODEL_FILE_TEXT_PREFIX, prefix) == 0)
        deterministic_fill(t->name + prefix, t->dimensions, t->shape, 0, (size_t)t->bytes / sizeof *values, values);
    else
        fill_vision(tensor_of(vision, t->name), &d->vision, prompts, values);
    check(safetensors_write(w, values, (size_t)t->bytes, &error), &error);
    free(values);
}

static void write_file(const char *path, const model_description *d, const prompt_rows *prompts)
{
    sat_error error = {0};
    model_tensor_list lists[2];
    file_map vocabulary;
    check(model_tensors_vision(&d->vision, &lists[0], &error), &error);
    check(model_tensors_text(&d->text, &lists[1], &error), &error);
    const char *vocabulary_path = golden_path("vocab/mpnet-tiny.txt");
    assert_non_null(vocabulary_path);
    check(file_map_open(vocabulary_path, &vocabulary, &error), &error);
    size_t vocabulary_bytes = vocabulary.size, count = 0;
    while (vocabulary_bytes && ((const char *)vocabulary.data)[vocabulary_bytes - 1] == '\n')
        vocabulary_bytes--;
    const size_t most = lists[0].count + lists[1].count + 1;
    safetensors_tensor *tensors = calloc(most, sizeof *tensors);
    char(*names)[NAME_BYTES] = calloc(most, sizeof *names);
    assert_true(tensors && names);
    for (int l = 0; l < 2; l++)
        for (size_t i = 0; i < lists[l].count; i++) {
            const model_tensor *t = &lists[l].tensors[i];
            if (t->optional) continue;
            snprintf(names[count], sizeof *names, "%s%s", l ? MODEL_FILE_TEXT_PREFIX : "", t->name);
            tensors[count] = (safetensors_tensor){.name = names[count], .type = ELEMENT_FLOAT32, .dimensions = t->dimensions};
            memcpy(tensors[count++].shape, t->shape, (size_t)t->dimensions * sizeof *t->shape);
        }
    tensors[count++] = (safetensors_tensor){.name = MODEL_FILE_VOCABULARY, .type = ELEMENT_UINT8, .dimensions = 1, .shape = {(int64_t)vocabulary_bytes}};
    check(safetensors_arrange(tensors, count, &error), &error);
    json_t *json = model_description_to_json(d);
    char *description = json_text(json, JSON_ONE_LINE, JSON_AS_INSERTED, NULL);
    const char *const keys[] = {"format", MODEL_FILE_METADATA}, *const words[] = {"pt", description};
    safetensors_writer w = {0};
    check(safetensors_create(path, tensors, count, keys, words, 2, &w, &error), &error);
    for (size_t i = 0; i < count; i++)
        write_tensor(&w, &tensors[i], d, &lists[0], &vocabulary, vocabulary_bytes, prompts);
    check(safetensors_commit(&w, &error), &error);
    free(description);
    json_decref(json);
    free(names);
    free(tensors);
    file_map_close(&vocabulary);
    model_tensors_free(&lists[0]);
    model_tensors_free(&lists[1]);
}

/* ---------------------------------------------------------------- telling the prompts apart */

static void layer_norm(float *x, int width)
{
    double mean = 0, square = 0;
    for (int i = 0; i < width; i++)
        mean += (double)x[i] / width;
    for (int i = 0; i < width; i++)
        square += ((double)x[i] - mean) * ((double)x[i] - mean) / width;
    for (int i = 0; i < width; i++)
        x[i] = (float)(((double)x[i] - mean) / sqrt(square + 1e-5));
}

/* All that the query decoder does with these weights is a layer norm. A row along the difference of the two prompts is
 * +hidden_when_meant for one of them and as much below 0 for the other. */
static prompt_rows tell_apart(const char *path, int modality_row)
{
    static const char *const prompts[2] = {BRIGHT_PROMPT, DARK_PROMPT};
    sat_error error = {0};
    model_file *file;
    text_encoder *encoder;
    size_t bytes;
    check(model_file_open(path, &file, &error), &error);
    const model_description *d = model_file_description(file);
    const weight_source words = model_file_text(file);
    const char *vocabulary = model_file_vocabulary(file, &bytes);
    const text_encoder_options options = {.threads = 1, .no_disk_cache = true};
    check(text_encoder_open(&d->text, &words, vocabulary, bytes, &options, &encoder, &error), &error);
    const int width = d->vision.query_width;
    assert_int_equal(width, text_encoder_width(encoder));
    float *queries = malloc(2 * (size_t)width * sizeof *queries);
    check(text_encoder_queries(encoder, prompts, 2, modality_row, queries, NULL, &error), &error);
    layer_norm(queries, width);
    layer_norm(queries + width, width);
    prompt_rows rows = {.known = true};
    double square = 0, middle = 0;
    for (int i = 0; i < width; i++) {
        const double difference = (double)queries[i] - (double)queries[width + i];
        square += difference * difference;
        middle += difference * ((double)queries[i] + (double)queries[width + i]) / 2;
    }
    assert_true(square > 1e-6);
    const double scale = 2 * (double)hidden_when_meant / square;
    for (int p = 0; p < 2; p++) {
        const double sign = p ? -scale : scale;
        for (int i = 0; i < width; i++)
            rows.row[p][i] = (float)(sign * ((double)queries[i] - (double)queries[width + i]));
        rows.threshold[p] = (float)(sign * middle);
    }
    free(queries);
    text_encoder_close(encoder);
    model_file_close(file);
    return rows;
}

void bright_model_write(const char *path, int modality_row)
{
    model_description d;
    assert_true(model_variant("tiny", &d));
    d.vision.stages = 3; /* so that a hundred scans take seconds */
    for (int s = 0; s < d.vision.stages; s++)
        d.vision.features[s] = 4;
    d.vision.query_layers = 1;
    snprintf(d.variant, sizeof d.variant, "custom");
    prompt_rows rows = {.known = false};
    write_file(path, &d, &rows);
    rows = tell_apart(path, modality_row);
    write_file(path, &d, &rows);
}
