#include "tests/support/cmocka.h"
#include "tests/support/golden.h"

#include "base/json.h"

#include <float.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static json_t *parsed(const char *text)
{
    json_t *root;
    sat_error error = {0};
    if (json_parse(text, strlen(text), &root, &error) != SAT_OK) fail_msg("%s", error.message);
    return root;
}

static void fields_come_with_their_types(void **state)
{
    (void)state;
    json_t *root = parsed("{\"n\": 7, \"x\": 2, \"y\": 0.5, \"yes\": true, \"name\": \"Lëber\", \"v\": {\"s\": [1, 2.5, 3]}, \"nil\": null}");
    sat_error error = {0};
    int n = 0;
    double x = 0, values[3];
    bool yes = false;
    char name[8];
    const json_t *v = NULL;
    assert_int_equal(json_field_int(root, "", "n", JSON_REQUIRED, 0, 7, &n, &error), SAT_OK);
    assert_int_equal(n, 7);
    assert_int_equal(json_field_number(root, "", "x", JSON_REQUIRED, &x, &error), SAT_OK);
    assert_true(x == 2);
    assert_int_equal(json_field_boolean(root, "", "yes", JSON_REQUIRED, &yes, &error), SAT_OK);
    assert_true(yes);
    assert_int_equal(json_field_text(root, "", "name", JSON_REQUIRED, name, sizeof name, &error), SAT_OK);
    assert_string_equal(name, "Lëber");
    assert_int_equal(json_field_object(root, "", "v", JSON_REQUIRED, &v, &error), SAT_OK);
    assert_int_equal(json_field_numbers(v, "v", "s", JSON_REQUIRED, 3, values, &error), SAT_OK);
    assert_true(values[1] == 2.5);
    n = 42;
    assert_int_equal(json_field_int(root, "", "missing", JSON_OPTIONAL, 0, 7, &n, &error), SAT_OK);
    assert_int_equal(json_field_int(root, "", "nil", JSON_OPTIONAL, 0, 7, &n, &error), SAT_OK);
    assert_int_equal(n, 42);
    json_decref(root);
}

static void wrong_fields_are_named_by_their_path(void **state)
{
    (void)state;
    json_t *root = parsed("{\"n\": 7, \"name\": \"liver\", \"half\": 0.5, \"s\": [1, 2, \"x\"]}");
    sat_error error = {0};
    int n = 0, ints[3];
    char small[4];
    const json_t *v;
#define SAYS(call, expected)                                \
    do {                                                    \
        assert_int_equal(call, SAT_BAD_INPUT);              \
        assert_string_equal(error.message, expected);       \
    } while (0)
    SAYS(json_field_int(root, "vision", "stages", JSON_REQUIRED, 0, 7, &n, &error), "the field vision.stages is missing");
    SAYS(json_field_int(root, "", "n", JSON_OPTIONAL, 0, 6, &n, &error), "the field n is 7, but must be between 0 and 6");
    SAYS(json_field_int(root, "", "half", JSON_REQUIRED, 0, 6, &n, &error),
         "the field half should be a whole number, but is a number");
    SAYS(json_field_text(root, "", "name", JSON_REQUIRED, small, sizeof small, &error),
         "the field name is a text of 5 bytes, but 3 is the most");
    SAYS(json_field_object(root, "a.b", "name", JSON_REQUIRED, &v, &error), "the field a.b.name should be an object, but is a text");
    SAYS(json_field_array(root, "", "s", JSON_REQUIRED, 4, 9, &v, &error), "the field s has 3 elements, but 4 to 9 are expected");
    SAYS(json_field_ints(root, "", "s", JSON_REQUIRED, 3, 0, 9, ints, &error), "the field s should hold whole numbers only");
    SAYS(json_field_int(json_object_get(root, "n"), "n", "x", JSON_REQUIRED, 0, 1, &n, &error), "the field n should be an object");
#undef SAYS
    json_decref(root);
}

static void damaged_text_is_refused_with_its_place(void **state)
{
    (void)state;
    const char *const texts[] = {"", "{", "{\"a\": 1,\n \"a\": 2}", "{} x", "\xff", "{\"a\": 1e999}"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        json_t *root;
        sat_error error = {0};
        assert_int_equal(json_parse(texts[i], strlen(texts[i]), &root, &error), SAT_BAD_INPUT);
        assert_null(root);
        assert_non_null(strstr(error.message, "line"));
    }
    json_t *root;
    sat_error error = {0};
    assert_int_equal(json_read("/nowhere.json", &root, &error), SAT_IO);
}

static void numbers_read_back_as_they_were(void **state)
{
    (void)state;
    const double values[] = {0.1, 1.0 / 3, 2.5e-300, -0.0, 1e15, 123456789012345678.0, DBL_MAX, DBL_MIN, 5e-324, 0.1f};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        char text[32];
        json_number_text(values[i], text);
        const double back = strtod(text, NULL);
        assert_memory_equal(&back, &values[i], sizeof back);
        json_t *number = json_loads(text, JSON_DECODE_ANY, NULL);
        assert_true(json_is_real(number));
        json_decref(number);
    }
    char text[32];
    json_number_text(0.1, text);
    assert_string_equal(text, "0.1");
    json_number_text(3, text);
    assert_string_equal(text, "3.0");
}

static void what_is_written_reads_back(void **state)
{
    (void)state;
    const char *const source = "{\"b\": [1, 2.5, null, false], \"a\": {\"t\": \"a\\\"\\\\\\n\\u0001\\u007fé\"}, \"e\": [], \"o\": {}, \"d\": [{\"x\": 0.1}, [1]]}";
    json_t *root = parsed(source);
    size_t length;
    char *line = json_text(root, JSON_ONE_LINE, JSON_AS_INSERTED, &length);
    assert_string_equal(line, "{\"b\":[1,2.5,null,false],\"a\":{\"t\":\"a\\\"\\\\\\n\\u0001\\u007fé\"},\"e\":[],\"o\":{},\"d\":[{\"x\":0.1},[1]]}");
    assert_int_equal(length, strlen(line));
    char *sorted = json_text(root, JSON_ONE_LINE, JSON_SORTED, NULL);
    assert_memory_equal(sorted, "{\"a\":{", 6);
    char *pretty = json_text(root, JSON_PRETTY, JSON_AS_INSERTED, NULL);
    assert_non_null(strstr(pretty, "  \"b\": [1, 2.5, null, false],\n  \"a\": {\n    \"t\""));
    char path[1200];
    snprintf(path, sizeof path, "%s/x.json", temporary_folder());
    sat_error error = {0};
    assert_int_equal(json_write(path, root, JSON_SORTED, &error), SAT_OK);
    json_t *back;
    assert_int_equal(json_read(path, &back, &error), SAT_OK);
    assert_true(json_equal(root, back));
    json_decref(back);
    json_decref(root);
    free(line);
    free(sorted);
    free(pretty);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_come_with_their_types),
        cmocka_unit_test(wrong_fields_are_named_by_their_path),
        cmocka_unit_test(damaged_text_is_refused_with_its_place),
        cmocka_unit_test(numbers_read_back_as_they_were),
        cmocka_unit_test(what_is_written_reads_back),
    };
    return cmocka_run_group_tests_name("base/json", tests, NULL, NULL);
}
