/* What uncased BERT and MPNet do with each Unicode character before words are looked up: drop it, make it a
 * space, lower-case it, take its accents off, set spaces around it; and which characters are punctuation.
 * The rules are those of the tokenizer that the models were trained with, which follow no single version of
 * Unicode (tables and their source: bert_chars_table.c). */
#ifndef SAT_TEXT_BERT_CHARS_H
#define SAT_TEXT_BERT_CHARS_H

#include <stdbool.h>
#include <stdint.h>

enum { BERT_CHARS_MAX = 5 }; /* a Chinese character's replacement of three, and the spaces around it */

/* Writes what `code` becomes and returns how many characters that is; 0: it vanishes. Thread-safe. */
int bert_chars_normalise(uint32_t code, uint32_t out[BERT_CHARS_MAX]);

/* Whether a character, after normalising, is a word of its own. Thread-safe. */
bool bert_chars_is_punctuation(uint32_t code);

#endif
