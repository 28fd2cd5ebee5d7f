/* The vision network ready to run: plans for a window and for a group of queries, weights packed, memory planned.
 *
 *   network_make -> network_bytes (what it will take) -> network_load -> for each window:
 *       network_image                              features, once
 *       network_queries                            mask embeddings of all prompts
 *       network_masks, plane by plane, in threads  probabilities
 */
#ifndef SAT_MODEL_NETWORK_H
#define SAT_MODEL_NETWORK_H

#include "base/error.h"
#include "model/description.h"
#include "tensor/element.h"
#include "tensor/plan.h"
#include "tensor/weights.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct network network;

typedef struct network_options {
    element_type type; /* float32 or bfloat16; falls back to float32 where the processor has no bfloat16: network_type tells */
    int threads;       /* >= 1; changes no bit of the results                                                                */
    int queries;       /* how many there will usually be: sizes of groups follow; any number works                           */
    bool taps;         /* keep all intermediate maps for tests: more memory                                                  */
} network_options;

/* Plans; allocates nothing big. The source must outlive the network. Fails with SAT_BAD_INPUT, SAT_NO_MEMORY. */
sat_status network_make(const model_description *model, const weight_source *source, const network_options *options,
                        network **made, sat_error *error);
void network_free(network *n); /* NULL does nothing */

/* Peak bytes of our memory from network_load on: activations, scratch, packed weights. Mapped weights that are used where
 * they lie are not counted (the system can let them go). */
size_t network_bytes(const network *n);
element_type network_type(const network *n);

/* Takes the memory and packs the weights. */
sat_status network_load(network *n, sat_error *error);

/* Features of one window: image [x][y][z] float32, of the description's full window, padded. watch: asked between
 * steps whether to stop, or NULL. */
sat_status network_image(network *n, const float *image, const progress *watch, sat_error *error);

/* Mask embeddings [count][F0] of queries [count][text width] for the window last shown. A query's embedding does not
 * depend on the others. */
sat_status network_queries(network *n, int count, const float *queries, float *embeddings, sat_error *error);
int network_embedding_width(const network *n);

/* Queries that network_masks takes at a time. */
int network_mask_group(const network *n);
/* Probabilities (or logits) of `count` <= network_mask_group queries for planes [x_begin, x_end) of the window last shown:
 * out [network_mask_group][x_end - x_begin][y][z], the first `count` of which are meaningful.
 * embeddings: [count][F0]. Several threads may call it at once, each with its own slot, 0 <= slot < threads. */
sat_status network_masks(network *n, int slot, int x_begin, int x_end, int count, const float *embeddings, bool as_probability,
                         float *out, sat_error *error);

/* The plans, for reports and tests: outputs of taps, time and operations of steps. */
const plan *network_image_plan(const network *n);
const plan *network_query_plan(const network *n);

#endif
