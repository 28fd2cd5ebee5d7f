#include "text/bert_chars.h"
#include "text/bert_chars_table.h"

static bool inside(const bert_chars_range *ranges, size_t count, uint32_t code)
{
    size_t low = 0, high = count; /* the first range that ends at or after `code` is in [low, high] */
    while (low < high) {
        const size_t middle = (low + high) / 2;
        if (ranges[middle].last < code)
            low = middle + 1;
        else
            high = middle;
    }
    return low < count && ranges[low].first <= code;
}

static const bert_chars_rule *rule_of(uint32_t code)
{
    size_t low = 0, high = bert_chars_rule_count;
    while (low < high) {
        const size_t middle = (low + high) / 2;
        if (bert_chars_rules[middle].last < code)
            low = middle + 1;
        else
            high = middle;
    }
    return low < bert_chars_rule_count && bert_chars_rules[low].first <= code ? &bert_chars_rules[low] : NULL;
}

/* Hangul syllables are numbered lead * 588 + vowel * 28 + tail from AC00 (Unicode standard, section 3.12). */
static int take_syllable_apart(uint32_t code, uint32_t *out)
{
    const uint32_t s = code - 0xac00, tail = s % 28;
    out[0] = 0x1100 + s / 588;
    out[1] = 0x1161 + s % 588 / 28;
    out[2] = 0x11a7 + tail;
    return tail ? 3 : 2;
}

static int replace(uint32_t code, uint32_t *out)
{
    const bert_chars_rule *rule = rule_of(code);
    out[0] = code;
    if (!rule) return 1;
    switch (rule->kind) {
    case BERT_CHARS_DROP: return 0;
    case BERT_CHARS_SPACE: out[0] = ' '; return 1;
    case BERT_CHARS_HANGUL: return take_syllable_apart(code, out);
    case BERT_CHARS_SEVERAL: {
        int count = 0;
        while (count < BERT_CHARS_SEQUENCE && bert_chars_sequences[rule->value][count]) {
            out[count] = bert_chars_sequences[rule->value][count];
            count++;
        }
        return count;
    }
    default: /* BERT_CHARS_SHIFT */ out[0] = (uint32_t)((int32_t)code + rule->value); return 1;
    }
}

int bert_chars_normalise(uint32_t code, uint32_t out[BERT_CHARS_MAX])
{
    if ((code >= 'a' && code <= 'z') || code == ' ') { /* most of most texts */
        out[0] = code;
        return 1;
    }
    if (!inside(bert_chars_cjk, bert_chars_cjk_count, code)) return replace(code, out);
    out[0] = ' ';
    const int count = 1 + replace(code, out + 1);
    out[count] = ' ';
    return count + 1;
}

bool bert_chars_is_punctuation(uint32_t code)
{
    return inside(bert_chars_punctuation, bert_chars_punctuation_count, code);
}
