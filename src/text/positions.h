/* Where tokens stand, as the towers see it: rows of the position table, buckets of distances, and which tokens count.
 * Source: the reference notes on text, sections 4 and 6. All functions are thread-safe and allocate nothing. */
#ifndef SAT_TEXT_POSITIONS_H
#define SAT_TEXT_POSITIONS_H

#include "model/description.h"

#include <stdbool.h>
#include <stdint.h>

enum { POSITION_BUCKETS = 32 }; /* rows of MPNet's table of relative biases */

/* The row of the position table for each token. BERT: 0, 1, 2, ... MPNet: 1 + the number of ids other than 1 (<pad>)
 * up to the token, or 1 for an id that is 1 itself: ordinary texts give 2, 3, 4, ... */
void position_rows(text_kind kind, const int32_t *ids, int count, int32_t *rows);

/* The largest row that `count` tokens can ask for. */
int position_row_limit(text_kind kind, int count);

/* MPNet's bucket of the distance `key - query` in tokens, 0 ... 31. */
int position_bucket(int distance);

/* Whether the tokens attend to token `id` and it enters the mean. SAT masks the number 0 for MPNet, where it is both
 * its padding and a <s> written in a prompt; a text of its own has no padding, so for BERT all tokens count. */
bool position_counts(text_kind kind, int32_t id);

/* What is added to the attention scores of one text in MPNet, [heads][count queries][count keys]: the relative
 * position bias, and -FLT_MAX for keys that don't count.
 *
 * table  [POSITION_BUCKETS][heads]
 * ids    `count` of them, or NULL: all count */
void position_bias(const float *table, int heads, const int32_t *ids, int count, float *bias);

#endif
