#include "segment/manifest.h"

#include "base/file.h"
#include "base/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINES_MAX = 10000000 };

static void line_free(manifest_line *line)
{
    for (int i = 0; line->labels && i < line->label_count; i++)
        free(line->labels[i]);
    free(line->labels);
    free(line->image);
    free(line->modality);
    free(line->dataset);
    free(line->orientation_code);
    free(line->refusal);
    *line = (manifest_line){0};
}

void manifest_free(manifest *m)
{
    for (int i = 0; i < m->count; i++)
        line_free(&m->lines[i]);
    free(m->lines);
    *m = (manifest){0};
}

static sat_status short_of_memory(sat_error *error) { return sat_fail(error, SAT_NO_MEMORY, "no memory for the manifest"); }

static sat_status copy_text(const char *words, char **copy, sat_error *error)
{
    const size_t size = strlen(words) + 1;
    *copy = malloc(size);
    if (!*copy) return short_of_memory(error);
    memcpy(*copy, words, size);
    return SAT_OK;
}

/* ---------------------------------------------------------------- one line */

/* A text field; an optional one that is missing, null or empty leaves *value NULL. */
static sat_status take_text(const json_t *object, const char *key, json_need need, char **value, sat_error *error)
{
    char words[MANIFEST_TEXT_MAX] = "";
    sat_status status = json_field_text(object, "", key, need, words, sizeof words, error);
    if (status == SAT_OK && !words[0] && need == JSON_REQUIRED) status = sat_fail(error, SAT_BAD_INPUT, "%s is empty", key);
    return status == SAT_OK && words[0] ? copy_text(words, value, error) : status;
}

static sat_status take_labels(const json_t *object, manifest_line *line, sat_error *error)
{
    const json_t *labels = NULL;
    sat_status status = json_field_array(object, "", "label", JSON_OPTIONAL, 1, MANIFEST_LABELS_MAX, &labels, error);
    if (status != SAT_OK || !labels) return status;
    const size_t count = json_array_size(labels);
    line->labels = calloc(count, sizeof *line->labels);
    if (!line->labels) return short_of_memory(error);
    for (size_t i = 0; i < count && status == SAT_OK; i++) {
        const char *word = json_string_value(json_array_get(labels, i));
        if (!word || !*word || strlen(word) >= MANIFEST_TEXT_MAX)
            return sat_fail(error, SAT_BAD_INPUT, "label[%zu] is not a text of 1 to %d bytes", i, MANIFEST_TEXT_MAX - 1);
        status = copy_text(word, &line->labels[line->label_count++], error);
    }
    return status;
}

static sat_status parse_line(const char *bytes, size_t size, manifest_line *line, sat_error *error)
{
    json_t *object = NULL;
    sat_status status = json_parse(bytes, size, &object, error);
    if (status == SAT_OK && !json_is_object(object))
        status = sat_fail(error, SAT_BAD_INPUT, "expected an object such as {\"image\": \"scan.nii.gz\", \"label\": [\"liver\"], ...}");
    if (status == SAT_OK) status = take_text(object, "image", JSON_REQUIRED, &line->image, error);
    if (status == SAT_OK) status = take_labels(object, line, error);
    if (status == SAT_OK) status = take_text(object, "modality", JSON_OPTIONAL, &line->modality, error);
    if (status == SAT_OK) status = take_text(object, "dataset", JSON_OPTIONAL, &line->dataset, error);
    if (status == SAT_OK) status = take_text(object, "orientation_code", JSON_OPTIONAL, &line->orientation_code, error);
    json_decref(object);
    return status;
}

/* ---------------------------------------------------------------- all lines */

/* Only a shortage of memory is a failure here. */
static sat_status add_line(manifest *m, int number, const char *bytes, size_t size, sat_error *error)
{
    manifest_line *line = &m->lines[m->count++];
    sat_error complaint = {0};
    *line = (manifest_line){0};
    const sat_status status = parse_line(bytes, size, line, &complaint);
    if (status == SAT_NO_MEMORY) return short_of_memory(error);
    if (status != SAT_OK) {
        char sentence[sizeof complaint.message + 32];
        char *within = strstr(complaint.message, "line 1, "); /* the parser saw one line only */
        if (within) memmove(within, within + strlen("line 1, "), strlen(within + strlen("line 1, ")) + 1);
        snprintf(sentence, sizeof sentence, "line %d: %s", number, complaint.message);
        line_free(line);
        m->bad_count++;
        if (copy_text(sentence, &line->refusal, error) != SAT_OK) return SAT_NO_MEMORY;
    }
    line->number = number;
    return SAT_OK;
}

static bool is_blank(const char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (bytes[i] != ' ' && bytes[i] != '\t' && bytes[i] != '\r') return false;
    return true;
}

static size_t line_length(const char *at, size_t left)
{
    const char *end = memchr(at, '\n', left);
    return end ? (size_t)(end - at) : left;
}

/* Lines that hold anything. */
static size_t count_lines(const char *text, size_t size)
{
    size_t count = 0;
    for (size_t at = 0, length; at < size; at += length + 1) {
        length = line_length(text + at, size - at);
        count += !is_blank(text + at, length);
    }
    return count;
}

sat_status manifest_parse(const void *bytes, size_t size, manifest *m, sat_error *error)
{
    *m = (manifest){0};
    const char *text = bytes;
    if (size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) text += 3, size -= 3;
    const size_t count = size ? count_lines(text, size) : 0;
    if (count == 0) return sat_fail(error, SAT_BAD_INPUT, "the manifest is empty; expected one scan a line");
    if (count > LINES_MAX) return sat_fail(error, SAT_BAD_INPUT, "more than %d lines", LINES_MAX);
    m->lines = malloc(count * sizeof *m->lines);
    if (!m->lines) return short_of_memory(error);
    sat_status status = SAT_OK;
    int number = 1;
    for (size_t at = 0, length; at < size && status == SAT_OK; at += length + 1, number++) {
        length = line_length(text + at, size - at);
        if (!is_blank(text + at, length)) status = add_line(m, number, text + at, length, error);
    }
    if (status == SAT_OK && m->bad_count == m->count) status = sat_fail(error, SAT_BAD_INPUT, "%s", m->lines[0].refusal);
    if (status != SAT_OK) manifest_free(m);
    return status;
}

sat_status manifest_read(const char *path, manifest *m, sat_error *error)
{
    *m = (manifest){0};
    file_map map;
    sat_status status = file_map_open(path, &map, error);
    if (status != SAT_OK) return status;
    status = manifest_parse(map.data, map.size, m, error);
    file_map_close(&map);
    return status == SAT_OK ? status : sat_fail_in(error, path, status);
}
