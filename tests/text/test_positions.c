#include "tests/support/cmocka.h"

#include "text/positions.h"

#include <float.h>
#include <math.h>

/* The table of the reference notes (text.md, section 6): where each bucket ends. */
static void buckets_follow_the_published_table(void **state)
{
    (void)state;
    static const int ends[] = {0, 1, 2, 3, 4, 5, 6, 7, 11, 15, 22, 31, 45, 63, 90};
    for (int d = 0; d <= 600; d++) {
        int bucket = 0;
        while (bucket < 15 && d > ends[bucket])
            bucket++;
        assert_int_equal(position_bucket(-d), bucket);
        if (d > 0) assert_int_equal(position_bucket(d), 16 + bucket);
    }
    assert_int_equal(position_bucket(INT32_MIN), 15);
}

/* The release computes the far buckets by logarithms in float. */
static void buckets_agree_with_logarithms(void **state)
{
    (void)state;
    for (int d = 8; d <= 600; d++) {
        const int far = 8 + (int)(logf((float)d / 8.0f) / (float)log(128.0 / 8.0) * 8.0f);
        assert_int_equal(position_bucket(-d), far < 15 ? far : 15);
    }
}

static void rows_count_what_is_not_padding(void **state)
{
    (void)state;
    const int32_t ids[] = {105, 0, 1, 7, 1, 106};
    const int32_t expected[] = {2, 3, 1, 4, 1, 5}, plain[] = {0, 1, 2, 3, 4, 5};
    int32_t rows[6];
    position_rows(TEXT_MPNET, ids, 6, rows);
    assert_memory_equal(rows, expected, sizeof rows);
    position_rows(TEXT_BERT, ids, 6, rows);
    assert_memory_equal(rows, plain, sizeof rows);
    assert_int_equal(position_row_limit(TEXT_MPNET, 256), 257);
    assert_int_equal(position_row_limit(TEXT_BERT, 64), 63);
}

static void a_masked_key_gets_the_lowest_bias(void **state)
{
    (void)state;
    const int32_t ids[] = {105, 0, 106};
    float table[POSITION_BUCKETS * 2], bias[2 * 3 * 3];
    for (int i = 0; i < POSITION_BUCKETS * 2; i++)
        table[i] = (float)i;
    position_bias(table, 2, ids, 3, bias);
    const float head1[] = {1, -FLT_MAX, 37, 3, -FLT_MAX, 35, 5, -FLT_MAX, 1}; /* bucket(key - query) * 2 + 1 */
    assert_memory_equal(bias + 9, head1, sizeof head1);
    position_bias(table, 2, NULL, 3, bias);
    assert_true(bias[1] == 34);
    assert_true(position_counts(TEXT_BERT, 0) && !position_counts(TEXT_MPNET, 0) && position_counts(TEXT_MPNET, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buckets_follow_the_published_table),
        cmocka_unit_test(buckets_agree_with_logarithms),
        cmocka_unit_test(rows_count_what_is_not_padding),
        cmocka_unit_test(a_masked_key_gets_the_lowest_bias),
    };
    return cmocka_run_group_tests_name("text/positions", tests, NULL, NULL);
}
