/* A network's sizes, read from the names and shapes of its tensors. What they can't tell (heads, window, spacing) is not
 * touched. Source: model.md, Tensor names; text.md, section 8. */
#ifndef SAT_MODEL_INFER_H
#define SAT_MODEL_INFER_H

#include "base/error.h"
#include "model/description.h"
#include "model/state.h"

/* Fills all of *vision but query_heads. Fails with SAT_BAD_INPUT when a tensor is missing without which a size can't be told;
 * the sizes themselves are not judged (model_description_check does). */
sat_status infer_vision(const state_table *state, vision_sizes *vision, sat_error *error);

/* Fills *text. Heads come from MPNet's table of relative positions; for BERT text->heads is left as it was. The longest text
 * (256 MPNet, 64 BERT) and the norms' epsilon are those of the release. Fails likewise. */
sat_status infer_text(const state_table *state, text_sizes *text, sat_error *error);

#endif
