/* The tables behind bert_chars.h, as scripts/gen_bert_chars.py writes them. All are sorted by code point. */
#ifndef SAT_TEXT_BERT_CHARS_TABLE_H
#define SAT_TEXT_BERT_CHARS_TABLE_H

#include <stddef.h>
#include <stdint.h>

enum { BERT_CHARS_SEQUENCE = 3 };

/* What happens to the characters of a range; a character in no range stays as it is. */
enum {
    BERT_CHARS_DROP,
    BERT_CHARS_SPACE,   /* becomes U+0020                                    */
    BERT_CHARS_SHIFT,   /* replaced by the character `value` further on      */
    BERT_CHARS_SEVERAL, /* replaced by bert_chars_sequences[value]           */
    BERT_CHARS_HANGUL,  /* a syllable, taken apart into two or three letters */
};

typedef struct bert_chars_rule {
    uint32_t first : 24, kind : 8;
    uint32_t last; /* included */
    int32_t value;
} bert_chars_rule;

typedef struct bert_chars_range {
    uint32_t first, last; /* both included */
} bert_chars_range;

extern const bert_chars_rule bert_chars_rules[];
extern const size_t bert_chars_rule_count;
extern const uint32_t bert_chars_sequences[][BERT_CHARS_SEQUENCE]; /* zeros at the end don't count */
extern const bert_chars_range bert_chars_cjk[];
extern const size_t bert_chars_cjk_count;
extern const bert_chars_range bert_chars_punctuation[];
extern const size_t bert_chars_punctuation_count;

#endif
