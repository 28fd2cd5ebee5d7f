/* The tensors of a checkpoint under their canonical names, each once: "module." dropped, aliases folded, and what is no part
 * of the network left out (model.md, Tensor names; text.md, section 8). */
#ifndef SAT_MODEL_STATE_H
#define SAT_MODEL_STATE_H

#include "base/error.h"
#include "model/checkpoint.h"
#include "model/names.h"

#include <stddef.h>
#include <stdint.h>

typedef struct state_tensor {
    char name[MODEL_NAME_MAX];       /* canonical                              */
    const checkpoint_tensor *tensor; /* borrowed from the checkpoint           */
    bool known;                      /* the network has a tensor of this name  */
} state_tensor;

typedef struct state_table {
    state_tensor *tensors; /* owned; sorted by name */
    size_t count;
    size_t aliases; /* entries that repeat another under a second name                              */
    size_t ignored; /* entries left out: atlas_tower, temperature, position_ids                     */
} state_table;

/* Lists the tensors of `c`, which must outlive *table. Fails with SAT_BAD_INPUT when two entries of one canonical name
 * differ, and SAT_NO_MEMORY. Free with state_free, also after a failure. */
sat_status state_list(const checkpoint *c, state_table *table, sat_error *error);
void state_free(state_table *table);

/* NULL when missing. */
state_tensor *state_find(const state_table *table, const char *name);
/* Size `dimension` of the tensor whose name is printed from `format`; 0 when it is missing or has fewer dimensions or the size
 * does not fit an int. */
int state_size(const state_table *table, int dimension, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
