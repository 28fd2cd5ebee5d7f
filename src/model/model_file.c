#include "model/model_file.h"

#include "base/json.h"
#include "model/description_json.h"
#include "model/tensors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Where a source of weights looks: the file, and what stands before the names there. */
typedef struct name_space {
    const model_file *file;
    const char *prefix;
} name_space;

struct model_file {
    file_map map; /* empty when the bytes are borrowed */
    safetensors tensors;
    model_description description;
    name_space vision, text;
    const char *vocabulary; /* borrowed from the bytes; NULL without a text encoder */
    size_t vocabulary_bytes;
    element_type type;
};

/* ---------------------------------------------------------------- opening */

static void shape_text(int dimensions, const int64_t *shape, char words[96])
{
    size_t at = (size_t)snprintf(words, 96, "(");
    for (int i = 0; i < dimensions && at < 72; i++)
        at += (size_t)snprintf(words + at, 96 - at, "%s%lld", i ? ", " : "", (long long)shape[i]);
    snprintf(words + at, 96 - at, ")");
}

static sat_status find_tensor(const name_space *space, const char *name, int dimensions, const int64_t *shape,
                              const safetensors_tensor **found, sat_error *error)
{
    char full[2 * MODEL_NAME_MAX], expected[96], actual[96];
    const int length = snprintf(full, sizeof full, "%s%s", space->prefix, name);
    *found = length > 0 && (size_t)length < sizeof full ? safetensors_find(&space->file->tensors, full) : NULL;
    shape_text(dimensions, shape, expected);
    if (!*found) return sat_fail(error, SAT_BAD_INPUT, "the model lacks the tensor %.200s %s", full, expected);
    const safetensors_tensor *tensor = *found;
    if (tensor->dimensions != dimensions || memcmp(tensor->shape, shape, (size_t)dimensions * sizeof *shape) != 0) {
        shape_text(tensor->dimensions, tensor->shape, actual);
        return sat_fail(error, SAT_BAD_INPUT, "the model's tensor %.200s has the shape %s, but the network needs %s",
                        full, actual, expected);
    }
    if (tensor->type != ELEMENT_FLOAT32 && tensor->type != ELEMENT_BFLOAT16)
        return sat_fail(error, SAT_BAD_INPUT, "the model's tensor %.200s is %s, but float32 or bfloat16 is needed",
                        full, element_name(tensor->type));
    if (tensor->offset % element_bytes(tensor->type) != 0)
        return sat_fail(error, SAT_BAD_INPUT,
                        "the model's tensor %.200s lies at an odd address; write the file again with "
                        "sat3d convert",
                        full);
    return SAT_OK;
}

static sat_status check_tensors(const name_space *space, const model_tensor_list *list, sat_error *error)
{
    sat_status status = SAT_OK;
    for (size_t i = 0; status == SAT_OK && i < list->count; i++) {
        const model_tensor *expected = &list->tensors[i];
        const safetensors_tensor *found;
        char full[2 * MODEL_NAME_MAX];
        snprintf(full, sizeof full, "%s%s", space->prefix, expected->name);
        if (expected->optional && !safetensors_find(&space->file->tensors, full)) continue;
        status = find_tensor(space, expected->name, expected->dimensions, expected->shape, &found, error);
    }
    return status;
}

static sat_status check_vocabulary(model_file *file, sat_error *error)
{
    const safetensors_tensor *tensor = safetensors_find(&file->tensors, MODEL_FILE_VOCABULARY);
    if (!tensor || tensor->type != ELEMENT_UINT8 || tensor->dimensions != 1 || tensor->bytes == 0)
        return sat_fail(error, SAT_BAD_INPUT,
                        "the model lacks the tensor " MODEL_FILE_VOCABULARY ": the words of its text encoder");
    file->vocabulary = (const char *)file->tensors.data + tensor->offset;
    file->vocabulary_bytes = (size_t)tensor->bytes;
    int64_t lines = 1;
    for (size_t i = 0; i < file->vocabulary_bytes; i++)
        lines += file->vocabulary[i] == '\n';
    if (lines == file->description.text.vocabulary) return SAT_OK;
    return sat_fail(error, SAT_BAD_INPUT, "the model's vocabulary has %lld words, but its text encoder knows %d",
                    (long long)lines, file->description.text.vocabulary);
}

static sat_status read_description(model_file *file, sat_error *error)
{
    json_t *root;
    const char *words = safetensors_metadata(&file->tensors, MODEL_FILE_METADATA);
    if (!words)
        return sat_fail(error, SAT_BAD_INPUT,
                        "this safetensors file has no description of a sat3d model (\"" MODEL_FILE_METADATA
                        "\" in its __metadata__); make one from the PyTorch checkpoints with sat3d convert");
    sat_status status = json_parse(words, strlen(words), &root, error);
    if (status == SAT_OK) status = model_description_from_json(root, &file->description, error);
    json_decref(root);
    return status;
}

static sat_status check_model(model_file *file, sat_error *error)
{
    model_tensor_list vision = {0}, text = {0};
    sat_status status = read_description(file, error);
    if (status == SAT_OK) status = model_tensors_vision(&file->description.vision, &vision, error);
    if (status == SAT_OK) status = check_tensors(&file->vision, &vision, error);
    if (status == SAT_OK) status = model_tensors_text(&file->description.text, &text, error);
    if (status == SAT_OK) status = check_tensors(&file->text, &text, error);
    if (status == SAT_OK && file->description.text.kind != TEXT_NONE) status = check_vocabulary(file, error);
    for (size_t i = 0; status == SAT_OK && i < vision.count; i++) {
        const safetensors_tensor *tensor = safetensors_find(&file->tensors, vision.tensors[i].name);
        if (tensor->type == ELEMENT_BFLOAT16) file->type = ELEMENT_BFLOAT16;
    }
    model_tensors_free(&vision);
    model_tensors_free(&text);
    return status;
}

sat_status model_file_parse(const void *data, size_t size, model_file **file, sat_error *error)
{
    model_file *made = calloc(1, sizeof *made);
    *file = NULL;
    if (!made) return sat_fail(error, SAT_NO_MEMORY, "no memory for the model's description");
    made->type = ELEMENT_FLOAT32;
    made->vision = (name_space){made, ""};
    made->text = (name_space){made, MODEL_FILE_TEXT_PREFIX};
    sat_status status;
    if (size >= 4 && memcmp(data, "PK\3\4", 4) == 0)
        status = sat_fail(error, SAT_BAD_INPUT,
                          "this is a PyTorch checkpoint; convert it first: sat3d convert --model FILE --text FILE "
                          "--vocab FILE -o model.safetensors");
    else
        status = safetensors_parse(data, size, &made->tensors, error);
    if (status == SAT_OK) status = check_model(made, error);
    if (status == SAT_OK)
        *file = made;
    else
        model_file_close(made);
    return status;
}

sat_status model_file_open(const char *path, model_file **file, sat_error *error)
{
    file_map map;
    *file = NULL;
    sat_status status = file_map_open(path, &map, error);
    if (status != SAT_OK) return status;
    status = model_file_parse(map.data, map.size, file, error);
    if (status != SAT_OK) {
        file_map_close(&map);
        return sat_fail_in(error, path, status);
    }
    (*file)->map = map;
    return SAT_OK;
}

void model_file_close(model_file *file)
{
    if (!file) return;
    safetensors_free(&file->tensors);
    file_map_close(&file->map);
    free(file);
}

/* ---------------------------------------------------------------- what is in it */

const model_description *model_file_description(const model_file *file) { return &file->description; }
const safetensors *model_file_tensors(const model_file *file) { return &file->tensors; }
element_type model_file_type(const model_file *file) { return file->type; }

const char *model_file_vocabulary(const model_file *file, size_t *bytes)
{
    *bytes = file->vocabulary_bytes;
    return file->vocabulary;
}

static sat_status mapped_find(const weight_source *source, const char *name, int dimensions, const int64_t *shape,
                              weight_view *view, sat_error *error)
{
    const name_space *space = source->context;
    const safetensors_tensor *tensor = NULL;
    *view = (weight_view){0};
    if (dimensions < 0 || dimensions > WEIGHT_DIMENSIONS_MAX)
        return sat_fail(error, SAT_BAD_ARGUMENT, "no tensor has %d dimensions", dimensions);
    const sat_status status = find_tensor(space, name, dimensions, shape, &tensor, error);
    if (status != SAT_OK) return status;
    *view = (weight_view){
        .type = tensor->type, .dimensions = dimensions, .data = space->file->tensors.data + tensor->offset};
    memcpy(view->shape, shape, (size_t)dimensions * sizeof *shape);
    return SAT_OK;
}

static void mapped_release(const weight_source *source, weight_view *view)
{
    const name_space *space = source->context;
    size_t bytes = element_bytes(view->type);
    for (int i = 0; i < view->dimensions; i++)
        bytes *= (size_t)view->shape[i];
    if (view->data) file_map_forget(&space->file->map, view->data, bytes);
    *view = (weight_view){0};
}

weight_source model_file_vision(const model_file *file)
{
    return (weight_source){.find = mapped_find, .release = mapped_release, .context = &file->vision};
}

weight_source model_file_text(const model_file *file)
{
    return (weight_source){.find = mapped_find, .release = mapped_release, .context = &file->text};
}

/* ---------------------------------------------------------------- which one it is */

/* Adds `bytes` bytes in pieces whose pages are given back, so that a model of gigabytes does not fill the memory. */
static void hash_range(const model_file *file, hash_sha256 *h, size_t from, size_t bytes)
{
    const size_t piece = (size_t)64 << 20;
    for (size_t at = 0; at < bytes; at += piece) {
        const size_t take = bytes - at < piece ? bytes - at : piece;
        hash_sha256_add(h, file->tensors.data + from + at, take);
        file_map_forget(&file->map, file->tensors.data + from + at, take);
    }
}

void model_file_identity(const model_file *file, char identity[HASH_SHA256_TEXT])
{
    const safetensors *t = &file->tensors;
    const size_t body = t->size - t->header_bytes;
    hash_sha256 h;
    hash_sha256_begin(&h);
    hash_sha256_add(&h, t->data, t->header_bytes);
    if (!safetensors_metadata(t, SAFETENSORS_DIGEST_KEY)) {
        hash_range(file, &h, t->header_bytes, body);
    } else {
        /* Someone may save changed weights under an old header: samples over the body notice any training. */
        enum { SAMPLES = 16, SAMPLE_BYTES = 64 };
        for (size_t i = 0; i < SAMPLES && body >= SAMPLE_BYTES; i++)
            hash_sha256_add(&h, t->data + t->header_bytes + (body - SAMPLE_BYTES) / (SAMPLES - 1) * i, SAMPLE_BYTES);
    }
    hash_sha256_end(&h, identity);
}

sat_status model_file_verify(const model_file *file, sat_error *error)
{
    const safetensors *t = &file->tensors;
    const char *expected = safetensors_metadata(t, SAFETENSORS_DIGEST_KEY);
    if (!expected)
        return sat_fail(error, SAT_BAD_INPUT,
                        "the file has no hash of its tensors (" SAFETENSORS_DIGEST_KEY ") to compare with");
    char actual[HASH_SHA256_TEXT];
    hash_sha256 h;
    hash_sha256_begin(&h);
    hash_range(file, &h, t->header_bytes, t->size - t->header_bytes);
    hash_sha256_end(&h, actual);
    if (strcmp(actual, expected) == 0) return SAT_OK;
    return sat_fail(error, SAT_BAD_INPUT,
                    "the tensors do not have the hash that the header promises: the file was damaged or "
                    "changed; fetch or convert it again");
}
