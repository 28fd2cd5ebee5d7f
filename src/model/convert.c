#include "model/convert.h"

#include "base/hash.h"
#include "base/json.h"
#include "model/checkpoint.h"
#include "model/description_json.h"
#include "model/infer.h"
#include "model/model_file.h"
#include "model/safetensors.h"
#include "model/state.h"
#include "model/tensors.h"

#include <libdeflate.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

convert_options convert_defaults(void)
{
    model_description release;
    convert_options options = {.type = ELEMENT_FLOAT32};
    if (!model_variant("nano", &release)) return options; /* it is the table's own name */
    options.query_heads = release.vision.query_heads;
    options.intensity = release.intensity;
    memcpy(options.window, release.window, sizeof options.window);
    memcpy(options.spacing_mm, release.spacing_mm, sizeof options.spacing_mm);
    return options;
}

/* One of the two checkpoints. */
typedef struct part {
    const char *path;
    checkpoint file;
    state_table state;
    model_tensor_list needed;
} part;

/* All that a conversion owns. */
typedef struct conversion {
    const convert_options *options;
    convert_report *report;
    progress *watch;
    sat_error *error;
    part vision, text;
    char *vocabulary; /* owned */
    size_t vocabulary_bytes;
} conversion;

/* ---------------------------------------------------------------- the vocabulary */

sat_status convert_vocabulary(const char *text, size_t bytes, char **joined, size_t *joined_bytes, int64_t *lines,
                              sat_error *error)
{
    size_t length = 0, line_begin = 0;
    *lines = 0;
    *joined_bytes = 0;
    *joined = malloc(bytes + 1);
    if (!*joined) return sat_fail(error, SAT_NO_MEMORY, "no memory for the vocabulary");
    sat_status status = SAT_OK;
    for (size_t at = 0; at < bytes && status == SAT_OK;) {
        utf8proc_int32_t codepoint;
        const utf8proc_ssize_t step =
            utf8proc_iterate((const utf8proc_uint8_t *)text + at, (utf8proc_ssize_t)(bytes - at), &codepoint);
        if (step <= 0 || codepoint == 0) {
            status =
                sat_fail(error, SAT_BAD_INPUT, "line %lld of the vocabulary is not UTF-8 text", (long long)*lines + 1);
        } else if (codepoint == '\n') {
            if (length > line_begin && (*joined)[length - 1] == '\r') length--; /* Windows' line ends */
            if (length == line_begin)
                status = sat_fail(error, SAT_BAD_INPUT, "line %lld of the vocabulary is empty", (long long)*lines + 1);
            (*joined)[length++] = '\n';
            line_begin = length;
            ++*lines;
        } else {
            memcpy(*joined + length, text + at, (size_t)step);
            length += (size_t)step;
        }
        at += step > 0 ? (size_t)step : 1;
    }
    if (length > line_begin) { /* the last line may lack its line feed */
        if ((*joined)[length - 1] == '\r') length--;
        ++*lines;
    } else if (length > 0) {
        length--;
    }
    if (status == SAT_OK && length == 0) status = sat_fail(error, SAT_BAD_INPUT, "the vocabulary is empty");
    *joined_bytes = length;
    if (status != SAT_OK) {
        free(*joined);
        *joined = NULL;
    }
    return status;
}

static sat_status read_vocabulary(conversion *c)
{
    const char *path = c->options->vocabulary_path;
    const int rows = c->report->description.text.vocabulary;
    file_map map;
    int64_t lines = 0;
    sat_status status = file_map_open(path, &map, c->error);
    if (status != SAT_OK) return status;
    if (map.size > (size_t)64 << 20)
        status = sat_fail(c->error, SAT_BAD_INPUT, "%zu MB are too much for a vocabulary; is this the right file?",
                          map.size >> 20);
    if (status == SAT_OK)
        status = convert_vocabulary((const char *)map.data, map.size, &c->vocabulary, &c->vocabulary_bytes, &lines,
                                    c->error);
    if (status == SAT_OK && lines != rows)
        status = sat_fail(c->error, SAT_BAD_INPUT,
                          "the vocabulary has %lld lines, but the text encoder's word table has %d rows: they "
                          "do not belong together",
                          (long long)lines, rows);
    file_map_close(&map);
    return status == SAT_OK ? SAT_OK : sat_fail_in(c->error, path, status);
}

/* ---------------------------------------------------------------- what the checkpoints hold */

__attribute__((format(printf, 2, 3))) static void problem(convert_report *report, const char *format, ...)
{
    if (report->problem_count++ >= CONVERT_PROBLEMS_MAX) return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(report->problems[report->problem_count - 1], sizeof report->problems[0], format, arguments);
    va_end(arguments);
}

static void shape_text(int dimensions, const int64_t *shape, char words[96])
{
    size_t at = (size_t)snprintf(words, 96, "(");
    for (int i = 0; i < dimensions && at < 72; i++)
        at += (size_t)snprintf(words + at, 96 - at, "%s%lld", i ? ", " : "", (long long)shape[i]);
    snprintf(words + at, 96 - at, ")");
}

static bool is_real(element_type type)
{
    return type == ELEMENT_FLOAT32 || type == ELEMENT_BFLOAT16 || type == ELEMENT_FLOAT16 || type == ELEMENT_FLOAT64;
}

/* Holds what is there against what the network needs, both ways. */
static sat_status compare(conversion *c, const part *p)
{
    convert_report *report = c->report;
    char expected[96], actual[96];
    for (size_t i = 0; i < p->needed.count; i++) {
        const model_tensor *needed = &p->needed.tensors[i];
        state_tensor *found = state_find(&p->state, needed->name);
        shape_text(needed->dimensions, needed->shape, expected);
        if (!found) {
            if (!needed->optional) problem(report, "missing: %.180s %s", needed->name, expected);
            continue;
        }
        found->known = true;
        const checkpoint_tensor *tensor = found->tensor;
        shape_text(tensor->dimensions, tensor->shape, actual);
        if (tensor->dimensions != needed->dimensions ||
            memcmp(tensor->shape, needed->shape, (size_t)needed->dimensions * sizeof *needed->shape) != 0)
            problem(report, "misshapen: %.100s is %s instead of %s", needed->name, actual, expected);
        else if (!is_real(tensor->type))
            problem(report, "misshapen: %.180s holds %s instead of floating-point numbers", needed->name,
                    element_name(tensor->type));
        else if ((uint64_t)tensor->elements > tensor->storage_bytes / element_bytes(tensor->type))
            problem(report, "misshapen: %.180s repeats its elements",
                    needed->name); /* no parameter is an expanded view */
    }
    for (size_t i = 0; i < p->state.count; i++) {
        if (p->state.tensors[i].known) continue;
        shape_text(p->state.tensors[i].tensor->dimensions, p->state.tensors[i].tensor->shape, actual);
        problem(report, "unexpected: %.180s %s", p->state.tensors[i].name, actual);
    }
    if (!report->problem_count) return SAT_OK;
    sat_fail(c->error, SAT_BAD_INPUT,
             "the tensors are not those of a network that is known; %zu problem%s, first %.300s", report->problem_count,
             report->problem_count > 1 ? "s" : "", report->problems[0]);
    return sat_fail_in(c->error, p->path, SAT_BAD_INPUT);
}

static sat_status open_part(conversion *c, part *p, const char *path)
{
    p->path = path;
    sat_status status = checkpoint_open(path, &p->file, c->error);
    if (status != SAT_OK) return status;
    status = state_list(&p->file, &p->state, c->error);
    c->report->aliases += p->state.aliases;
    c->report->ignored += p->state.ignored;
    c->report->other_tensors += p->file.other_tensors;
    return status == SAT_OK ? SAT_OK : sat_fail_in(c->error, path, status);
}

/* Shapes can't tell the heads: a known variant with other heads than asked for deserves a remark. */
static void look_for_sibling(convert_report *report)
{
    for (const char *const *name = model_variant_names(); *name; name++) {
        model_description known;
        vision_sizes vision = report->description.vision;
        if (!model_variant(*name, &known) || vision.query_heads == known.vision.query_heads) continue;
        vision.query_heads = known.vision.query_heads;
        if (strcmp(model_variant_name(&vision), *name) != 0) continue;
        snprintf(report->variant_but_heads, sizeof report->variant_but_heads, "%s", *name);
        report->variant_query_heads = known.vision.query_heads;
    }
}

static sat_status open_vision(conversion *c)
{
    model_description *d = &c->report->description;
    sat_status status = open_part(c, &c->vision, c->options->model_path);
    if (status != SAT_OK) return status;
    d->vision.query_heads = c->options->query_heads;
    status = infer_vision(&c->vision.state, &d->vision, c->error);
    c->report->vision_step = c->vision.file.step;
    snprintf(d->variant, sizeof d->variant, "%s", model_variant_name(&d->vision));
    look_for_sibling(c->report);
    return status == SAT_OK ? SAT_OK : sat_fail_in(c->error, c->vision.path, status);
}

static sat_status open_text(conversion *c)
{
    text_sizes *t = &c->report->description.text;
    const int asked = c->options->text_heads;
    sat_status status = open_part(c, &c->text, c->options->text_path);
    if (status != SAT_OK) return status;
    t->heads = asked ? asked : 12; /* BERT's at width 768, which no shape tells */
    status = infer_text(&c->text.state, t, c->error);
    if (status != SAT_OK) return sat_fail_in(c->error, c->text.path, status);
    if (asked && t->heads != asked)
        return sat_fail(c->error, SAT_BAD_ARGUMENT,
                        "--text-heads %d contradicts the text encoder, whose table of relative positions "
                        "is for %d heads",
                        asked, t->heads);
    c->report->text_step = c->text.file.step;
    c->report->modality_rows_unused = t->modality_rows > 4;
    return SAT_OK;
}

static bool is_utf8(const char *words)
{
    utf8proc_int32_t codepoint;
    for (utf8proc_ssize_t step; *words; words += step) {
        step = utf8proc_iterate((const utf8proc_uint8_t *)words, -1, &codepoint);
        if (step <= 0) return false;
    }
    return true;
}

/* Opens both, infers, compares; after this the output's every tensor is known to be there. */
static sat_status understand(conversion *c)
{
    model_description *d = &c->report->description;
    const convert_options *o = c->options;
    d->intensity = o->intensity;
    memcpy(d->window, o->window, sizeof d->window);
    memcpy(d->spacing_mm, o->spacing_mm, sizeof d->spacing_mm);
    if (o->licence && strlen(o->licence) >= sizeof d->licence)
        return sat_fail(c->error, SAT_BAD_ARGUMENT, "the licence has %zu bytes, %zu is the most: name it in short",
                        strlen(o->licence), sizeof d->licence - 1);
    if (o->licence && !is_utf8(o->licence)) return sat_fail(c->error, SAT_BAD_ARGUMENT, "the licence is not UTF-8 text");
    snprintf(d->licence, sizeof d->licence, "%s", o->licence ? o->licence : "");

    sat_status status = open_vision(c);
    if (status == SAT_OK && o->text_path) status = open_text(c);
    if (status == SAT_OK) status = model_description_check(d, c->error);
    if (status == SAT_OK) status = model_tensors_vision(&d->vision, &c->vision.needed, c->error);
    if (status == SAT_OK) status = compare(c, &c->vision);
    if (status == SAT_OK) status = model_tensors_text(&d->text, &c->text.needed, c->error);
    if (status == SAT_OK && o->text_path) status = compare(c, &c->text);
    if (status == SAT_OK && o->text_path) status = read_vocabulary(c);
    c->report->vision_parameters = model_tensors_parameters(&c->vision.needed, MODEL_PARTS);
    c->report->text_parameters = model_tensors_parameters(&c->text.needed, MODEL_PARTS);
    return status;
}

/* ---------------------------------------------------------------- provenance */

/* The file's name without folders; bytes that are not UTF-8 become question marks, since JSON can't hold them. */
static void name_source(const char *path, char name[128])
{
    const char *slash = strrchr(path, '/');
    snprintf(name, 128, "%s", slash ? slash + 1 : path);
    for (size_t at = 0, length = strlen(name); at < length;) {
        utf8proc_int32_t codepoint;
        const utf8proc_ssize_t step =
            utf8proc_iterate((const utf8proc_uint8_t *)name + at, (utf8proc_ssize_t)(length - at), &codepoint);
        if (step <= 0) name[at] = '?';
        at += step > 0 ? (size_t)step : 1;
    }
}

static sat_status hash_source(conversion *c, const part *p, char name[128], char sha256[HASH_SHA256_TEXT])
{
    const size_t piece = (size_t)16 << 20;
    const file_map *map = &p->file.map;
    hash_sha256 h;
    hash_sha256_begin(&h);
    for (size_t at = 0; at < map->size; at += piece) {
        const size_t take = map->size - at < piece ? map->size - at : piece;
        hash_sha256_add(&h, map->data + at, take);
        file_map_forget(map, map->data + at, take);
        progress_add(c->watch, take);
        if (progress_cancelled(c->watch)) return progress_check(c->watch, c->error);
    }
    hash_sha256_end(&h, sha256);
    name_source(p->path, name);
    return SAT_OK;
}

static sat_status hash_sources(conversion *c)
{
    model_description *d = &c->report->description;
    progress_begin(c->watch, "hashing", c->vision.file.map.size + c->text.file.map.size);
    sat_status status = hash_source(c, &c->vision, d->model_source_name, d->model_source_sha256);
    if (status == SAT_OK && c->text.path) status = hash_source(c, &c->text, d->text_source_name, d->text_source_sha256);
    progress_end(c->watch);
    return status;
}

/* ---------------------------------------------------------------- writing */

/* One tensor of the output and where it comes from; the vocabulary has no tensor. */
typedef struct output_tensor {
    char name[2 * MODEL_NAME_MAX];
    const part *from;
    const checkpoint_tensor *tensor;
} output_tensor;

enum {
    PIECE = 1 << 20, /* elements converted at a time                               */
    PIECES_KEPT = 8, /* after so many the mapping's pages are given back to the system */
};

typedef struct pieces {
    void *raw; /* as stored, at most 8 bytes an element */
    float *values;
    void *converted;
} pieces;

static sat_status write_tensor(conversion *c, safetensors_writer *w, const output_tensor *output, element_type type,
                               pieces *p)
{
    const checkpoint_tensor *tensor = output->tensor;
    const file_map *map = &output->from->file.map;
    const bool whole = checkpoint_is_whole(tensor);
    uint32_t crc = 0;
    sat_status status = SAT_OK;
    for (int64_t at = 0; status == SAT_OK && at < tensor->elements; at += PIECE) {
        const size_t take = tensor->elements - at < PIECE ? (size_t)(tensor->elements - at) : PIECE;
        checkpoint_read(tensor, at, take, p->raw);
        if (whole) crc = libdeflate_crc32(crc, p->raw, take * element_bytes(tensor->type));
        /* Each byte is read once: what is done must not stay in memory, a tensor may have half a gigabyte. */
        if (at / PIECE % PIECES_KEPT == PIECES_KEPT - 1) file_map_forget(map, tensor->storage, tensor->storage_bytes);
        elements_to_float(tensor->type, p->raw, take, p->values);
        float worst = 0; /* zero times a finite number is zero */
        for (size_t i = 0; i < take; i++)
            worst += p->values[i] * 0.0f;
        if (isnan(worst)) {
            sat_fail(c->error, SAT_BAD_INPUT,
                     "the tensor %.200s holds values that are not numbers: this training diverged", tensor->name);
            return sat_fail_in(c->error, output->from->path, SAT_BAD_INPUT);
        }
        elements_from_float(type, p->values, take, p->converted);
        status = safetensors_write(w, p->converted, take * element_bytes(type), c->error);
        progress_add(c->watch, take * element_bytes(type));
        if (status == SAT_OK && progress_cancelled(c->watch)) status = progress_check(c->watch, c->error);
    }
    if (status == SAT_OK && !(whole ? crc == tensor->storage_crc32 : checkpoint_intact(tensor)))
        c->report->damaged_storages++;
    file_map_forget(map, tensor->storage, tensor->storage_bytes);
    return status;
}

static void plan_part(conversion *c, const part *p, const char *prefix, output_tensor *outputs,
                      safetensors_tensor *tensors, size_t *count)
{
    for (size_t i = 0; i < p->needed.count; i++) {
        const model_tensor *needed = &p->needed.tensors[i];
        const state_tensor *found = state_find(&p->state, needed->name);
        if (!found) continue; /* optional */
        if (strstr(needed->name, "pooler")) c->report->text_pooler = true;
        output_tensor *output = &outputs[*count];
        *output = (output_tensor){.from = p, .tensor = found->tensor};
        snprintf(output->name, sizeof output->name, "%s%s", prefix, needed->name);
        tensors[*count] = (safetensors_tensor){.name = output->name,
                                               .type = needed->exact ? ELEMENT_FLOAT32 : c->options->type,
                                               .dimensions = needed->dimensions};
        memcpy(tensors[*count].shape, needed->shape, sizeof needed->shape);
        ++*count;
    }
}

static sat_status write_file(conversion *c, const output_tensor *outputs, const safetensors_tensor *tensors,
                             size_t count, const char *description, pieces *p)
{
    const char *const keys[] = {"format",
                                MODEL_FILE_METADATA}; /* "format": the framework, as Python's readers expect it */
    const char *const values[] = {"pt", description};
    safetensors_writer w;
    sat_status status = safetensors_create(c->options->output_path, tensors, count, keys, values, 2, &w, c->error);
    if (status != SAT_OK) return status;
    progress_begin(c->watch, "writing", w.total_bytes);
    for (size_t i = 0; status == SAT_OK && i < count; i++) {
        size_t k = 0;
        while (outputs[k].name != tensors[i].name) /* arranging changed the order, the names lie where they lay */
            k++;
        if (outputs[k].tensor)
            status = write_tensor(c, &w, &outputs[k], tensors[i].type, p);
        else
            status = safetensors_write(&w, c->vocabulary, c->vocabulary_bytes, c->error);
    }
    c->report->output_bytes = w.header_bytes + w.total_bytes;
    if (status == SAT_OK) status = safetensors_commit(&w, c->error);
    safetensors_abandon(&w);
    progress_end(c->watch);
    return status;
}

static sat_status write_model(conversion *c)
{
    const size_t most = c->vision.needed.count + c->text.needed.count + 1;
    output_tensor *outputs = calloc(most, sizeof *outputs);
    safetensors_tensor *tensors = calloc(most, sizeof *tensors);
    pieces p = {.raw = malloc(PIECE * sizeof(double)),
                .values = malloc(PIECE * sizeof(float)),
                .converted = malloc(PIECE * sizeof(float))};
    json_t *json = model_description_to_json(&c->report->description);
    char *description = json_text(json, JSON_ONE_LINE, JSON_AS_INSERTED, NULL);
    size_t count = 0;
    sat_status status = SAT_OK;
    if (!outputs || !tensors || !p.raw || !p.values || !p.converted || !description)
        status = sat_fail(c->error, SAT_NO_MEMORY, "no memory for the conversion");
    if (status == SAT_OK) {
        plan_part(c, &c->vision, "", outputs, tensors, &count);
        plan_part(c, &c->text, MODEL_FILE_TEXT_PREFIX, outputs, tensors, &count);
        if (c->vocabulary) {
            snprintf(outputs[count].name, sizeof outputs[count].name, MODEL_FILE_VOCABULARY);
            tensors[count] = (safetensors_tensor){.name = outputs[count].name,
                                                  .type = ELEMENT_UINT8,
                                                  .dimensions = 1,
                                                  .shape = {(int64_t)c->vocabulary_bytes}};
            count++;
        }
        status = safetensors_arrange(tensors, count, c->error);
    }
    if (status == SAT_OK) status = write_file(c, outputs, tensors, count, description, &p);
    json_decref(json);
    free(description);
    free(p.raw);
    free(p.values);
    free(p.converted);
    free(tensors);
    free(outputs);
    return status;
}

/* ---------------------------------------------------------------- the whole */

static void close_part(part *p)
{
    model_tensors_free(&p->needed);
    state_free(&p->state);
    checkpoint_close(&p->file);
}

sat_status convert_checkpoints(const convert_options *options, progress *watch, convert_report *report,
                               sat_error *error)
{
    conversion c = {.options = options, .report = report, .watch = watch, .error = error};
    *report = (convert_report){.vision_step = -1, .text_step = -1};
    if (!options->text_path != !options->vocabulary_path)
        return sat_fail(error, SAT_BAD_ARGUMENT, "--text and --vocab belong together: give both or neither");
    if (options->type != ELEMENT_FLOAT32 && options->type != ELEMENT_BFLOAT16)
        return sat_fail(error, SAT_BAD_ARGUMENT, "a model file holds float32 or bfloat16, not %s",
                        element_name(options->type));
    if (file_same(options->output_path, options->model_path) ||
        (options->text_path && file_same(options->output_path, options->text_path))) {
        sat_fail(error, SAT_BAD_ARGUMENT,
                 "the output would replace a checkpoint that is converted; give another name to -o");
        return sat_fail_in(error, options->output_path, SAT_BAD_ARGUMENT);
    }
    sat_status status = understand(&c);
    if (status == SAT_OK && !options->check_only) status = hash_sources(&c);
    if (status == SAT_OK && !options->check_only) status = write_model(&c);
    close_part(&c.vision);
    close_part(&c.text);
    free(c.vocabulary);
    return status;
}
