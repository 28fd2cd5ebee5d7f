#include "tests/support/cmocka.h"
#include "tests/support/golden.h"
#include "tests/support/vocabulary.h"

#include "base/clock.h"
#include "text/lower_case.h"
#include "text/wordpiece.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A vocabulary small enough to know by heart; its numbers are the lines. */
static const char small[] = "[UNK]\n[CLS]\n[SEP]\nkidney\nkid\n##ney\n##neys\n,\n<s>\n<unk>\ns\nliv\n##er";

static tokenizer *open_small(text_kind kind)
{
    tokenizer *t;
    sat_error error = {0};
    if (tokenizer_open(kind, small, sizeof small - 1, &t, &error) != SAT_OK) fail_msg("%s", error.message);
    return t;
}

static void gives(const tokenizer *t, const char *text, size_t bytes, const int32_t *expected, int count)
{
    int32_t ids[64];
    const int made = tokenizer_ids(t, text, bytes, 64, ids);
    if (made != count || memcmp(ids, expected, (size_t)count * sizeof *ids) != 0) {
        print_message("%s:", text);
        for (int i = 0; i < made; i++)
            print_message(" %d", (int)ids[i]);
        fail_msg("%s", "\nother tokens than expected");
    }
}
#define GIVES(t, text, ...)                                                                                            \
    gives(t, text, strlen(text), (const int32_t[]){__VA_ARGS__},                                                       \
          (int)(sizeof((int32_t[]){__VA_ARGS__}) / sizeof(int32_t)))

static void pieces_by_hand(void **state)
{
    (void)state;
    tokenizer *t = open_small(TEXT_BERT);
    assert_int_equal(tokenizer_size(t), 13);
    GIVES(t, "", 1, 2);
    GIVES(t, "Kidney", 1, 3, 2);
    GIVES(t, " liver,kidney ", 1, 11, 12, 7, 3, 2);
    GIVES(t, "kid liverx", 1, 4, 0, 2); /* nothing fits x: the whole word is unknown, not only the rest */
    GIVES(t, "kidneys", 1, 0, 2);       /* the longest beginning is kidney, and kid ##neys is not tried */
    GIVES(t, "[UNK][SEP]kid", 1, 0, 2, 4, 2);
    GIVES(t, "<s>", 1, 0, 10, 0, 2); /* for BERT these are words: < s > */
    gives(t, "kid\0ney", 7, (const int32_t[]){1, 3, 2}, 3);
    gives(t, "kid\xffney\xc3", 8, (const int32_t[]){1, 3, 2}, 3);
    tokenizer_close(t);
}

static void literals_of_mpnet(void **state)
{
    (void)state;
    tokenizer *t = open_small(TEXT_MPNET);
    GIVES(t, "kid<s>kid", 1, 4, 8, 4, 2);
    GIVES(t, "<S>", 1, 0, 10, 0, 2);          /* the raw ones are matched exactly */
    GIVES(t, "<unk><UN\u0301K>", 1, 9, 9, 2); /* this one after normalising */
    GIVES(t, "<un k>", 1, 0, 0, 0, 0, 2);
    GIVES(t, "<un<s>k>", 1, 0, 0, 8, 0, 0, 2);
    GIVES(t, "[SEP]", 1, 0, 0, 0, 2); /* no literal of MPNet's */
    tokenizer_close(t);
}

static void results_are_cut_with_the_frame_kept(void **state)
{
    (void)state;
    tokenizer *t = open_small(TEXT_BERT);
    int32_t ids[8];
    for (int longest = 2; longest < 8; longest++) {
        memset(ids, 0x77, sizeof ids);
        assert_int_equal(tokenizer_ids(t, "liver liver liver", 17, longest, ids), longest);
        const int32_t expected[] = {1, 11, 12, 11, 12, 11};
        assert_memory_equal(ids, expected, (size_t)(longest - 1) * sizeof *ids);
        assert_int_equal(ids[longest - 1], 2);
        assert_int_equal(ids[longest], 0x77777777);
    }
    tokenizer_close(t);
}

static void bad_vocabularies_are_refused_with_the_line(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"[CLS]\n[SEP]\n[UNK]\nliver\nliver\n", "the vocabulary has the token \"liver\" twice, in lines 4 and 5"},
        {"[CLS]\n[SEP]\n\n[UNK]\n", "line 3 of the vocabulary is empty; is this the encoder's vocab.txt?"},
        {"[CLS]\n[SEP]\n[UNK]\n\xff\n", "line 4 of the vocabulary is not UTF-8 text; is this the encoder's vocab.txt?"},
        {"[CLS]\n[SEP]\nliver\n", "the vocabulary (3 lines) lacks the token [UNK]; is this the encoder's vocab.txt?"},
        {"", "the vocabulary (0 lines) lacks the token [CLS]; is this the encoder's vocab.txt?"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        tokenizer *t;
        sat_error error = {0};
        assert_int_equal(tokenizer_open(TEXT_BERT, cases[i].text, strlen(cases[i].text), &t, &error), SAT_BAD_INPUT);
        assert_string_equal(error.message, cases[i].message);
        assert_null(t);
    }
}

static void line_ends_of_windows_are_tolerated(void **state)
{
    (void)state;
    static const char text[] = "\xef\xbb\xbf[UNK]\r\n[CLS]\r\n[SEP]\r\nliver\r\n\r\n";
    tokenizer *t;
    assert_int_equal(tokenizer_open(TEXT_BERT, text, sizeof text - 1, &t, NULL), SAT_OK);
    assert_int_equal(tokenizer_size(t), 4);
    GIVES(t, "liver", 1, 3, 2);
    tokenizer_close(t);
}

/* ---------------------------------------------------------------- the golden tokens */

typedef struct column {
    const char *name, *fast_name, *vocabulary;
    text_kind kind;
    int longest;
    tokenizer *t;
} column;

static void compare_column(const column *c, json_t *entry)
{
    json_t *text = json_object_get(entry, "text"), *expected = json_object_get(entry, c->fast_name);
    if (!expected) expected = json_object_get(entry, c->name);
    int32_t ids[256];
    const int count = tokenizer_ids(c->t, json_string_value(text), json_string_length(text), c->longest, ids);
    int same = (size_t)count == json_array_size(expected);
    for (int i = 0; same && i < count; i++)
        same = json_integer_value(json_array_get(expected, (size_t)i)) == ids[i];
    if (!same)
        fail_msg("%s, group %s: other tokens for %s", c->name, json_string_value(json_object_get(entry, "group")),
                 json_string_value(text));
}

static void all_golden_texts_agree(void **state)
{
    (void)state;
    column columns[] = {
        {"bert", "bert_fast", "bert-base-uncased.txt", TEXT_BERT, 64, NULL},
        {"mpnet", "mpnet_fast", "mpnet-base.txt", TEXT_MPNET, 256, NULL},
        {"standin", "standin_fast", "medcpt-standin.txt", TEXT_BERT, 64, NULL},
    };
    json_error_t problem;
    const char *path = golden_path("text/tokens.json");
    json_t *file = json_load_file(path ? path : "", JSON_ALLOW_NUL, &problem), *entry;
    size_t at;
    if (!file) fail_msg("%s", problem.text);
    json_t *texts = json_object_get(file, "texts");
    assert_int_equal(json_array_size(texts), 389);
    for (int i = 0; i < 3; i++) {
        columns[i].t = open_vocabulary(columns[i].kind, columns[i].vocabulary);
        assert_int_equal(json_integer_value(json_object_get(json_object_get(file, "limits"), columns[i].name)),
                         columns[i].longest);
        json_array_foreach(texts, at, entry) compare_column(&columns[i], entry);
        tokenizer_close(columns[i].t);
    }
    json_decref(file);
}

static void the_tiny_vocabulary_agrees(void **state)
{
    (void)state;
    json_error_t problem;
    const char *path = golden_path("text/texts.json");
    json_t *file = json_load_file(path ? path : "", 0, &problem), *text;
    size_t at;
    if (!file) fail_msg("%s", problem.text);
    tokenizer *t = open_vocabulary(TEXT_MPNET, "mpnet-tiny.txt");
    json_array_foreach(json_object_get(file, "texts"), at, text)
    {
        char *lower;
        size_t length;
        int32_t ids[256];
        json_t *expected = json_array_get(json_object_get(file, "tiny_ids"), at);
        assert_int_equal(lower_case(json_string_value(text), json_string_length(text), &lower, &length, NULL), SAT_OK);
        const int count = tokenizer_ids(t, lower, length, 256, ids);
        assert_int_equal(count, json_array_size(expected));
        for (int i = 0; i < count; i++)
            assert_int_equal(ids[i], json_integer_value(json_array_get(expected, (size_t)i)));
        free(lower);
    }
    tokenizer_close(t);
    json_decref(file);
}

static void opening_a_full_vocabulary_is_quick(void **state)
{
    (void)state;
    const double start = clock_seconds();
    tokenizer *t = open_vocabulary(TEXT_MPNET, "mpnet-base.txt");
    print_message("30,527 tokens opened in %.1f ms\n", 1e3 * (clock_seconds() - start));
    assert_int_equal(tokenizer_find(t, "[CLS]"), 105);
    tokenizer_close(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_by_hand),
        cmocka_unit_test(literals_of_mpnet),
        cmocka_unit_test(results_are_cut_with_the_frame_kept),
        cmocka_unit_test(bad_vocabularies_are_refused_with_the_line),
        cmocka_unit_test(line_ends_of_windows_are_tolerated),
        cmocka_unit_test(all_golden_texts_agree),
        cmocka_unit_test(the_tiny_vocabulary_agrees),
        cmocka_unit_test(opening_a_full_vocabulary_is_quick),
    };
    return cmocka_run_group_tests_name("text/wordpiece", tests, NULL, NULL);
}
