/* Files as JSON objects, for `sat3d info`: one description, shown as rows or as JSON. */
#ifndef SAT_CLI_DESCRIBE_H
#define SAT_CLI_DESCRIBE_H

#include "base/error.h"

#include "base/json.h"
#include <stdbool.h>

/* What to look at beyond the headers. */
typedef struct describe_options {
    bool tensors; /* list every tensor of a model file (a checkpoint's are always listed) */
    bool verify;  /* read a model file whole and compare its hash                         */
} describe_options;

/* Recognises `path` by content (model file, PyTorch checkpoint, scan) and describes it in a new object that begins with
 * "file" and "kind". Fails with SAT_IO, SAT_BAD_INPUT, SAT_NO_MEMORY; the error names the file. */
sat_status describe_file(const char *path, const describe_options *options, json_t **description, sat_error *error);

#endif
