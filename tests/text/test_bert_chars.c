#include "tests/support/cmocka.h"
#include "tests/support/golden.h"

#include "base/hash.h"
#include "text/bert_chars.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void rules_by_hand(void **state)
{
    (void)state;
    static const struct {
        uint32_t code;
        int count;
        uint32_t becomes[5];
    } cases[] = {
        {'a', 1, {'a'}},
        {'A', 1, {'a'}},
        {'\t', 1, {' '}},
        {0, 0, {0}},
        {0xe9, 1, {'e'}},
        {0x301, 0, {0}}, /* an accent on its own */
        {0xdf, 1, {0xdf}},
        {0x130, 1, {'i'}},
        {0x3a3, 1, {0x3c3}},
        {0x200b, 0, {0}},                      /* zero-width space */
        {0xd55c, 3, {0x1112, 0x1161, 0x11ab}}, /* Hangul syllable */
        {0x809d, 3, {' ', 0x809d, ' '}},       /* Chinese: liver */
        {0xfffd, 0, {0}},
        {0x10ffff, 1, {0x10ffff}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint32_t out[BERT_CHARS_MAX];
        assert_int_equal(bert_chars_normalise(cases[i].code, out), cases[i].count);
        assert_memory_equal(out, cases[i].becomes, (size_t)cases[i].count * sizeof *out);
    }
    assert_true(bert_chars_is_punctuation('$') && bert_chars_is_punctuation(0x2019) && bert_chars_is_punctuation('_'));
    assert_false(bert_chars_is_punctuation('a') || bert_chars_is_punctuation(0xb0) ||
                 bert_chars_is_punctuation(0x2212));
}

/* The table says of every character what the measured file says: the checksum is made from that file by
 * scripts/gen_bert_chars.py, in its own way. */
static void every_character_is_as_measured(void **state)
{
    (void)state;
    uint64_t total = HASH_FNV_START;
    for (uint32_t code = 0; code < 0x110000; code++) {
        if (code >= 0xd800 && code < 0xe000) continue;
        uint32_t numbers[BERT_CHARS_MAX + 2] = {code};
        const int count = bert_chars_normalise(code, numbers + 1);
        numbers[1 + count] = bert_chars_is_punctuation(code);
        for (int i = 0; i < count + 2; i++) {
            const unsigned char bytes[4] = {(unsigned char)numbers[i], (unsigned char)(numbers[i] >> 8),
                                            (unsigned char)(numbers[i] >> 16), (unsigned char)(numbers[i] >> 24)};
            total = hash_fnv1a64(total, bytes, sizeof bytes);
        }
    }
    assert_true(total == 0x9280f6c6ca87da1b);
}

static void check_line(const char *line)
{
    char action[16], becomes[64] = "";
    unsigned first, last;
    uint32_t out[BERT_CHARS_MAX];
    const int read = sscanf(line, "%15s %x-%x %63[^\n]", action, &first, &last, becomes);
    if (read < 3) {
        assert_int_equal(sscanf(line, "%15s %x %63[^\n]", action, &first, becomes) >= 2, 1);
        last = first;
    }
    for (unsigned code = first; code <= last; code++) {
        const int count = bert_chars_normalise(code, out);
        if (!strcmp(action, "drop")) assert_int_equal(count, 0);
        if (!strcmp(action, "space")) assert_true(count == 1 && out[0] == ' ');
        if (!strcmp(action, "cjk")) assert_true(count >= 3 && out[0] == ' ' && out[count - 1] == ' ');
        if (!strcmp(action, "punct")) assert_true(bert_chars_is_punctuation(code));
        if (!strcmp(action, "shift")) assert_true(count == 1 && out[0] == (uint32_t)((long)code + atol(becomes)));
        if (!strcmp(action, "map")) {
            const int padding = count > 1 && out[0] == ' ';
            char spelt[64] = "";
            for (int i = padding; i < count - padding; i++)
                snprintf(spelt + strlen(spelt), 16, i > padding ? " %04X" : "%04X", (unsigned)out[i]);
            assert_string_equal(spelt, becomes);
        }
    }
}

static void the_table_agrees_with_its_source(void **state)
{
    (void)state;
    const char *path = shared_path("vocab/bert_chars.tsv");
    if (!path) {
        print_message("[  SKIPPED ] ../shared/vocab/bert_chars.tsv is not there; its checksum was compared\n");
        skip();
    }
    FILE *file = fopen(path, "r");
    char line[256];
    int lines = 0;
    assert_non_null(file);
    while (fgets(line, sizeof line, file))
        if (line[0] != '#') {
            check_line(line);
            lines++;
        }
    fclose(file);
    assert_int_equal(lines, 2897);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_by_hand),
        cmocka_unit_test(every_character_is_as_measured),
        cmocka_unit_test(the_table_agrees_with_its_source),
    };
    return cmocka_run_group_tests_name("text/bert_chars", tests, NULL, NULL);
}
