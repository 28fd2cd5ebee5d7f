/* The hidden verb `sat3d demo`: a drawn scan and a model of deterministic, untrained weights, so that the way from a scan and
 * words to masks can be shown and tested without anybody's data (scripts/demo). */
#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "cli/phantom.h"
#include "cli/verbs.h"
#include "image/nifti.h"
#include "model/description_json.h"
#include "model/model_file.h"
#include "model/tensors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct demo_settings {
    common_settings common;
    const char *variant;
} demo_settings;

static const demo_settings demo_defaults = {.variant = "tiny"};

/* clang-format off */
static const option demo_options[] = {
    {.name = "variant", .kind = OPTION_TEXT, .offset = offsetof(demo_settings, variant), .argument = "NAME",
     .help = "tiny, tiny_wide, nano, pro or huge (default: tiny)"},
    {.name = NULL},
};
/* clang-format on */

/* ---------------------------------------------------------------- the scan */

static sat_status write_scan(const char *path, int threads, sat_error *error)
{
    const geometry grid = phantom_grid();
    const size_t voxels = (size_t)(grid.shape_ijk[0] * grid.shape_ijk[1] * grid.shape_ijk[2]);
    int16_t *hounsfield = malloc(voxels * sizeof *hounsfield);
    if (!hounsfield) return sat_fail(error, SAT_NO_MEMORY, "no memory for the scan");
    phantom_draw(&grid, hounsfield);
    const nifti_write_options options = {.threads = threads, .description = "drawn by sat3d, no patient"};
    const sat_status status = nifti_write(path, &grid, VOXEL_INT16, hounsfield, &options, NULL, error);
    free(hounsfield);
    return status;
}

/* ---------------------------------------------------------------- the model */

/* The words of the demonstration, then what spells every other one: lines in the order of their ids. */
static int make_vocabulary(text *lines)
{
    static const char *const words[] = {"<s>",   "<pad>",  "</s>", "<unk>", "[PAD]",  "[UNK]", "[CLS]",
                                        "[SEP]", "[MASK]", "left", "right", "kidney", "liver", "spleen"};
    int count = 0;
    for (; count < (int)(sizeof words / sizeof *words); count++)
        text_format(lines, "%s%s", count ? "\n" : "", words[count]);
    for (char c = '!'; c <= '~'; c++)
        if (c < 'A' || c > 'Z') {
            text_format(lines, "\n%c", c);
            count++;
        }
    for (const char *c = "abcdefghijklmnopqrstuvwxyz0123456789"; *c; c++, count++)
        text_format(lines, "\n##%c", *c);
    return count;
}

enum { FILE_NAME_BYTES = MODEL_NAME_MAX + sizeof MODEL_FILE_TEXT_PREFIX };

/* What the file holds, in two lists that share their indices until safetensors_arrange sorts the second. */
typedef struct demo_model {
    model_description description;
    text vocabulary;
    model_tensor_list vision, encoder;
    char (*names)[FILE_NAME_BYTES]; /* as in the file: the encoder's with a prefix */
    safetensors_tensor *tensors;
    size_t count;
} demo_model;

static void add_tensor(demo_model *m, const char *prefix, const model_tensor *tensor)
{
    snprintf(m->names[m->count], sizeof *m->names, "%s%s", prefix, tensor->name);
    safetensors_tensor *t = &m->tensors[m->count];
    *t = (safetensors_tensor){.name = m->names[m->count], .type = ELEMENT_FLOAT32, .dimensions = tensor->dimensions};
    memcpy(t->shape, tensor->shape, (size_t)tensor->dimensions * sizeof *t->shape);
    m->count++;
}

static sat_status plan_model(demo_model *m, const char *variant, sat_error *error)
{
    if (!model_variant(variant, &m->description))
        return sat_fail(error, SAT_BAD_ARGUMENT, "--variant %s: expected tiny, tiny_wide, nano, pro or huge", variant);
    m->vocabulary = text_open(1 << 16);
    m->description.text.vocabulary = make_vocabulary(&m->vocabulary);
    snprintf(m->description.licence, sizeof m->description.licence, "none needed: untrained, made from names");
    sat_status status = text_check(&m->vocabulary, error);
    if (status == SAT_OK) status = model_tensors_vision(&m->description.vision, &m->vision, error);
    if (status == SAT_OK) status = model_tensors_text(&m->description.text, &m->encoder, error);
    if (status != SAT_OK) return status;
    const size_t most = m->vision.count + m->encoder.count + 1;
    m->names = calloc(most, sizeof *m->names);
    m->tensors = calloc(most, sizeof *m->tensors);
    if (!m->names || !m->tensors) return sat_fail(error, SAT_NO_MEMORY, "no memory for a list of tensors");
    for (size_t i = 0; i < m->vision.count; i++)
        add_tensor(m, "", &m->vision.tensors[i]);
    for (size_t i = 0; i < m->encoder.count; i++)
        if (!m->encoder.tensors[i].optional) add_tensor(m, MODEL_FILE_TEXT_PREFIX, &m->encoder.tensors[i]);
    m->tensors[m->count++] = (safetensors_tensor){.name = MODEL_FILE_VOCABULARY,
                                                  .type = ELEMENT_UINT8,
                                                  .dimensions = 1,
                                                  .shape = {(int64_t)m->vocabulary.length}};
    return safetensors_arrange(m->tensors, m->count, error);
}

/* A large tensor in pieces, so that memory stays small for every variant. */
static sat_status write_tensor(safetensors_writer *w, const safetensors_tensor *t, float *piece, size_t piece_elements,
                               sat_error *error)
{
    const char *name = t->name;
    if (text_begins(name, MODEL_FILE_TEXT_PREFIX)) name += strlen(MODEL_FILE_TEXT_PREFIX);
    const size_t elements = (size_t)t->bytes / sizeof *piece;
    sat_status status = SAT_OK;
    for (size_t at = 0; at < elements && status == SAT_OK; at += piece_elements) {
        const size_t some = elements - at < piece_elements ? elements - at : piece_elements;
        deterministic_fill(name, t->dimensions, t->shape, at, some, piece);
        status = safetensors_write(w, piece, some * sizeof *piece, error);
    }
    return status;
}

static sat_status write_model_file(const char *path, const demo_model *m, const char *description, progress *watch,
                                   sat_error *error)
{
    enum { PIECE = 1 << 16 };
    const char *const keys[] = {"format", MODEL_FILE_METADATA}, *const values[] = {"pt", description};
    float *piece = malloc(PIECE * sizeof *piece);
    if (!piece) return sat_fail(error, SAT_NO_MEMORY, "no memory for a piece of a tensor");
    safetensors_writer w = {0};
    sat_status status = safetensors_create(path, m->tensors, m->count, keys, values, 2, &w, error);
    progress_begin(watch, "tensors", m->count);
    for (size_t i = 0; i < m->count && status == SAT_OK; i++) {
        const safetensors_tensor *t = &m->tensors[i];
        status = t->type == ELEMENT_UINT8 ? safetensors_write(&w, m->vocabulary.data, m->vocabulary.length, error)
                                          : write_tensor(&w, t, piece, PIECE, error);
        progress_add(watch, 1);
        if (status == SAT_OK) status = progress_check(watch, error);
    }
    progress_end(watch);
    if (status == SAT_OK) status = safetensors_commit(&w, error);
    safetensors_abandon(&w);
    free(piece);
    return status;
}

static sat_status write_model(const char *path, const char *variant, progress *watch, sat_error *error)
{
    demo_model m = {0};
    sat_status status = plan_model(&m, variant, error);
    json_t *json = status == SAT_OK ? model_description_to_json(&m.description) : NULL;
    char *description = json ? json_text(json, JSON_ONE_LINE, JSON_AS_INSERTED, NULL) : NULL;
    if (status == SAT_OK && !description) status = sat_fail(error, SAT_NO_MEMORY, "no memory for the description");
    if (status == SAT_OK) status = write_model_file(path, &m, description, watch, error);
    free(description);
    json_decref(json);
    free(m.tensors);
    free(m.names);
    model_tensors_free(&m.encoder);
    model_tensors_free(&m.vision);
    text_free(&m.vocabulary);
    return status;
}

/* ---------------------------------------------------------------- the verb */

static sat_status demo_run(verb_call *call, sat_error *error)
{
    const demo_settings *settings = call->settings;
    text scan = text_open(8192), model = text_open(8192);
    text_format(&scan, "%s/phantom.nii.gz", call->operands[0]);
    text_format(&model, "%s/%s.safetensors", call->operands[0], settings->variant);
    sat_status status = text_check(&scan, error);
    if (status == SAT_OK) status = text_check(&model, error);
    if (status == SAT_OK) status = folder_make(call->operands[0], error);
    if (status == SAT_OK) status = write_scan(scan.data, settings->common.threads, error);
    if (status == SAT_OK) status = write_model(model.data, settings->variant, call->progress, error);
    terminal_clear(call->screen);
    if (status == SAT_OK) printf("%s: a torso, drawn\n%s: a model that is not trained\n", scan.data, model.data);
    text_free(&scan);
    text_free(&model);
    return status;
}

const verb verb_demo = {
    .name = "demo",
    .summary = "write a drawn scan and a model of untrained weights",
    .operands = "FOLDER",
    .examples = "sat3d demo out/demo\n",
    .options = demo_options,
    .defaults = &demo_defaults,
    .settings_bytes = sizeof(demo_settings),
    .least_operands = 1,
    .most_operands = 1,
    .run = demo_run,
};
