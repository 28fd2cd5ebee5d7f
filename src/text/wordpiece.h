/* From a prompt to token numbers, as the encoders were trained with (WordPiece, the "fast" tokenizer of BERT and
 * MPNet, uncased). Source: the reference notes on text, section 3. */
#ifndef SAT_TEXT_WORDPIECE_H
#define SAT_TEXT_WORDPIECE_H

#include "base/error.h"
#include "model/description.h"

#include <stddef.h>
#include <stdint.h>

/* A vocabulary ready for use. Immutable after tokenizer_open: any number of threads may share it. */
typedef struct tokenizer tokenizer;

/* Reads a vocabulary: one token a line, its number is its line's, from 0. LF or CRLF; a byte-order mark and empty
 * lines at the end are passed over.
 *
 * kind        which special tokens count when written in a text (TEXT_MPNET or TEXT_BERT)
 * vocabulary  `bytes` bytes, as they stand in vocab.txt and in the model file; copied
 * made        out; new; the caller closes it; NULL on failure
 *
 * Fails with SAT_BAD_INPUT (a token twice, an empty line, a line that is not UTF-8, [CLS], [SEP] or [UNK] missing),
 * SAT_NO_MEMORY. Special tokens are found by name, wherever they stand. */
sat_status tokenizer_open(text_kind kind, const void *vocabulary, size_t bytes, tokenizer **made, sat_error *error);

/* Safe on NULL. */
void tokenizer_close(tokenizer *t);

/* Tokens in the vocabulary: numbers are below this. */
int32_t tokenizer_size(const tokenizer *t);

/* The number of a token by name, or -1. */
int32_t tokenizer_find(const tokenizer *t, const char *token);

/* Token numbers of a text, framed by [CLS] and [SEP] and cut so that [SEP] stays the last.
 *
 * text     `bytes` bytes of UTF-8, NUL allowed; lower-case it first (lower_case.h) as the release does
 * longest  of the result, with the frame; >= 2
 * ids      out; room for `longest` numbers
 *
 * Returns how many were written, 2 for an empty text. Allocates nothing, can't fail. A word of which a part is not in
 * the vocabulary, or of more than 100 characters, is one [UNK]. Thread-safe. */
int tokenizer_ids(const tokenizer *t, const char *text, size_t bytes, int longest, int32_t *ids);

#endif
