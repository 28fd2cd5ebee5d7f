/* PyTorch checkpoints written from C, so that tests can have any network, any mistake in it, and any size. */
#ifndef SAT_TESTS_PTH_H
#define SAT_TESTS_PTH_H

#include "model/tensors.h"

#include <stddef.h>
#include <stdint.h>

/* How the file is laid out. */
typedef struct pth_layout {
    const char *prefix;  /* in front of every name; NULL: "module."                                              */
    uint64_t hole_bytes; /* of nothing between the first and the second entry, so that offsets pass 4 GB         */
    float poison;        /* if not 0, takes the place of the first tensor's first element (NAN, INFINITY)         */
} pth_layout;

/* Writes {"step": 7, "model_state_dict": OrderedDict(name: float32 tensor with the generator's values, ...)} as torch.save
 * does, with sizes and offsets in zip64 fields throughout. Fails the running test when it can't. */
void pth_write(const char *path, const model_tensor *tensors, size_t count, pth_layout layout);

#endif
