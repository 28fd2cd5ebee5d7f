#include "tests/support/cmocka.h"
#include "tests/support/golden.h"

#include "base/hash.h"
#include "model/names.h"
#include "model/weights.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint32_t bits_of(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static uint32_t hexadecimal(const json_t *text) { return (uint32_t)strtoul(json_string_value(text), NULL, 16); }

/* One line of the golden file: hash of the name, first and last values, hash of all bytes. */
static void check_vector(const json_t *row)
{
    const char *name = json_string_value(json_object_get(row, "name"));
    const json_t *sizes = json_object_get(row, "shape");
    int64_t shape[8];
    const int dimensions = (int)json_array_size(sizes);
    for (int i = 0; i < dimensions; i++)
        shape[i] = json_integer_value(json_array_get(sizes, (size_t)i));

    char canonical[MODEL_NAME_MAX];
    assert_true(model_name_canonical(name, canonical));
    assert_string_equal(canonical, json_string_value(json_object_get(row, "hashed")));
    char hash[17];
    snprintf(hash, sizeof hash, "%016llx",
             (unsigned long long)hash_fnv1a64(HASH_FNV_START, canonical, strlen(canonical)));
    assert_string_equal(hash, json_string_value(json_object_get(row, "fnv1a64")));

    const weight_source source = weight_source_deterministic();
    weight_view view;
    sat_error error = {0};
    assert_int_equal(source.find(&source, name, dimensions, shape, &view, &error), SAT_OK);
    const float *values = view.data;
    size_t count = 1, i;
    for (int d = 0; d < dimensions; d++)
        count *= (size_t)shape[d];
    const json_t *value;
    json_array_foreach(json_object_get(row, "first_bits"), i, value)
        assert_int_equal(bits_of(values[i]), hexadecimal(value));
    const json_t *last = json_object_get(row, "last_bits");
    json_array_foreach(last, i, value)
        assert_int_equal(bits_of(values[count - json_array_size(last) + i]), hexadecimal(value));
    snprintf(hash, sizeof hash, "%016llx",
             (unsigned long long)hash_fnv1a64(HASH_FNV_START, values, count * sizeof *values));
    assert_string_equal(hash, json_string_value(json_object_get(row, "fnv1a64_of_bytes")));
    source.release(&source, &view);
    assert_null(view.data);
}

static void every_golden_vector_is_met_bit_for_bit(void **state)
{
    (void)state;
    json_error_t problem;
    json_t *rows = json_load_file(golden_path("tiny/deterministic.json"), 0, &problem);
    assert_non_null(rows);
    assert_true(json_array_size(rows) >= 20);
    size_t i;
    const json_t *row;
    json_array_foreach(rows, i, row) check_vector(row);
    json_decref(rows);
}

/* A tensor so large that several threads make it, against pieces of odd sizes. */
static void a_stretch_from_the_middle_equals_the_whole(void **state)
{
    (void)state;
    const int64_t shape[] = {1031, 1500};
    const size_t count = 1031 * 1500;
    float *whole = malloc(count * sizeof *whole), *piece = malloc(count * sizeof *piece);
    assert_true(whole && piece);
    deterministic_fill("mask_embed_proj.0.weight", 2, shape, 0, count, whole);
    size_t at = 0;
    for (size_t n = 1; at < count; n = n * 3 + 1) {
        const size_t take = n < count - at ? n : count - at;
        deterministic_fill("mask_embed_proj.0.weight", 2, shape, at, take, piece + at);
        at += take;
    }
    assert_memory_equal(whole, piece, count * sizeof *whole);
    free(whole);
    free(piece);
}

static void impossible_tensors_are_refused(void **state)
{
    (void)state;
    const weight_source source = weight_source_deterministic();
    weight_view view;
    sat_error error = {0};
    const int64_t empty[] = {0, 4}, huge[] = {INT64_MAX, 4};
    assert_int_equal(source.find(&source, "a.weight", 2, empty, &view, &error), SAT_BAD_ARGUMENT);
    assert_int_equal(source.find(&source, "a.weight", 2, huge, &view, &error), SAT_BAD_ARGUMENT);
    assert_non_null(strstr(error.message, "a.weight"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_golden_vector_is_met_bit_for_bit),
        cmocka_unit_test(a_stretch_from_the_middle_equals_the_whole),
        cmocka_unit_test(impossible_tensors_are_refused),
    };
    return cmocka_run_group_tests_name("model/deterministic", tests, NULL, NULL);
}
