#include "tests/support/cmocka.h"
#include "tests/support/golden.h"
#include "tests/support/pth.h"

#include "base/file.h"
#include "model/checkpoint.h"
#include "model/weights.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static checkpoint opened(const char *golden)
{
    checkpoint c;
    sat_error error = {0};
    if (checkpoint_open(golden_path(golden), &c, &error) != SAT_OK) fail_msg("%s: %s", error.file, error.message);
    return c;
}

/* NumPy's names of the types in mixed/; half precisions are given as float32 there. */
static const char *expected_type(element_type type)
{
    switch (type) {
    case ELEMENT_FLOAT64: return "<f8";
    case ELEMENT_INT64: return "<i8";
    case ELEMENT_INT32: return "<i4";
    case ELEMENT_UINT8: return "|u1";
    case ELEMENT_BOOL: return "|b1";
    default: return "<f4";
    }
}

static void check_mixed_tensor(const checkpoint_tensor *tensor)
{
    char path[256];
    snprintf(path, sizeof path, "tiny/mixed/%s.npy", tensor->name);
    npy_array expected = npy_read(golden_path(path));
    assert_string_equal(expected.type, expected_type(tensor->type));
    assert_int_equal(tensor->dimensions, expected.dimensions);
    assert_int_equal(tensor->elements, expected.count);
    for (int i = 0; i < tensor->dimensions; i++)
        assert_int_equal(tensor->shape[i], expected.shape[i]);
    assert_true(checkpoint_intact(tensor));

    const size_t count = expected.count, bytes = element_bytes(tensor->type);
    unsigned char *whole = malloc(count * bytes + 1), *pieces = malloc(count * bytes + 1);
    assert_true(whole && pieces);
    checkpoint_read(tensor, 0, count, whole);
    for (size_t at = 0; at < count; at += 7) /* the same in odd pieces */
        checkpoint_read(tensor, (int64_t)at, count - at < 7 ? count - at : 7, pieces + at * bytes);
    assert_memory_equal(whole, pieces, count * bytes);
    if (tensor->type == ELEMENT_FLOAT16 || tensor->type == ELEMENT_BFLOAT16) {
        float *floats = malloc(count * sizeof *floats);
        assert_non_null(floats);
        elements_to_float(tensor->type, whole, count, floats);
        assert_memory_equal(floats, expected.data, count * sizeof *floats);
        free(floats);
    } else {
        assert_memory_equal(whole, expected.data, count * bytes);
    }
    free(whole);
    free(pieces);
    npy_free(&expected);
}

static void every_kind_of_view_and_type_reads_as_numpy_has_it(void **state)
{
    (void)state;
    const char *const files[] = {"tiny/mixed.pth", "tiny/newer.pth"};
    for (int f = 0; f < 2; f++) {
        checkpoint c = opened(files[f]);
        assert_int_equal(c.count, 17);
        assert_int_equal(c.step, 7);
        assert_string_equal(c.tensors[0].name, "plain");
        for (size_t i = 0; i < c.count; i++)
            check_mixed_tensor(&c.tensors[i]);
        checkpoint_close(&c);
        checkpoint_close(&c);
    }
}

static void a_release_checkpoint_holds_what_the_generator_made(void **state)
{
    (void)state;
    const char *const files[] = {"tiny/tiny.pth", "text/tiny_text.pth"};
    const size_t counts[] = {292, 49};
    for (int f = 0; f < 2; f++) {
        checkpoint c = opened(files[f]);
        assert_int_equal(c.count, counts[f]);
        if (f == 0) assert_int_equal(c.other_tensors, 36); /* three for each of 12 parameters */
        if (f == 0) assert_int_equal(c.step, 200000);
        for (size_t i = 0; i < c.count; i++) {
            const checkpoint_tensor *t = &c.tensors[i];
            if (t->type != ELEMENT_FLOAT32 || strstr(t->name, "temperature"))
                continue; /* position_ids; a trained scalar */
            const size_t bytes = (size_t)t->elements * sizeof(float);
            float *values = malloc(bytes), *expected = malloc(bytes);
            assert_true(values && expected);
            checkpoint_read(t, 0, (size_t)t->elements, values);
            deterministic_fill(t->name, t->dimensions, t->shape, 0, (size_t)t->elements, expected);
            if (memcmp(values, expected, bytes) != 0)
                fail_msg("%s differs: %g, expected %g", t->name, values[0], expected[0]);
            assert_true(checkpoint_intact(t));
            free(values);
            free(expected);
        }
        checkpoint_close(&c);
    }
}

static void refused(const char *golden, const char *says)
{
    checkpoint c;
    sat_error error = {0};
    assert_int_equal(checkpoint_open(golden_path(golden), &c, &error), SAT_BAD_INPUT);
    if (!strstr(error.message, says)) fail_msg("%s", error.message);
    assert_non_null(strstr(error.file, golden));
    assert_null(c.tensors);
}

static void hostile_and_old_files_are_refused_by_name(void **state)
{
    (void)state;
    refused("tiny/hostile.pth", "posix.system");
    refused("tiny/hostile.pth", "nothing was executed");
    refused("tiny/legacy.pth", "torch.save(torch.load(");
    refused("tiny/deterministic.json", "not a PyTorch checkpoint");
}

/* A file cut off anywhere, or with any byte changed, is refused or read, never a crash: the directory of mixed.pth is
 * small enough to try them all. Under the sanitizers this is where a wrong check shows. */
static void damage_is_refused_with_a_reason(void **state)
{
    (void)state;
    file_map map;
    sat_error error = {0};
    assert_int_equal(file_map_open(golden_path("tiny/mixed.pth"), &map, &error), SAT_OK);
    unsigned char *copy = malloc(map.size);
    assert_non_null(copy);
    int refusals = 0;
    for (size_t size = 0; size < map.size; size += 1 + size / 97) {
        checkpoint c;
        unsigned char *shorter = malloc(size + 1);
        assert_non_null(shorter);
        memcpy(shorter, map.data, size);
        error = (sat_error){0};
        assert_int_equal(checkpoint_parse(shorter, size, &c, &error), SAT_BAD_INPUT);
        assert_true(error.message[0] != '\0');
        free(shorter);
    }
    for (size_t at = 0; at < map.size; at++)
        for (int change = 0; change < 3; change++) {
            checkpoint c;
            memcpy(copy, map.data, map.size);
            copy[at] = (unsigned char)(change == 0 ? copy[at] ^ 1 : change == 1 ? 0xff : copy[at] + 1);
            error = (sat_error){0};
            if (checkpoint_parse(copy, map.size, &c, &error) == SAT_OK) {
                for (size_t i = 0; i < c.count; i++) {
                    unsigned char sample[64 * 8];
                    const int64_t take = c.tensors[i].elements < 64 ? c.tensors[i].elements : 64;
                    checkpoint_read(&c.tensors[i], c.tensors[i].elements - take, (size_t)take, sample);
                }
            } else {
                assert_true(error.message[0] != '\0');
                refusals++;
            }
            checkpoint_close(&c);
        }
    assert_true(refusals > 1000);
    free(copy);
    file_map_close(&map);
}

/* The hole is nothing on disk: the file is sparse, and only the pages around its tensors are read. */
static void entries_beyond_4_gb_are_found(void **state)
{
    (void)state;
    const model_tensor tensors[] = {{.name = "before.weight", .dimensions = 2, .shape = {3, 5}},
                                    {.name = "behind.bias", .dimensions = 1, .shape = {7}}};
    char path[1200];
    snprintf(path, sizeof path, "%s/large.pth", temporary_folder());
    pth_write(path, tensors, 2, (pth_layout){.hole_bytes = 5ull << 30});
    checkpoint c;
    sat_error error = {0};
    if (checkpoint_open(path, &c, &error) != SAT_OK) fail_msg("%s", error.message);
    assert_true(c.map.size > 5ull << 30);
    assert_int_equal(c.count, 2);
    for (size_t i = 0; i < 2; i++) {
        float values[15], expected[15];
        const size_t count = (size_t)model_tensor_elements(&tensors[i]);
        assert_true(c.tensors[i].storage > c.map.data + (5ull << 30));
        checkpoint_read(&c.tensors[i], 0, count, values);
        deterministic_fill(tensors[i].name, tensors[i].dimensions, tensors[i].shape, 0, count, expected);
        assert_memory_equal(values, expected, count * sizeof(float));
        assert_true(checkpoint_intact(&c.tensors[i]));
    }
    checkpoint_close(&c);
    remove(path);
}

static void a_changed_element_is_found_by_the_check_sum(void **state)
{
    (void)state;
    file_map map;
    sat_error error = {0};
    assert_int_equal(file_map_open(golden_path("tiny/mixed.pth"), &map, &error), SAT_OK);
    unsigned char *copy = malloc(map.size);
    assert_non_null(copy);
    memcpy(copy, map.data, map.size);
    checkpoint c;
    assert_int_equal(checkpoint_parse(copy, map.size, &c, &error), SAT_OK);
    assert_true(checkpoint_intact(&c.tensors[0]));
    copy[c.tensors[0].storage - copy] ^= 4;
    assert_false(checkpoint_intact(&c.tensors[0]));
    checkpoint_close(&c);
    free(copy);
    file_map_close(&map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_view_and_type_reads_as_numpy_has_it),
        cmocka_unit_test(a_release_checkpoint_holds_what_the_generator_made),
        cmocka_unit_test(hostile_and_old_files_are_refused_by_name),
        cmocka_unit_test(damage_is_refused_with_a_reason),
        cmocka_unit_test(entries_beyond_4_gb_are_found),
        cmocka_unit_test(a_changed_element_is_found_by_the_check_sum),
    };
    return cmocka_run_group_tests_name("model/checkpoint", tests, NULL, NULL);
}
