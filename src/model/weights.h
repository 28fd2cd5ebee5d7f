/* Where a network's tensors come from: a model file, or the generator of deterministic weights. */
#ifndef SAT_MODEL_WEIGHTS_H
#define SAT_MODEL_WEIGHTS_H

#include "base/error.h"
#include "tensor/element.h"

#include <stdint.h>

enum { WEIGHT_DIMENSIONS_MAX = 5 };

/* One tensor, C order, read-only. */
typedef struct weight_view {
    element_type type;                       /* float32 or bfloat16 in model files */
    int dimensions;
    int64_t shape[WEIGHT_DIMENSIONS_MAX];
    const void *data;                        /* borrowed: valid until release; 64-byte aligned when generated, and in files
                                              * that we write if its bytes are a multiple of 64 (all published sizes) */
    void *owned;                             /* the source's own note for release, or NULL */
} weight_view;

/* A source of tensors under the release's names without "module." (model.md, Tensor names; text.md, section 8).
 * Thread-safe as long as the source lives. */
typedef struct weight_source {
    /* Finds `name` and checks its shape. Fails with SAT_BAD_INPUT, naming the tensor and both shapes,
     * when it is missing or has another shape. */
    sat_status (*find)(const struct weight_source *source, const char *name, int dimensions,
                       const int64_t *shape, weight_view *view, sat_error *error);
    /* The view's data are not needed for now: a generator frees, a mapping lets its pages go. */
    void (*release)(const struct weight_source *source, weight_view *view);
    const void *context;
} weight_source;

/* Tensors made from their names alone (model.md, Deterministic weights), float32, bit for bit as
 * deterministic.py makes them. For tests, benchmarks and the demonstration. */
weight_source weight_source_deterministic(void);

/* The generator itself: `count` elements of the tensor `name` (canonical names are made inside), from
 * element `first`, of shape `shape`. `name` has fewer than MODEL_NAME_MAX bytes (model/names.h). Large stretches are made by
 * several threads; the values do not depend on how many. Thread-safe. */
void deterministic_fill(const char *name, int dimensions, const int64_t *shape, uint64_t first, size_t count,
                        float *values);

#endif
