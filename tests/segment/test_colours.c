#include "tests/support/cmocka.h"

#include "segment/colours.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MANY = 1024 };
static char many_words[MANY][32];
static const char *many[MANY];

static void name_many(void)
{
    for (int n = 0; n < MANY; n++) {
        snprintf(many_words[n], sizeof many_words[n], "structure %d", n);
        many[n] = many_words[n];
    }
}

static colour of_one(const char *name)
{
    colour c;
    assert_int_equal(colours_of_names(&name, 1, &c, NULL), SAT_OK);
    return c;
}

static double least_distance(const colour *c, int count, colour_sight sight)
{
    double least = INFINITY;
    for (int a = 0; a < count; a++)
        for (int b = 0; b < a; b++)
            least = fmin(least, colour_distance(c[a], c[b], sight));
    return least;
}

/* OKLab's own fixed points: black 0, white 1, and the published distance of two primaries. */
static void distances_are_those_of_oklab(void **state)
{
    (void)state;
    const colour black = {0, 0, 0}, white = {255, 255, 255}, red = {255, 0, 0}, green = {0, 255, 0};
    assert_true(fabs(colour_distance(black, white, COLOUR_SIGHT_NORMAL) - 1.0) < 1e-3);
    /* red is (0.6280, 0.2249, 0.1258), green (0.8664, -0.2339, 0.1795) */
    assert_true(fabs(colour_distance(red, green, COLOUR_SIGHT_NORMAL) - 0.5197) < 1e-3);
    assert_true(colour_distance(red, green, COLOUR_SIGHT_GREEN_BLIND) < 0.35);
}

static void a_name_has_one_colour_whatever_the_case_and_the_order(void **state)
{
    (void)state;
    const char *const names[] = {"liver", "left kidney", "Liver", "right kidney", "kidney_left", "spleen", "LIVER"};
    const char *const turned[] = {"LIVER", "spleen", "kidney_left", "right kidney", "Liver", "left kidney", "liver"};
    colour c[7], t[7];
    assert_int_equal(colours_of_names(names, 7, c, NULL), SAT_OK);
    assert_int_equal(colours_of_names(turned, 7, t, NULL), SAT_OK);
    for (int n = 0; n < 7; n++)
        assert_memory_equal(&c[n], &t[6 - n], sizeof *c);
    assert_memory_equal(&c[0], &c[2], sizeof *c);
    assert_memory_equal(&c[1], &c[4], sizeof *c);
    const colour liver = of_one("liver"), again = of_one("LIVER");
    assert_memory_equal(&liver, &again, sizeof liver);
}

/* "liver" is to look the same next year: a change of these numbers changes every user's pictures. */
static void colours_of_some_names_stay_as_they_are(void **state)
{
    (void)state;
    const colour liver = of_one("liver"), spleen = of_one("spleen");
    char words[64];
    snprintf(words, sizeof words, "%02x%02x%02x %02x%02x%02x", liver.red, liver.green, liver.blue, spleen.red,
             spleen.green, spleen.blue);
    assert_string_equal(words, "eea4ea 55cdf7");
}

static void left_and_right_share_a_hue_and_differ_in_lightness(void **state)
{
    (void)state;
    const char *const pairs[][2] = {
        {"left kidney", "right kidney"}, {"lung left", "lung right"}, {"left rib 7", "right rib 7"}};
    for (size_t n = 0; n < sizeof pairs / sizeof *pairs; n++) {
        colour c[2];
        assert_int_equal(colours_of_names(pairs[n], 2, c, NULL), SAT_OK);
        assert_true(colour_distance(c[0], c[1], COLOUR_SIGHT_NORMAL) > 0.1);
        assert_true(c[0].red + c[0].green + c[0].blue > c[1].red + c[1].green + c[1].blue);
        /* the strongest channel stays the strongest or comes close */
        const int left[3] = {c[0].red, c[0].green, c[0].blue}, right[3] = {c[1].red, c[1].green, c[1].blue};
        int top = 0, highest = 0;
        for (int k = 0; k < 3; k++) {
            if (left[k] > left[top]) top = k;
            if (right[k] > highest) highest = right[k];
        }
        assert_true(highest - right[top] <= 30);
    }
}

static void names_of_a_list_can_be_told_apart(void **state)
{
    (void)state;
    name_many();
    colour c[MANY];
    for (int from = 0; from < 200; from += 8) { /* many short lists */
        assert_int_equal(colours_of_names(many + from, 8, c, NULL), SAT_OK);
        assert_true(least_distance(c, 8, COLOUR_SIGHT_NORMAL) >= 0.09);
        assert_true(least_distance(c, 8, COLOUR_SIGHT_RED_BLIND) >= 0.04);
        assert_true(least_distance(c, 8, COLOUR_SIGHT_GREEN_BLIND) >= 0.04);
    }
    assert_int_equal(colours_of_names(many, 117, c, NULL), SAT_OK);
    assert_true(least_distance(c, 117, COLOUR_SIGHT_NORMAL) >= 0.035);
    assert_int_equal(colours_of_names(many, 497, c, NULL), SAT_OK);
    assert_true(least_distance(c, 497, COLOUR_SIGHT_NORMAL) >= 0.02);
    assert_int_equal(colours_of_names(many, MANY, c, NULL), SAT_OK);
    assert_true(least_distance(c, MANY, COLOUR_SIGHT_NORMAL) > 0);
}

static void most_names_keep_their_own_colour_in_short_lists(void **state)
{
    (void)state;
    name_many();
    int moved = 0;
    colour c[8];
    for (int from = 0; from < 400; from += 4) {
        assert_int_equal(colours_of_names(many + from, 4, c, NULL), SAT_OK);
        for (int n = 0; n < 4; n++) {
            const colour own = of_one(many[from + n]);
            moved += memcmp(&own, &c[n], sizeof own) != 0;
            assert_true(colour_distance(own, c[n], COLOUR_SIGHT_NORMAL) < 0.15);
        }
    }
    assert_true(moved < 100); /* of 400 */
}

static void no_colour_is_a_grey(void **state)
{
    (void)state;
    name_many();
    colour c[MANY];
    assert_int_equal(colours_of_names(many, MANY, c, NULL), SAT_OK);
    for (int n = 0; n < MANY; n++) {
        const int low = (int)fmin(c[n].red, fmin(c[n].green, c[n].blue)),
                  high = (int)fmax(c[n].red, fmax(c[n].green, c[n].blue));
        assert_true(high - low >= 25 && high >= 90);
    }
}

static void lists_may_be_empty_odd_or_too_long(void **state)
{
    (void)state;
    assert_int_equal(colours_of_names(NULL, 0, NULL, NULL), SAT_OK);
    const char *const odd[] = {"", "left", "right", "\xff\xfe", "left left"};
    colour c[5];
    assert_int_equal(colours_of_names(odd, 5, c, NULL), SAT_OK);
    static char words[2000][24];
    static const char *names[2000];
    static colour found[2000];
    for (int n = 0; n < 2000; n++) {
        snprintf(words[n], sizeof words[n], "n%d", n);
        names[n] = words[n];
    }
    assert_int_equal(colours_of_names(names, 2000, found, NULL), SAT_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(distances_are_those_of_oklab),
        cmocka_unit_test(a_name_has_one_colour_whatever_the_case_and_the_order),
        cmocka_unit_test(colours_of_some_names_stay_as_they_are),
        cmocka_unit_test(left_and_right_share_a_hue_and_differ_in_lightness),
        cmocka_unit_test(names_of_a_list_can_be_told_apart),
        cmocka_unit_test(most_names_keep_their_own_colour_in_short_lists),
        cmocka_unit_test(no_colour_is_a_grey),
        cmocka_unit_test(lists_may_be_empty_odd_or_too_long),
    };
    return cmocka_run_group_tests_name("segment/colours", tests, NULL, NULL);
}
