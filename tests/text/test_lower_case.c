#include "tests/support/cmocka.h"

#include "text/file_name.h"
#include "text/lower_case.h"

#include <stdlib.h>
#include <string.h>

static void becomes(const char *text, const char *expected)
{
    char *lower;
    size_t length;
    assert_int_equal(lower_case(text, strlen(text), &lower, &length, NULL), SAT_OK);
    assert_string_equal(lower, expected);
    assert_int_equal(length, strlen(expected));
    free(lower);
}

static void letters_become_small(void **state)
{
    (void)state;
    becomes("", "");
    becomes("Left KIDNEY (L5)", "left kidney (l5)");
    becomes("\u00c4\u00c9\u0416\u1e9e", "\u00e4\u00e9\u0436\u00df");
    becomes("\u023a\u023e", "\u2c65\u2c66"); /* these grow from two bytes to three */
    becomes("\u0130", "i\u0307");
    becomes("<S> [CLS]", "<s> [cls]");
}

/* Expected values are Python's. */
static void a_capital_sigma_that_ends_a_word_becomes_final(void **state)
{
    (void)state;
    becomes("\u03a3", "\u03c3");
    becomes("\u039f\u03a3", "\u03bf\u03c2");
    becomes("\u039f\u03a3 \u03a3\u039f", "\u03bf\u03c2 \u03c3\u03bf");
    becomes("\u039f\u03a3\u03a3", "\u03bf\u03c3\u03c2");
    becomes("A\u03a3'B", "a\u03c3'b"); /* an apostrophe does not end a word */
    becomes("A\u03a3'", "a\u03c2'");
    becomes("A\u03a3\u0301B", "a\u03c3\u0301b");
    becomes("A.\u03a3", "a.\u03c2");
    becomes("1\u03a3", "1\u03c3");
    becomes("\u2160\u03a3", "\u2170\u03c2"); /* a Roman numeral is cased */
}

static void invalid_bytes_become_replacement_characters(void **state)
{
    (void)state;
    becomes("A\xff\x80"
            "B",
            "a\ufffd\ufffdb");
    becomes("\xe2\x82", "\ufffd\ufffd");
    becomes("\xed\xa0\x80", "\ufffd\ufffd\ufffd"); /* half of a surrogate pair */
    char *lower;
    size_t length;
    assert_int_equal(lower_case("A\0B", 3, &lower, &length, NULL), SAT_OK);
    assert_memory_equal(lower, "a\0b", 4);
    assert_int_equal(length, 3);
    free(lower);
}

static void file_names_are_safe_and_unique(void **state)
{
    (void)state;
    static const char *const labels[] = {"Left Kidney", "left_kidney", "left/kidney",   "left_kidney_2", "",
                                         ".",           "..",          "../etc/passwd", "T2-FLAIR v1.5", "\u809d\u81d3",
                                         "a\tb\\c",     "_",           "a\xff"};
    static const char *const expected[] = {
        "left_kidney",   "left_kidney_2", "left_kidney_3", "left_kidney_2_2", "_",   "__2", "__",
        ".._etc_passwd", "t2-flair_v1.5", "___2",          "a_b_c",           "__3", "a_"};
    enum { COUNT = sizeof labels / sizeof *labels };
    char names[COUNT][FILE_NAME_MAX];
    assert_int_equal(file_names_of(labels, COUNT, names, NULL), SAT_OK);
    for (int i = 0; i < COUNT; i++)
        assert_string_equal(names[i], expected[i]);
}

static void long_labels_are_cut_and_stay_unique(void **state)
{
    (void)state;
    char label[1001];
    memset(label, 'x', 1000);
    label[1000] = 0;
    const char *const labels[] = {label, label, label};
    char names[3][FILE_NAME_MAX];
    assert_int_equal(file_names_of(labels, 3, names, NULL), SAT_OK);
    assert_true(strlen(names[0]) > 100);
    assert_string_equal(names[2] + strlen(names[0]), "_3");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(letters_become_small),
        cmocka_unit_test(a_capital_sigma_that_ends_a_word_becomes_final),
        cmocka_unit_test(invalid_bytes_become_replacement_characters),
        cmocka_unit_test(file_names_are_safe_and_unique),
        cmocka_unit_test(long_labels_are_cut_and_stay_unique),
    };
    return cmocka_run_group_tests_name("text/lower_case", tests, NULL, NULL);
}
