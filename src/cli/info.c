/* sat3d info: what is in a file. */
#include "base/json.h"
#include "base/text.h"
#include "cli/describe.h"
#include "cli/verbs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct info_settings {
    common_settings common;
    bool tensors, verify;
} info_settings;

/* clang-format off */
#define FIELD(f) offsetof(info_settings, f)
static const option info_options[] = {
    {.name = "tensors", .kind = OPTION_FLAG, .offset = FIELD(tensors), .help = "list every tensor of a model file, too"},
    {.name = "verify", .kind = OPTION_FLAG, .offset = FIELD(verify),
     .help = "read a model file whole and compare it with the hash that it carries"},
    {.name = NULL},
};
#undef FIELD
/* clang-format on */

enum { INDENT = 2, LABEL_COLUMN = 34, TEXT_BYTES_MAX = 1 << 28 };

/* 219865344 as 219,865,344, which can be read. */
static void add_integer(text *out, json_int_t value)
{
    char digits[32];
    const int length = snprintf(digits, sizeof digits, "%" JSON_INTEGER_FORMAT, value);
    for (int i = 0; i < length; i++) {
        text_add_bytes(out, digits + i, 1);
        if (digits[i] != '-' && (length - i - 1) % 3 == 0 && i + 1 < length) text_add(out, ",");
    }
}

static void add_plain(text *out, const json_t *value)
{
    char words[32];
    if (json_is_string(value))
        text_add(out, *json_string_value(value) ? json_string_value(value) : "unknown");
    else if (json_is_integer(value))
        add_integer(out, json_integer_value(value));
    else if (json_is_boolean(value))
        text_add(out, json_is_true(value) ? "yes" : "no");
    else if (json_is_null(value))
        text_add(out, "none");
    else if (json_is_real(value)) {
        snprintf(words, sizeof words, "%.6g", json_real_value(value));
        text_add(out, words);
    }
}

/* "288 x 288 x 96": numbers that belong together. */
static void add_numbers(text *out, const json_t *array, const char *between)
{
    size_t i;
    const json_t *element;
    json_array_foreach(array, i, element)
    {
        if (i) text_add(out, json_is_string(element) ? "; " : between);
        add_plain(out, element);
    }
    if (json_array_size(array) == 0) text_add(out, "none");
}

static void add_key(text *out, const char *key, int level)
{
    text_pad(out, ' ', (size_t)(INDENT * level));
    for (; *key; key++)
        text_add_bytes(out, *key == '_' ? " " : key, 1);
}

/* The key and the way to the column of values. */
static void add_label(text *out, const char *key, int level)
{
    const size_t begin = out->length;
    add_key(out, key, level);
    const size_t width = out->length - begin;
    text_pad(out, ' ', width < LABEL_COLUMN ? LABEL_COLUMN - width : 1);
}

/* Rows of numbers, as they stand in a matrix. */
static void add_matrix(text *out, const json_t *rows)
{
    size_t i, k;
    const json_t *row, *number;
    json_array_foreach(rows, i, row)
    {
        if (i) text_add(out, ";");
        json_array_foreach(row, k, number)
        {
            if (i || k) text_add(out, " ");
            add_plain(out, number);
        }
    }
}

/* Objects with a name, a type and a shape, one a line. */
static void add_tensors(text *out, const json_t *tensors, int level)
{
    size_t i;
    const json_t *tensor;
    json_array_foreach(tensors, i, tensor)
    {
        const json_t *shape = json_object_get(tensor, "shape");
        text_pad(out, ' ', (size_t)(INDENT * level));
        text_format(out, "%s  %s  ", json_string_value(json_object_get(tensor, "name")),
                    json_string_value(json_object_get(tensor, "type")));
        if (json_array_size(shape))
            add_numbers(out, shape, " x ");
        else
            text_add(out, "one number");
        text_add(out, "\n");
    }
}

/* Labels and values in two columns; what belongs to a field stands below it, indented. */
static void add_fields(text *out, const json_t *object, int level)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)object, key, value)
    {
        const json_t *first = json_array_get(value, 0);
        if (json_is_object(value) || json_is_object(first)) {
            add_key(out, key, level);
            text_add(out, "\n");
            if (first)
                add_tensors(out, value, level + 1);
            else
                add_fields(out, value, level + 1);
            continue;
        }
        add_label(out, key, level);
        if (json_is_array(first))
            add_matrix(out, value);
        else if (json_is_array(value))
            add_numbers(out, value, json_array_size(value) == 2 ? " to " : " x "); /* two are a range */
        else
            add_plain(out, value);
        text_add(out, "\n");
    }
}

static sat_status print_description(const json_t *description, bool json, sat_error *error)
{
    text out = text_open(TEXT_BYTES_MAX);
    char *words = NULL;
    if (json)
        words = json_text(description, JSON_PRETTY, JSON_AS_INSERTED, NULL);
    else
        add_fields(&out, description, 0);
    sat_status status = text_check(&out, error);
    if (json && !words) status = sat_fail(error, SAT_NO_MEMORY, "no memory for the description");
    if (status == SAT_OK) fputs(json ? words : out.data, stdout);
    free(words);
    text_free(&out);
    return status;
}

static sat_status info_run(verb_call *call, sat_error *error)
{
    const info_settings *s = call->settings;
    const describe_options options = {.tensors = s->tensors, .verify = s->verify};
    sat_status status = SAT_OK;
    for (int i = 0; i < call->operand_count; i++) {
        json_t *description = NULL;
        status = describe_file(call->operands[i], &options, &description, error);
        if (status == SAT_OK) {
            if (i && !s->common.json) putchar('\n');
            status = print_description(description, s->common.json, error);
            json_decref(description);
        }
        if (status == SAT_OK) continue;
        if (call->operand_count == 1) return status;
        verb_say(call, 0, "%s: %s", error->file[0] ? error->file : call->operands[i], error->message);
        call->failed_cases++;
        status = SAT_OK;
    }
    return status;
}

const verb verb_info = {
    .name = "info",
    .group = "Look",
    .summary = "what is in a model file, a checkpoint or a scan",
    .operands = "FILE...",
    .examples = "sat3d info nano.safetensors\nsat3d info --json scan.nii.gz\n",
    .text =
        "A model: variant, sizes, parameters, type, encoder, licence, and the hashes of the checkpoints that it was made from.\n"
        "A PyTorch checkpoint: its tensors. A scan: shape, spacing, orientation, type, and what is odd about its header.",
    .options = info_options,
    .settings_bytes = sizeof(info_settings),
    .least_operands = 1,
    .most_operands = -1,
    .run = info_run,
};
