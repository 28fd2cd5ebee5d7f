/* How tensors are called: one spelling for each (model.md, Tensor names). */
#ifndef SAT_MODEL_NAMES_H
#define SAT_MODEL_NAMES_H

#include <stdbool.h>

enum { MODEL_NAME_MAX = 256 }; /* bytes of a tensor's name with its final zero */

/* The canonical spelling: a leading "module." (the wrapper of distributed training) dropped, and the aliases under
 * which checkpoints repeat a tensor folded: "decoder.encoder." -> "encoder.", "all_modules.0." -> "conv.",
 * "all_modules.1." -> "norm.". False when `name` does not fit. Thread-safe. */
bool model_name_canonical(const char *name, char canonical[MODEL_NAME_MAX]);

#endif
