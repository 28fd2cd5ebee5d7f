#define _FILE_OFFSET_BITS 64
#define _POSIX_C_SOURCE 200809L /* fseeko */
#include "tests/support/pth.h"

#include "model/weights.h"
#include "tests/support/cmocka.h"

#include <libdeflate.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct bytes {
    unsigned char *data;
    size_t count;
} bytes;

static void put(bytes *b, const void *data, size_t count)
{
    b->data = realloc(b->data, b->count + count + 1);
    assert_non_null(b->data);
    memcpy(b->data + b->count, data, count);
    b->count += count;
}

/* Little-endian; beyond eight bytes zeros. */
static void put_number(bytes *b, uint64_t value, int count)
{
    for (int i = 0; i < count; i++) {
        const unsigned char byte = (unsigned char)(i < 8 ? value >> (8 * i) : 0);
        put(b, &byte, 1);
    }
}

static void put_words(bytes *b, const char *words) { put(b, words, strlen(words)); }

static void put_text(bytes *b, const char *words)
{
    put_words(b, "X");
    put_number(b, strlen(words), 4);
    put_words(b, words);
}

static void put_integer(bytes *b, int64_t value) /* LONG1 of eight bytes */
{
    put_words(b, "\x8a\x08");
    put_number(b, (uint64_t)value, 8);
}

static void put_tensor(bytes *b, const model_tensor *t, const char *key)
{
    put_words(b, "ctorch._utils\n_rebuild_tensor_v2\n((");
    put_text(b, "storage");
    put_words(b, "ctorch\nFloatStorage\n");
    put_text(b, key);
    put_text(b, "cpu");
    put_integer(b, model_tensor_elements(t));
    put_words(b, "tQ");
    put_integer(b, 0);
    put_words(b, "(");
    for (int i = 0; i < t->dimensions; i++)
        put_integer(b, t->shape[i]);
    put_words(b, "t(");
    for (int i = 0; i < t->dimensions; i++) {
        int64_t stride = 1;
        for (int j = i + 1; j < t->dimensions; j++)
            stride *= t->shape[j];
        put_integer(b, stride);
    }
    put_words(b, "t\x89"
                 "ccollections\nOrderedDict\n)RtR");
}

static bytes make_pickle(const model_tensor *tensors, size_t count, const char *prefix)
{
    bytes b = {0};
    put_words(&b, "\x80\x02}(");
    put_text(&b, "step");
    put_words(&b, "K\x07");
    put_text(&b, "model_state_dict");
    put_words(&b, "ccollections\nOrderedDict\n)R(");
    for (size_t i = 0; i < count; i++) {
        char name[2 * MODEL_NAME_MAX], key[32];
        snprintf(name, sizeof name, "%s%s", prefix, tensors[i].name);
        snprintf(key, sizeof key, "%zu", i);
        put_text(&b, name);
        put_tensor(&b, &tensors[i], key);
    }
    put_words(&b, "uu.");
    return b;
}

/* An entry's contents at once, and its line of the directory. */
static void put_entry(FILE *file, bytes *directory, uint64_t *at, const char *name, const void *data, size_t size)
{
    const uint32_t crc = libdeflate_crc32(0, data, size);
    bytes local = {0};
    put_number(&local, 0x04034b50, 4);
    put_number(&local, 0, 10); /* version, flags, stored, time, date */
    put_number(&local, crc, 4);
    put_number(&local, 0xffffffffffffffff, 8); /* both sizes are in the extra field */
    put_number(&local, strlen(name), 2);
    put_number(&local, 20, 2);
    put(&local, name, strlen(name));
    put_number(&local, 1, 2);
    put_number(&local, 16, 2);
    put_number(&local, size, 8);
    put_number(&local, size, 8);
    assert_true(fwrite(local.data, 1, local.count, file) == local.count && fwrite(data, 1, size, file) == size);

    put_number(directory, 0x02014b50, 4);
    put_number(directory, 0, 12); /* versions, flags, stored, time, date */
    put_number(directory, crc, 4);
    put_number(directory, 0xffffffffffffffff, 8);
    put_number(directory, strlen(name), 2);
    put_number(directory, 28, 2);
    put_number(directory, 0, 6); /* comment, disk, internal attributes */
    put_number(directory, 0, 4);
    put_number(directory, 0xffffffff, 4); /* the offset is in the extra field, too */
    put(directory, name, strlen(name));
    put_number(directory, 1, 2);
    put_number(directory, 24, 2);
    put_number(directory, size, 8);
    put_number(directory, size, 8);
    put_number(directory, *at, 8);
    *at += local.count + size;
    free(local.data);
}

static void put_end(FILE *file, const bytes *directory, uint64_t entries, uint64_t at)
{
    bytes end = {0};
    put_number(&end, 0x06064b50, 4);
    put_number(&end, 44, 8);
    put_number(&end, 0, 4);
    put_number(&end, 0, 8);
    put_number(&end, entries, 8);
    put_number(&end, entries, 8);
    put_number(&end, directory->count, 8);
    put_number(&end, at, 8);
    put_number(&end, 0x07064b50, 4);
    put_number(&end, 0, 4);
    put_number(&end, at + directory->count, 8);
    put_number(&end, 1, 4);
    put_number(&end, 0x06054b50, 4);
    put_number(&end, 0, 4);
    put_number(&end, 0xffffffff, 4); /* entries: see above */
    put_number(&end, 0xffffffffffffffff, 8);
    put_number(&end, 0, 2);
    assert_int_equal(fwrite(directory->data, 1, directory->count, file), directory->count);
    assert_int_equal(fwrite(end.data, 1, end.count, file), end.count);
    free(end.data);
}

void pth_write(const char *path, const model_tensor *tensors, size_t count, pth_layout layout)
{
    FILE *file = fopen(path, "wb");
    bytes directory = {0}, description = make_pickle(tensors, count, layout.prefix ? layout.prefix : "module.");
    uint64_t at = 0;
    assert_non_null(file);
    put_entry(file, &directory, &at, "archive/data.pkl", description.data, description.count);
    at += layout.hole_bytes;
    assert_int_equal(fseeko(file, (off_t)at, SEEK_SET), 0);
    for (size_t i = 0; i < count; i++) {
        const size_t elements = (size_t)model_tensor_elements(&tensors[i]);
        char name[64];
        float *values = malloc(elements * sizeof *values + 1);
        assert_non_null(values);
        deterministic_fill(tensors[i].name, tensors[i].dimensions, tensors[i].shape, 0, elements, values);
        if (i == 0 && elements && layout.poison != 0) values[0] = layout.poison;
        snprintf(name, sizeof name, "archive/data/%zu", i);
        put_entry(file, &directory, &at, name, values, elements * sizeof *values);
        free(values);
    }
    put_entry(file, &directory, &at, "archive/version", "3\n", 2);
    put_end(file, &directory, count + 2, at);
    assert_int_equal(fclose(file), 0);
    free(directory.data);
    free(description.data);
}
