/* The text towers, BERT's and MPNet's, as graphs of the engine: token numbers in, one vector a text out.
 *
 * Texts of one length go together, so there is no padding; a text's vector does not depend on its neighbours, bit for
 * bit, as every operation's rows are independent. Source: the reference notes on text, sections 4 to 8; Devlin et al.
 * 2019 (BERT), Song et al. 2020 (MPNet). */
#ifndef SAT_TEXT_TOWER_H
#define SAT_TEXT_TOWER_H

#include "base/error.h"
#include "model/description.h"
#include "tensor/graph.h"
#include "tensor/weights.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a graph is built for. */
typedef struct text_tower_batch {
    int texts, tokens; /* all texts have this many tokens, the frame included                                 */
    bool masked;       /* a token that doesn't count (position_counts) is among them: each text has its bias */
} text_tower_batch;

/* Names of the graph's inputs and outputs. */
#define TEXT_TOWER_EMBEDDINGS                                                                                          \
    "embeddings"                        /* [texts * tokens][width]: word + token type + position, before the norm     */
#define TEXT_TOWER_BIAS "position bias" /* MPNet alone: [1, or texts if masked][heads][tokens][tokens], position_bias */
#define TEXT_TOWER_WEIGHTS                                                                                             \
    "token weights"                    /* [texts][tokens]: how the states make one vector                            */
#define TEXT_TOWER_FEATURES "features" /* [texts][output_width]                                                      */
#define TEXT_TOWER_STAGE "stage %d" /* [texts * tokens][width], if asked for: after the embedding, after each layer */

/* Adds the tower, the pooling and MPNet's projection to an empty graph. Failures are the graph's (graph_check). */
void text_tower_build(const text_sizes *sizes, const text_tower_batch *batch, bool with_stages, graph *g);

/* A tower with its weights, ready to run. Not thread-safe. */
typedef struct text_tower text_tower;

/* Opens a tower. Nothing is read yet: weights come with the first run and stay until text_tower_close.
 *
 * sizes    checked (model_description_check); copied
 * weights  the text encoder's tensors; must outlive the tower
 *
 * Fails with SAT_NO_MEMORY. */
sat_status text_tower_open(const text_sizes *sizes, const weight_source *weights, int threads, text_tower **made,
                           sat_error *error);
/* Safe on NULL. */
void text_tower_close(text_tower *t);

/* Encodes texts of one length, some at a time.
 *
 * ids       [texts][tokens], each below sizes->vocabulary
 * features  out; [texts][output_width]: the vectors before the modality is added
 *
 * Fails with SAT_BAD_INPUT (a tensor is missing or has another shape), SAT_NO_MEMORY. */
sat_status text_tower_run(text_tower *t, const int32_t *ids, int texts, int tokens, float *features, sat_error *error);

/* The most memory that encoding texts of up to `tokens` tokens takes, weights included: for planning. */
sat_status text_tower_bytes(text_tower *t, int tokens, size_t *bytes, sat_error *error);

#endif
