#define SAT_BASE_JSON_PLAIN /* Jansson's own functions, not what stands before them */
#include "base/json.h"

#include "base/file.h"
#include "base/text.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------- reading */

sat_status json_parse(const void *bytes, size_t size, json_t **root, sat_error *error)
{
    json_error_t problem;
    /* Jansson mistakes some of its failing allocations for wrong text, and with others loses a letter; the C library tells. */
    errno = 0;
    *root = json_loadb(bytes ? bytes : "", size, JSON_REJECT_DUPLICATES, &problem);
    const bool short_of_memory = errno == ENOMEM;
    if (*root && !short_of_memory) return SAT_OK;
    json_decref(*root);
    *root = NULL;
    if (short_of_memory || json_error_code(&problem) == json_error_out_of_memory)
        return sat_fail(error, SAT_NO_MEMORY, "no memory for the JSON text");
    return sat_fail(error, SAT_BAD_INPUT, "not valid JSON: line %d, column %d: %s", problem.line, problem.column,
                    problem.text);
}

sat_status json_read(const char *path, json_t **root, sat_error *error)
{
    file_map map;
    *root = NULL;
    sat_status status = file_map_open(path, &map, error);
    if (status != SAT_OK) return status;
    status = json_parse(map.data, map.size, root, error);
    file_map_close(&map);
    return status == SAT_OK ? SAT_OK : sat_fail_in(error, path, status);
}

static const char *type_name(const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT: return "an object";
    case JSON_ARRAY: return "an array";
    case JSON_STRING: return "a text";
    case JSON_INTEGER: return "a whole number";
    case JSON_REAL: return "a number";
    case JSON_TRUE:
    case JSON_FALSE: return "true or false";
    case JSON_NULL: break;
    }
    return "null";
}

/* "the field vision.stages ...": every complaint about a field begins with its path. */
__attribute__((format(printf, 4, 5))) static sat_status complain(sat_error *error, const char *where, const char *key,
                                                                 const char *format, ...)
{
    char what[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    return sat_fail(error, SAT_BAD_INPUT, "the field %.120s%s%.60s %s", where, *where ? "." : "", key, what);
}

/* Finds the field; *value is NULL when it is optional and missing. */
static sat_status find(const json_t *object, const char *where, const char *key, json_need need, const json_t **value,
                       sat_error *error)
{
    *value = NULL;
    if (!json_is_object(object))
        return sat_fail(error, SAT_BAD_INPUT, "%s%s should be an object", *where ? "the field " : "the JSON text",
                        where);
    const json_t *found = json_object_get(object, key);
    if (found && !(json_is_null(found) && need == JSON_OPTIONAL)) *value = found;
    if (!*value && need == JSON_REQUIRED) return complain(error, where, key, "is missing");
    return SAT_OK;
}

sat_status json_field_integer(const json_t *object, const char *where, const char *key, json_need need, int64_t least,
                              int64_t most, int64_t *value, sat_error *error)
{
    const json_t *field;
    const sat_status status = find(object, where, key, need, &field, error);
    if (status != SAT_OK || !field) return status;
    if (!json_is_integer(field))
        return complain(error, where, key, "should be a whole number, but is %s", type_name(field));
    const int64_t number = json_integer_value(field);
    if (number < least || number > most)
        return complain(error, where, key, "is %lld, but must be between %lld and %lld", (long long)number,
                        (long long)least, (long long)most);
    *value = number;
    return SAT_OK;
}

sat_status json_field_int(const json_t *object, const char *where, const char *key, json_need need, int least, int most,
                          int *value, sat_error *error)
{
    int64_t number = *value;
    const sat_status status = json_field_integer(object, where, key, need, least, most, &number, error);
    if (status == SAT_OK) *value = (int)number;
    return status;
}

sat_status json_field_number(const json_t *object, const char *where, const char *key, json_need need, double *value,
                             sat_error *error)
{
    const json_t *field;
    const sat_status status = find(object, where, key, need, &field, error);
    if (status != SAT_OK || !field) return status;
    if (!json_is_number(field)) return complain(error, where, key, "should be a number, but is %s", type_name(field));
    *value = json_number_value(field);
    return SAT_OK;
}

sat_status json_field_boolean(const json_t *object, const char *where, const char *key, json_need need, bool *value,
                              sat_error *error)
{
    const json_t *field;
    const sat_status status = find(object, where, key, need, &field, error);
    if (status != SAT_OK || !field) return status;
    if (!json_is_boolean(field))
        return complain(error, where, key, "should be true or false, but is %s", type_name(field));
    *value = json_is_true(field);
    return SAT_OK;
}

sat_status json_field_text(const json_t *object, const char *where, const char *key, json_need need, char *value,
                           size_t capacity, sat_error *error)
{
    const json_t *field;
    const sat_status status = find(object, where, key, need, &field, error);
    if (status != SAT_OK || !field) return status;
    if (!json_is_string(field)) return complain(error, where, key, "should be a text, but is %s", type_name(field));
    const size_t length = json_string_length(field);
    if (length >= capacity)
        return complain(error, where, key, "is a text of %zu bytes, but %zu is the most", length, capacity - 1);
    memcpy(value, json_string_value(field), length + 1);
    return SAT_OK;
}

sat_status json_field_object(const json_t *object, const char *where, const char *key, json_need need,
                             const json_t **value, sat_error *error)
{
    const json_t *field;
    const sat_status status = find(object, where, key, need, &field, error);
    if (status != SAT_OK || !field) return status;
    if (!json_is_object(field)) return complain(error, where, key, "should be an object, but is %s", type_name(field));
    *value = field;
    return SAT_OK;
}

sat_status json_field_array(const json_t *object, const char *where, const char *key, json_need need, size_t least,
                            size_t most, const json_t **value, sat_error *error)
{
    const json_t *field;
    const sat_status status = find(object, where, key, need, &field, error);
    if (status != SAT_OK || !field) return status;
    if (!json_is_array(field)) return complain(error, where, key, "should be an array, but is %s", type_name(field));
    const size_t count = json_array_size(field);
    if (count < least || count > most)
        return complain(error, where, key, "has %zu elements, but %zu to %zu are expected", count, least, most);
    *value = field;
    return SAT_OK;
}

sat_status json_field_numbers(const json_t *object, const char *where, const char *key, json_need need, size_t count,
                              double *values, sat_error *error)
{
    const json_t *array = NULL;
    const sat_status status = json_field_array(object, where, key, need, count, count, &array, error);
    if (status != SAT_OK || !array) return status;
    for (size_t i = 0; i < count; i++)
        if (!json_is_number(json_array_get(array, i))) return complain(error, where, key, "should hold numbers only");
    for (size_t i = 0; i < count; i++)
        values[i] = json_number_value(json_array_get(array, i));
    return SAT_OK;
}

sat_status json_field_ints(const json_t *object, const char *where, const char *key, json_need need, size_t count,
                           int least, int most, int *values, sat_error *error)
{
    const json_t *array = NULL;
    const sat_status status = json_field_array(object, where, key, need, count, count, &array, error);
    if (status != SAT_OK || !array) return status;
    for (size_t i = 0; i < count; i++) {
        const json_t *element = json_array_get(array, i);
        if (!json_is_integer(element)) return complain(error, where, key, "should hold whole numbers only");
        if (json_integer_value(element) < least || json_integer_value(element) > most)
            return complain(error, where, key, "holds %lld, but each number must be between %d and %d",
                            (long long)json_integer_value(element), least, most);
    }
    for (size_t i = 0; i < count; i++)
        values[i] = (int)json_integer_value(json_array_get(array, i));
    return SAT_OK;
}

/* ---------------------------------------------------------------- building */

/* Since this thread's last json_text: like errno, and for the same reason. */
static _Thread_local bool was_short_of_memory;

static int noted(int result)
{
    if (result != 0) was_short_of_memory = true;
    return result;
}

int json_put(json_t *object, const char *key, json_t *value) { return noted(json_object_set_new(object, key, value)); }
int json_put_shared(json_t *object, const char *key, json_t *value) { return noted(json_object_set(object, key, value)); }
int json_put_all(json_t *object, json_t *others) { return noted(json_object_update(object, others)); }
int json_add(json_t *array, json_t *value) { return noted(json_array_append_new(array, value)); }

json_t *json_words(const char *words)
{
    errno = 0;
    json_t *made = json_string(words);
    if (made || errno == ENOMEM) return made;
    const size_t size = strlen(words) + 1;
    char *ascii = malloc(size);
    if (!ascii) return NULL;
    for (size_t i = 0; i < size; i++)
        ascii[i] = (unsigned char)words[i] < 0x80 ? words[i] : '?';
    made = json_string(ascii);
    free(ascii);
    return made;
}

/* ---------------------------------------------------------------- writing */

void json_number_text(double value, char words[32])
{
    for (int digits = 15; digits <= 17; digits++) { /* 17 always suffice, 15 nearly always */
        snprintf(words, 32, "%.*g", digits, value);
        if (strtod(words, NULL) == value) break;
    }
    for (char *at = words; *at; at++)
        if (*at == ',') *at = '.';                                         /* a locale's decimal comma */
    if (!strpbrk(words, ".eni")) strncat(words, ".0", 31 - strlen(words)); /* so that it reads back as a real */
}

/* A JSON text in the making. */
typedef struct json_builder {
    text out;
    json_layout layout;
    json_order order;
} json_builder;

static void append_line(json_builder *b, int level)
{
    if (b->layout != JSON_PRETTY) return;
    text_add(&b->out, "\n");
    text_pad(&b->out, ' ', 2 * (size_t)level);
}

static bool is_plain(const json_t *value) { return !json_is_object(value) && !json_is_array(value); }

static bool all_plain(const json_t *array)
{
    size_t i;
    const json_t *element;
    json_array_foreach(array, i, element) if (!is_plain(element)) return false;
    return true;
}

static void append_value(json_builder *b, const json_t *value, int level);

static void append_string(json_builder *b, const char *words, size_t length)
{
    text_add(&b->out, "\"");
    for (size_t from = 0, i = 0; i <= length; i++) {
        const unsigned char c = i < length ? (unsigned char)words[i] : '"';
        if (c >= 0x20 && c != '"' && c != '\\' && c != 0x7f) continue;
        text_add_bytes(&b->out, words + from, i - from);
        from = i + 1;
        if (i == length) break;
        char escape[8];
        const char *const named = strchr("\"\"\\\\\bb\ff\nn\rr\tt", c); /* pairs: character, its letter */
        if (c && named)
            snprintf(escape, sizeof escape, "\\%c", named[1]);
        else
            snprintf(escape, sizeof escape, "\\u%04x", c);
        text_add(&b->out, escape);
    }
    text_add(&b->out, "\"");
}

static void append_array(json_builder *b, const json_t *array, int level)
{
    const bool one_line = all_plain(array);
    size_t i;
    const json_t *element;
    text_add(&b->out, "[");
    json_array_foreach(array, i, element)
    {
        if (i) text_add(&b->out, one_line && b->layout == JSON_PRETTY ? ", " : ",");
        if (!one_line) append_line(b, level + 1);
        append_value(b, element, level + 1);
    }
    if (!one_line) append_line(b, level);
    text_add(&b->out, "]");
}

static int compare_keys(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void append_object(json_builder *b, const json_t *object, int level)
{
    const size_t count = json_object_size(object);
    const char **keys = malloc((count ? count : 1) * sizeof *keys);
    if (!keys) {
        b->out.no_memory = true;
        return;
    }
    size_t n = 0;
    void *at = json_object_iter((json_t *)(uintptr_t)object);
    for (; at && n < count; at = json_object_iter_next((json_t *)(uintptr_t)object, at))
        keys[n++] = json_object_iter_key(at);
    if (b->order == JSON_SORTED) qsort(keys, n, sizeof *keys, compare_keys);
    text_add(&b->out, "{");
    for (size_t i = 0; i < n; i++) {
        if (i) text_add(&b->out, ",");
        append_line(b, level + 1);
        append_string(b, keys[i], strlen(keys[i]));
        text_add(&b->out, b->layout == JSON_PRETTY ? ": " : ":");
        append_value(b, json_object_get(object, keys[i]), level + 1);
    }
    if (n) append_line(b, level);
    text_add(&b->out, "}");
    free(keys);
}

static void append_value(json_builder *b, const json_t *value, int level)
{
    char words[32];
    switch (json_typeof(value)) {
    case JSON_OBJECT: append_object(b, value, level); return;
    case JSON_ARRAY: append_array(b, value, level); return;
    case JSON_STRING: append_string(b, json_string_value(value), json_string_length(value)); return;
    case JSON_INTEGER: snprintf(words, sizeof words, "%" JSON_INTEGER_FORMAT, json_integer_value(value)); break;
    case JSON_REAL: json_number_text(json_real_value(value), words); break;
    case JSON_TRUE: snprintf(words, sizeof words, "true"); break;
    case JSON_FALSE: snprintf(words, sizeof words, "false"); break;
    case JSON_NULL: snprintf(words, sizeof words, "null"); break;
    }
    text_add(&b->out, words);
}

char *json_text(const json_t *root, json_layout layout, json_order order, size_t *length)
{
    const bool whole = root && !was_short_of_memory;
    was_short_of_memory = false;
    if (!whole) return NULL;
    json_builder b = {.out = text_open(SIZE_MAX / 4), .layout = layout, .order = order};
    append_value(&b, root, 0);
    if (layout == JSON_PRETTY) text_add(&b.out, "\n");
    if (length) *length = b.out.length;
    char *words = text_take(&b.out);
    text_free(&b.out);
    return words;
}

sat_status json_write(const char *path, const json_t *root, json_order order, sat_error *error)
{
    size_t length;
    char *words = json_text(root, JSON_PRETTY, order, &length);
    if (!words) {
        sat_fail(error, SAT_NO_MEMORY, "no memory for the JSON text");
        return sat_fail_in(error, path, SAT_NO_MEMORY);
    }
    const sat_status status = file_write_whole(path, words, length, error);
    free(words);
    return status;
}
