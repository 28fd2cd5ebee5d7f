/* Which tensors a description asks for: their names and shapes, in the release's order (model.md, Tensor names;
 * text.md, section 8). Building a network, checking a file, converting and counting all read this one list. */
#ifndef SAT_MODEL_TENSORS_H
#define SAT_MODEL_TENSORS_H

#include "model/description.h"
#include "model/names.h"
#include "model/weights.h"

#include <stddef.h>

typedef enum model_part {
    PART_ENCODER,
    PART_DECODER,
    PART_TOKEN_PROJECTION,
    PART_QUERY_DECODER,
    PART_QUERY_PROJECTION,
    PART_MID_HEADS,
    PART_MASK_HEAD,
    PART_TEXT_TOWER,
    PART_TEXT_PROJECTION,
    PART_MODALITY,
    MODEL_PARTS
} model_part;

/* "encoder", "decoder", "query_decoder", ...; static storage. */
const char *model_part_name(model_part part);

/* One tensor. The vision network and the text encoder have name spaces of their own: both know a projection_layer.0.weight. */
typedef struct model_tensor {
    char name[MODEL_NAME_MAX]; /* without "module."; canonical */
    model_part part;
    bool optional; /* stored by the release, never used, may be missing: a text tower's pooler */
    bool exact;    /* stays float32 in a bfloat16 file: see model_tensors_vision              */
    int dimensions;
    int64_t shape[WEIGHT_DIMENSIONS_MAX];
} model_tensor;

typedef struct model_tensor_list {
    model_tensor *tensors; /* owned */
    size_t count;
} model_tensor_list;

/* The tensors of the vision network; mid heads only if vision->mid_heads. `vision` was checked
 * (model_description_check). Fails with SAT_NO_MEMORY. Free with model_tensors_free, also after a failure.
 *
 * A bfloat16 file rounds what bfloat16 kernels round anyway: the operands of products, which are nearly all of a model's
 * bytes. `exact` are the others: what is added or multiplied in float32 (norms, biases, tables of positions, types, relative
 * positions and modalities), and the first convolution, whose three equal input channels are summed before any rounding. */
sat_status model_tensors_vision(const vision_sizes *vision, model_tensor_list *list, sat_error *error);
/* Those of the text encoder; none for TEXT_NONE. */
sat_status model_tensors_text(const text_sizes *text, model_tensor_list *list, sat_error *error);
/* Safe on a zeroed list and when called twice. */
void model_tensors_free(model_tensor_list *list);

/* Elements of one tensor, and of all tensors of `part` (MODEL_PARTS: of all parts). */
int64_t model_tensor_elements(const model_tensor *tensor);
int64_t model_tensors_parameters(const model_tensor_list *list, model_part part);

#endif
