/* The text encoders by the formulas, in double and a text at a time: the twin of src/text/tower.c. */
#ifndef SAT_TESTS_PLAIN_TEXT_TOWER_H
#define SAT_TESTS_PLAIN_TEXT_TOWER_H

#include "model/description.h"
#include "model/weights.h"

/* The vector before the modality is added, `sizes->output_width` numbers, of `count` token numbers.
 * stages: NULL, or room for [1 + layers][count][width]: the states after the embedding and after each layer.
 * Fails the running test when a tensor is missing. Slow: for small encoders. */
void plain_text_features(const text_sizes *sizes, const weight_source *weights, const int32_t *ids, int count,
                         double *features, float *stages);

#endif
