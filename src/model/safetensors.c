#include "model/safetensors.h"

#include "base/json.h"

#include <stdlib.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the format is little-endian, and files are used as mapped");

/* How the format spells the types that we know. */
static const struct {
    const char *name;
    element_type type;
} types[] = {
    {"F32", ELEMENT_FLOAT32}, {"BF16", ELEMENT_BFLOAT16}, {"F16", ELEMENT_FLOAT16}, {"F64", ELEMENT_FLOAT64},
    {"I64", ELEMENT_INT64},   {"I32", ELEMENT_INT32},     {"I16", ELEMENT_INT16},   {"I8", ELEMENT_INT8},
    {"U8", ELEMENT_UINT8},    {"BOOL", ELEMENT_BOOL},
};
enum { TYPES = sizeof types / sizeof *types };

static const char *type_text(element_type type)
{
    for (int i = 0; i < TYPES; i++)
        if (types[i].type == type) return types[i].name;
    abort(); /* the table above lacks a new element type */
}

/* Bytes from type and shape; false when they do not fit 64 bits. */
static bool byte_size(const safetensors_tensor *tensor, uint64_t *bytes)
{
    *bytes = element_bytes(tensor->type);
    for (int i = 0; i < tensor->dimensions; i++)
        if (tensor->shape[i] < 0 || __builtin_mul_overflow(*bytes, (uint64_t)tensor->shape[i], bytes)) return false;
    return true;
}

/* ---------------------------------------------------------------- reading */

static sat_status parse_type(const json_t *entry, const char *name, element_type *type, sat_error *error)
{
    char text[16] = "";
    const sat_status status = json_field_text(entry, name, "dtype", JSON_REQUIRED, text, sizeof text, error);
    if (status != SAT_OK) return status;
    for (int i = 0; i < TYPES; i++)
        if (strcmp(text, types[i].name) == 0) {
            *type = types[i].type;
            return SAT_OK;
        }
    return sat_fail(error, SAT_BAD_INPUT, "the tensor %.120s has the type %s, which is not supported", name, text);
}

static sat_status parse_tensor(const json_t *entry, const char *name, uint64_t header_bytes, uint64_t data_bytes,
                               safetensors_tensor *tensor, sat_error *error)
{
    const json_t *shape = NULL, *offsets = NULL, *size;
    *tensor = (safetensors_tensor){.name = name};
    sat_status status = parse_type(entry, name, &tensor->type, error);
    if (status == SAT_OK)
        status = json_field_array(entry, name, "shape", JSON_REQUIRED, 0, SAFETENSORS_DIMENSIONS_MAX, &shape, error);
    if (status == SAT_OK) status = json_field_array(entry, name, "data_offsets", JSON_REQUIRED, 2, 2, &offsets, error);
    if (status != SAT_OK) return status;
    const json_t *from = json_array_get(offsets, 0), *to = json_array_get(offsets, 1);
    if (!json_is_integer(from) || !json_is_integer(to))
        return sat_fail(error, SAT_BAD_INPUT, "the offsets of %.120s are not whole numbers", name);
    size_t i;
    json_array_foreach(shape, i, size)
    {
        if (!json_is_integer(size) || json_integer_value(size) < 0)
            return sat_fail(error, SAT_BAD_INPUT, "the shape of %.120s holds something that is no size", name);
        tensor->shape[tensor->dimensions++] = json_integer_value(size);
    }
    const int64_t begin = json_integer_value(from), end = json_integer_value(to);
    uint64_t expected;
    if (begin < 0 || end < begin || (uint64_t)end > data_bytes)
        return sat_fail(error, SAT_BAD_INPUT,
                        "the tensor %.120s should lie at bytes %lld to %lld, but the file has only %llu "
                        "after its header; was it cut off?",
                        name, (long long)begin, (long long)end, (unsigned long long)data_bytes);
    if (!byte_size(tensor, &expected) || expected != (uint64_t)(end - begin))
        return sat_fail(error, SAT_BAD_INPUT, "the shape and type of %.120s do not fit its %lld bytes", name,
                        (long long)(end - begin));
    tensor->offset = header_bytes + (uint64_t)begin;
    tensor->bytes = expected;
    return SAT_OK;
}

static sat_status parse_metadata(const json_t *metadata, sat_error *error)
{
    const char *key;
    json_t *value;
    if (!json_is_object(metadata)) return sat_fail(error, SAT_BAD_INPUT, "the header's __metadata__ is not an object");
    json_object_foreach((json_t *)(uintptr_t)metadata, key, value)
    {
        if (!json_is_string(value))
            return sat_fail(error, SAT_BAD_INPUT, "the header's __metadata__.%.120s is not a text", key);
    }
    return SAT_OK;
}

static int by_offset(const void *a, const void *b)
{
    const safetensors_tensor *x = a, *y = b;
    if (x->offset != y->offset) return x->offset < y->offset ? -1 : 1;
    return (x->bytes > y->bytes) - (x->bytes < y->bytes); /* an empty one before its neighbour */
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const safetensors_tensor *)a)->name, ((const safetensors_tensor *)b)->name);
}

/* The format forbids holes, overlaps and trailing bytes: nothing can hide in a file. */
static sat_status check_gapless(safetensors *file, sat_error *error)
{
    uint64_t at = file->header_bytes;
    if (file->count) qsort(file->tensors, file->count, sizeof *file->tensors, by_offset);
    for (size_t i = 0; i < file->count; i++) {
        if (file->tensors[i].offset != at)
            return sat_fail(error, SAT_BAD_INPUT, "the tensor %.120s %s; the file is damaged", file->tensors[i].name,
                            file->tensors[i].offset < at ? "overlaps another" : "has a hole before it");
        at += file->tensors[i].bytes;
    }
    if (at != file->size)
        return sat_fail(error, SAT_BAD_INPUT, "%llu bytes after the last tensor belong to nothing; the file is damaged",
                        (unsigned long long)(file->size - at));
    return SAT_OK;
}

static sat_status parse_header(safetensors *file, sat_error *error)
{
    if (file->size < 8)
        return sat_fail(error, SAT_BAD_INPUT, "%zu bytes are too few for a safetensors file; was it cut off?",
                        file->size);
    uint64_t length;
    memcpy(&length, file->data, sizeof length);
    if (length < 2 || length > SAFETENSORS_HEADER_MAX || (file->size > 8 && file->data[8] != '{'))
        return sat_fail(error, SAT_BAD_INPUT, "this is not a safetensors file: it does not begin with a header");
    if (length > file->size - 8)
        return sat_fail(error, SAT_BAD_INPUT,
                        "the header should have %llu bytes, but the file ends after %zu; was it cut off?",
                        (unsigned long long)length, file->size);
    file->header_bytes = 8 + (size_t)length;

    json_t *root;
    sat_status status = json_parse(file->data + 8, (size_t)length, &root, error);
    if (status != SAT_OK) return status;
    file->json = root;
    file->tensors = calloc(json_object_size(root) + 1, sizeof *file->tensors);
    if (!file->tensors) return sat_fail(error, SAT_NO_MEMORY, "no memory for the list of tensors");
    const char *name;
    json_t *entry;
    json_object_foreach(root, name, entry)
    {
        if (strcmp(name, "__metadata__") == 0)
            status = parse_metadata(entry, error);
        else
            status = parse_tensor(entry, name, file->header_bytes, file->size - file->header_bytes,
                                  &file->tensors[file->count++], error);
        if (status != SAT_OK) return status;
    }
    status = check_gapless(file, error);
    if (file->count) qsort(file->tensors, file->count, sizeof *file->tensors, by_name);
    return status;
}

sat_status safetensors_parse(const void *data, size_t size, safetensors *file, sat_error *error)
{
    *file = (safetensors){.data = data, .size = size};
    const sat_status status = parse_header(file, error);
    if (status != SAT_OK) safetensors_free(file);
    return status;
}

void safetensors_free(safetensors *file)
{
    json_decref(file->json);
    free(file->tensors);
    *file = (safetensors){0};
}

const safetensors_tensor *safetensors_find(const safetensors *file, const char *name)
{
    const safetensors_tensor key = {.name = name};
    return file->count ? bsearch(&key, file->tensors, file->count, sizeof key, by_name) : NULL;
}

const char *safetensors_metadata(const safetensors *file, const char *key)
{
    return json_string_value(json_object_get(json_object_get(file->json, "__metadata__"), key));
}

/* ---------------------------------------------------------------- writing */

/* The largest power of two that divides `bytes`, 64 at most; nothing is aligned as everything. */
static unsigned alignment_of(uint64_t bytes)
{
    unsigned alignment = SAFETENSORS_ALIGNMENT;
    while (bytes % alignment != 0)
        alignment /= 2;
    return alignment;
}

sat_status safetensors_arrange(safetensors_tensor *tensors, size_t count, sat_error *error)
{
    safetensors_tensor *sorted = malloc((count + 1) * sizeof *sorted);
    if (!sorted) return sat_fail(error, SAT_NO_MEMORY, "no memory for the list of tensors");
    uint64_t at = 0;
    size_t placed = 0;
    sat_status status = SAT_OK;
    for (size_t i = 0; status == SAT_OK && i < count; i++)
        if (!byte_size(&tensors[i], &tensors[i].bytes) || tensors[i].bytes > INT64_MAX / (count + 1))
            status = sat_fail(error, SAT_BAD_ARGUMENT, "the tensor %.120s is too large to be written", tensors[i].name);
    /* Sizes that 64 divides first, then 32, ...: each class begins where the one before ended, aligned as it needs. */
    for (unsigned alignment = SAFETENSORS_ALIGNMENT; status == SAT_OK && alignment >= 1; alignment /= 2)
        for (size_t i = 0; i < count; i++) {
            if (alignment_of(tensors[i].bytes) != alignment) continue;
            sorted[placed] = tensors[i];
            sorted[placed++].offset = at;
            at += tensors[i].bytes;
        }
    if (status == SAT_OK && count) memcpy(tensors, sorted, count * sizeof *sorted);
    free(sorted);
    return status;
}

/* {"dtype": ..., "shape": [...], "data_offsets": [...]}; NULL when memory is short. */
static json_t *describe(const safetensors_tensor *tensor)
{
    json_t *shape = json_array();
    for (int i = 0; i < tensor->dimensions; i++)
        json_array_append_new(shape, json_integer(tensor->shape[i]));
    return json_pack("{s:s, s:o, s:[I, I]}", "dtype", type_text(tensor->type), "shape", shape, "data_offsets",
                     (json_int_t)tensor->offset, (json_int_t)(tensor->offset + tensor->bytes));
}

static const char digest_placeholder[] = "0000000000000000000000000000000000000000000000000000000000000000";

/* The header's text, padded with spaces so that the tensors begin at a multiple of 64. Returns new, or NULL. */
static char *header_text(const safetensors_tensor *tensors, size_t count, const char *const *keys,
                         const char *const *values, size_t metadata_count, size_t *length, sat_error *error)
{
    json_t *root = json_object(), *metadata = json_object();
    bool whole =
        root && metadata && json_object_set_new(metadata, SAFETENSORS_DIGEST_KEY, json_string(digest_placeholder)) == 0;
    for (size_t i = 0; whole && i < metadata_count; i++)
        whole = json_object_set_new(metadata, keys[i], json_string(values[i])) == 0;
    whole = whole && json_object_set(root, "__metadata__", metadata) == 0;
    const char *twice = NULL;
    for (size_t i = 0; whole && !twice && i < count; i++) {
        if (json_object_get(root, tensors[i].name)) twice = tensors[i].name;
        whole = json_object_set_new(root, tensors[i].name, describe(&tensors[i])) == 0;
    }
    char *text = whole && !twice ? json_text(root, JSON_ONE_LINE, JSON_AS_INSERTED, length) : NULL;
    if (text) {
        const size_t padded =
            (8 + *length + SAFETENSORS_ALIGNMENT - 1) / SAFETENSORS_ALIGNMENT * SAFETENSORS_ALIGNMENT - 8;
        char *larger = realloc(text, padded + 1);
        if (larger) {
            memset(larger + *length, ' ', padded - *length);
            larger[padded] = '\0';
            *length = padded;
        } else {
            free(text);
        }
        text = larger;
    }
    if (twice)
        sat_fail(error, SAT_BAD_ARGUMENT, "two tensors are called %.120s", twice);
    else if (!text)
        sat_fail(error, SAT_NO_MEMORY, "no memory for the header, or a name or text in it is not UTF-8");
    json_decref(root);
    json_decref(metadata);
    return text;
}

sat_status safetensors_create(const char *path, const safetensors_tensor *tensors, size_t count,
                              const char *const *keys, const char *const *values, size_t metadata_count,
                              safetensors_writer *w, sat_error *error)
{
    *w = (safetensors_writer){.file = {.descriptor = -1}};
    sat_error own = {0};
    size_t length = 0;
    char *text = header_text(tensors, count, keys, values, metadata_count, &length, &own);
    if (!text) {
        if (error) *error = own;
        return own.code;
    }
    sat_status status = SAT_OK;
    if (length > SAFETENSORS_HEADER_MAX)
        status =
            sat_fail(error, SAT_BAD_ARGUMENT, "the header would have %zu bytes, more than the format allows", length);
    if (status == SAT_OK) status = file_create(path, &w->file, error);
    const uint64_t length64 = length;
    if (status == SAT_OK) status = file_write(&w->file, &length64, sizeof length64, error);
    if (status == SAT_OK) status = file_write(&w->file, text, length, error);
    w->digest_at = 8 + (uint64_t)(strstr(text, digest_placeholder) - text); /* the first key of the first object */
    w->header_bytes = 8 + length64;
    for (size_t i = 0; i < count; i++)
        w->total_bytes += tensors[i].bytes;
    hash_sha256_begin(&w->hash);
    free(text);
    if (status != SAT_OK) safetensors_abandon(w);
    return status;
}

sat_status safetensors_write(safetensors_writer *w, const void *data, size_t bytes, sat_error *error)
{
    hash_sha256_add(&w->hash, data, bytes);
    return file_write(&w->file, data, bytes, error);
}

sat_status safetensors_commit(safetensors_writer *w, sat_error *error)
{
    char digest[HASH_SHA256_TEXT];
    const uint64_t written = w->file.written_bytes - w->header_bytes;
    if (written != w->total_bytes) {
        sat_fail(error, SAT_BAD_ARGUMENT, "%llu bytes of tensors were written, but the header promises %llu",
                 (unsigned long long)written, (unsigned long long)w->total_bytes);
        safetensors_abandon(w);
        return SAT_BAD_ARGUMENT;
    }
    hash_sha256_end(&w->hash, digest);
    sat_status status = file_write_at(&w->file, w->digest_at, digest, strlen(digest), error);
    if (status == SAT_OK) status = file_commit(&w->file, error);
    if (status != SAT_OK) safetensors_abandon(w);
    return status;
}

void safetensors_abandon(safetensors_writer *w)
{
    file_abandon(&w->file);
    *w = (safetensors_writer){.file = {.descriptor = -1}};
}
