#include "tests/support/cmocka.h"

#include "base/text.h"

#include <stdlib.h>
#include <string.h>

static void a_text_grows_by_additions(void **state)
{
    (void)state;
    text t = text_open(1000);
    assert_string_equal(t.data, "");
    text_add(&t, "left");
    text_pad(&t, ' ', 1);
    text_format(&t, "%s %d", "kidney", 2);
    text_add_bytes(&t, ", right", 2);
    assert_string_equal(t.data, "left kidney 2, ");
    assert_int_equal(t.length, 15);
    assert_int_equal(text_check(&t, NULL), SAT_OK);
    char *taken = text_take(&t);
    assert_string_equal(taken, "left kidney 2, ");
    assert_string_equal(t.data, "");
    free(taken);
    taken = text_take(&t); /* an empty one is a string, too */
    assert_string_equal(taken, "");
    free(taken);
    text_free(&t);
    text_free(&t);
}

static void a_long_text_equals_its_parts(void **state)
{
    (void)state;
    text t = text_open(100000);
    for (int i = 0; i < 10000; i++)
        text_format(&t, "%04d,", i);
    assert_int_equal(t.length, 50000);
    assert_memory_equal(t.data + 5 * 4321, "4321,4322,", 10);
    text_free(&t);
}

static void the_limit_holds_and_the_first_failure_stays(void **state)
{
    (void)state;
    text t = text_open(10);
    text_add(&t, "0123456789"); /* exactly the limit */
    assert_int_equal(text_check(&t, NULL), SAT_OK);
    text_add(&t, "x");
    text_add(&t, "");
    assert_string_equal(t.data, "0123456789");
    sat_error error = {0};
    assert_int_equal(text_check(&t, &error), SAT_NO_MEMORY);
    assert_string_equal(error.message, "a text would grow beyond its limit of 10 bytes");
    assert_null(text_take(&t));
    text_free(&t);
}

static void distances_by_hand(void **state)
{
    (void)state;
    assert_int_equal(text_distance("", ""), 0);
    assert_int_equal(text_distance("liver", "liver"), 0);
    assert_int_equal(text_distance("liver", "river"), 1);
    assert_int_equal(text_distance("liver", "livr"), 1);
    assert_int_equal(text_distance("livre", "liver"), 1); /* a swap of neighbours is one edit */
    assert_int_equal(text_distance("kitten", "sitting"), 3);
    assert_int_equal(text_distance("", "spleen"), 6);
    char longest[64], longer[65];
    memset(longest, 'a', 63), longest[63] = '\0';
    memset(longer, 'a', 64), longer[64] = '\0';
    assert_int_equal(text_distance(longest, "a"), 62);
    assert_int_equal(text_distance(longer, "a"), 64);
    assert_int_equal(text_distance(longer, longer), 0);
}

static void the_nearest_word_is_found_or_none(void **state)
{
    (void)state;
    const char *const words[] = {"segment", "convert", "info", "bench", NULL};
    assert_string_equal(text_nearest("segmnt", words), "segment");
    assert_string_equal(text_nearest("conv", words), "convert"); /* its beginning */
    assert_string_equal(text_nearest("inof", words), "info");
    assert_string_equal(text_nearest("info", words), "info");
    assert_null(text_nearest("train", words));
    assert_null(text_nearest("", words));
    assert_null(text_nearest("x", words));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_text_grows_by_additions),
        cmocka_unit_test(a_long_text_equals_its_parts),
        cmocka_unit_test(the_limit_holds_and_the_first_failure_stays),
        cmocka_unit_test(distances_by_hand),
        cmocka_unit_test(the_nearest_word_is_found_or_none),
    };
    return cmocka_run_group_tests_name("base/text", tests, NULL, NULL);
}
