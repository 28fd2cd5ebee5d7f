/* Deterministic weights: tensors made from their names alone. */
#ifndef SAT_MODEL_WEIGHTS_H
#define SAT_MODEL_WEIGHTS_H

#include "tensor/weights.h"

#include <stdint.h>

/* Tensors made from their names alone (model.md, Deterministic weights), float32, bit for bit as
 * deterministic.py makes them. For tests, benchmarks and the demonstration. */
weight_source weight_source_deterministic(void);

/* The generator itself: `count` elements of the tensor `name` (canonical names are made inside), from
 * element `first`, of shape `shape`. `name` has fewer than MODEL_NAME_MAX bytes (model/names.h). Large stretches are made by
 * several threads; the values do not depend on how many. Thread-safe. */
void deterministic_fill(const char *name, int dimensions, const int64_t *shape, uint64_t first, size_t count,
                        float *values);

#endif
