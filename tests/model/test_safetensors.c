#include "tests/support/cmocka.h"
#include "tests/support/golden.h"

#include "model/safetensors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char path[1200];

/* Bytes that tell where they are. */
static unsigned char byte_of(size_t tensor, size_t at) { return (unsigned char)(17 * tensor + 31 * at + at / 251); }

static void write_tensors(const safetensors_tensor *tensors, size_t count, sat_status expected)
{
    const char *const keys[] = {"a key", "another"}, *const values[] = {"a \"value\"", ""};
    safetensors_writer w;
    sat_error error = {0};
    assert_int_equal(safetensors_create(path, tensors, count, keys, values, 2, &w, &error), expected);
    if (expected != SAT_OK) return;
    for (size_t i = 0; i < count; i++)
        for (size_t at = 0; at < tensors[i].bytes; at++) {
            const unsigned char byte = byte_of(i, at);
            assert_int_equal(safetensors_write(&w, &byte, 1, &error), SAT_OK);
        }
    assert_int_equal(safetensors_commit(&w, &error), SAT_OK);
}

static void odd_sizes_are_aligned_and_read_back(void **state)
{
    (void)state;
    snprintf(path, sizeof path, "%s/odd.safetensors", temporary_folder());
    safetensors_tensor tensors[] = {
        {.name = "bytes", .type = ELEMENT_UINT8, .dimensions = 1, .shape = {7}},
        {.name = "halves", .type = ELEMENT_BFLOAT16, .dimensions = 2, .shape = {3, 5}},
        {.name = "block", .type = ELEMENT_FLOAT32, .dimensions = 2, .shape = {4, 16}},
        {.name = "scalar", .type = ELEMENT_FLOAT64, .dimensions = 0},
        {.name = "empty", .type = ELEMENT_INT64, .dimensions = 2, .shape = {0, 9}},
        {.name = "bias", .type = ELEMENT_FLOAT32, .dimensions = 1, .shape = {3}},
        {.name = "grüße", .type = ELEMENT_FLOAT32, .dimensions = 1, .shape = {32}},
        {.name = "truth", .type = ELEMENT_BOOL, .dimensions = 1, .shape = {1}},
    };
    enum { COUNT = sizeof tensors / sizeof *tensors };
    sat_error error = {0};
    assert_int_equal(safetensors_arrange(tensors, COUNT, &error), SAT_OK);
    assert_string_equal(tensors[0].name, "block"); /* multiples of 64 first, in the order given */
    assert_string_equal(tensors[COUNT - 1].name, "truth");
    write_tensors(tensors, COUNT, SAT_OK);

    file_map map;
    safetensors file;
    assert_int_equal(file_map_open(path, &map, &error), SAT_OK);
    if (safetensors_parse(map.data, map.size, &file, &error) != SAT_OK) fail_msg("%s", error.message);
    assert_int_equal(file.count, COUNT);
    assert_int_equal(file.header_bytes % 64, 0);
    assert_string_equal(safetensors_metadata(&file, "a key"), "a \"value\"");
    assert_null(safetensors_metadata(&file, "missing"));
    assert_null(safetensors_find(&file, "missing"));
    for (size_t i = 0; i < COUNT; i++) {
        const safetensors_tensor *found = safetensors_find(&file, tensors[i].name);
        assert_non_null(found);
        assert_int_equal(found->type, tensors[i].type);
        assert_int_equal(found->dimensions, tensors[i].dimensions);
        assert_memory_equal(found->shape, tensors[i].shape, sizeof found->shape);
        assert_int_equal(found->offset, file.header_bytes + tensors[i].offset);
        assert_int_equal(found->offset % element_bytes(found->type), 0);
        if (found->bytes % 64 == 0) assert_int_equal(found->offset % 64, 0);
        for (size_t at = 0; at < found->bytes; at++)
            assert_int_equal(map.data[found->offset + at], byte_of(i, at));
    }
    hash_sha256 h;
    char digest[HASH_SHA256_TEXT];
    hash_sha256_begin(&h);
    hash_sha256_add(&h, map.data + file.header_bytes, map.size - file.header_bytes);
    hash_sha256_end(&h, digest);
    assert_string_equal(safetensors_metadata(&file, SAFETENSORS_DIGEST_KEY), digest);
    safetensors_free(&file);
    safetensors_free(&file);
    file_map_close(&map);
}

static void a_writer_keeps_its_promises(void **state)
{
    (void)state;
    snprintf(path, sizeof path, "%s/never.safetensors", temporary_folder());
    safetensors_tensor twice[] = {{.name = "a", .type = ELEMENT_UINT8, .dimensions = 1, .shape = {1}},
                                  {.name = "a", .type = ELEMENT_UINT8, .dimensions = 1, .shape = {1}}};
    sat_error error = {0};
    assert_int_equal(safetensors_arrange(twice, 2, &error), SAT_OK);
    write_tensors(twice, 2, SAT_BAD_ARGUMENT);
    safetensors_tensor huge[] = {{.name = "a", .type = ELEMENT_FLOAT32, .dimensions = 2, .shape = {INT64_MAX, 2}}};
    assert_int_equal(safetensors_arrange(huge, 1, &error), SAT_BAD_ARGUMENT);
    safetensors_writer w;
    assert_int_equal(safetensors_create(path, twice, 1, NULL, NULL, 0, &w, &error), SAT_OK);
    assert_int_equal(safetensors_commit(&w, &error), SAT_BAD_ARGUMENT); /* a byte is missing */
    assert_non_null(strstr(error.message, "promises 1"));
    safetensors_abandon(&w);
    assert_false(file_exists(path));
}

/* A header and a number of zero bytes after it. */
static void refused(const char *header, size_t zeros, const char *says)
{
    const uint64_t length = strlen(header);
    const size_t size = 8 + (size_t)length + zeros;
    unsigned char *data = calloc(1, size);
    safetensors file;
    sat_error error = {0};
    assert_non_null(data);
    memcpy(data, &length, 8);
    memcpy(data + 8, header, (size_t)length);
    const sat_status status = safetensors_parse(data, size, &file, &error);
    if (!says && status != SAT_OK) fail_msg("%s", error.message);
    if (says && (status != SAT_BAD_INPUT || !strstr(error.message, says))) fail_msg("%s: %s", header, error.message);
    safetensors_free(&file);
    free(data);
}

static void headers_that_lie_are_refused(void **state)
{
    (void)state;
    refused("{\"x\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}  ", 8, NULL);
    refused("{}", 0, NULL);
    refused("{}", 1, "1 bytes after the last tensor");
    refused("{\"x\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 7, "cut off");
    refused("{\"x\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 9, "belong to nothing");
    refused("{\"x\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[4,12]}}", 12, "hole");
    refused("{\"x\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,8]}}", 8, "do not fit");
    refused("{\"x\":{\"dtype\":\"F32\",\"shape\":[-2],\"data_offsets\":[0,8]}}", 8, "no size");
    refused("{\"x\":{\"dtype\":\"F32\",\"shape\":[4611686018427387904,4],\"data_offsets\":[0,0]}}", 0, "do not fit");
    refused("{\"x\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,0]}}", 8, "should lie");
    refused("{\"x\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0.5,8]}}", 8, "not whole numbers");
    refused("{\"x\":{\"dtype\":\"C64\",\"shape\":[1],\"data_offsets\":[0,8]}}", 8, "C64");
    refused("{\"x\":{\"shape\":[1],\"data_offsets\":[0,8]}}", 8, "x.dtype is missing");
    refused("{\"x\":{\"dtype\":\"U8\",\"shape\":[1,1,1,1,1,1,1,1,1],\"data_offsets\":[0,1]}}", 1, "x.shape");
    refused(
        "{\"x\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},\"y\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}",
        1, "overlaps");
    refused("{\"x\":1}", 0, "should be an object");
    refused("{\"__metadata__\":{\"k\":1}}", 0, "__metadata__.k is not a text");
    refused("{\"x\"", 0, "JSON");
}

static void what_is_too_short_or_absurd_is_refused(void **state)
{
    (void)state;
    safetensors file;
    sat_error error = {0};
    assert_int_equal(safetensors_parse("", 0, &file, &error), SAT_BAD_INPUT);
    assert_int_equal(safetensors_parse("1234567", 7, &file, &error), SAT_BAD_INPUT);
    assert_int_equal(safetensors_parse("\xff\xff\xff\xff\xff\xff\xff\xff{}", 10, &file, &error), SAT_BAD_INPUT);
    assert_int_equal(safetensors_parse("\x10\0\0\0\0\0\0\0{}", 10, &file, &error), SAT_BAD_INPUT);
    assert_non_null(strstr(error.message, "should have 16 bytes"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(odd_sizes_are_aligned_and_read_back),
        cmocka_unit_test(a_writer_keeps_its_promises),
        cmocka_unit_test(headers_that_lie_are_refused),
        cmocka_unit_test(what_is_too_short_or_absurd_is_refused),
    };
    return cmocka_run_group_tests_name("model/safetensors", tests, NULL, NULL);
}
