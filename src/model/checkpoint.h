/* PyTorch checkpoints: a zip archive with a pickle that describes the tensors (data.pkl) and their raw storages
 * (data/0, data/1, ...). Nothing in them is executed (model/unpickler.h). Source: model.md, Checkpoint files. */
#ifndef SAT_MODEL_CHECKPOINT_H
#define SAT_MODEL_CHECKPOINT_H

#include "base/error.h"
#include "base/file.h"
#include "model/unpickler.h"
#include "model/zip.h"
#include "tensor/element.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One tensor of the state dictionary: a view, maybe strided, of a storage. */
typedef struct checkpoint_tensor {
    const char *name; /* as stored, "module." included */
    element_type type;
    int dimensions;
    int64_t shape[PICKLE_DIMENSIONS_MAX], stride[PICKLE_DIMENSIONS_MAX], offset; /* in elements */
    int64_t elements;
    const unsigned char *storage; /* borrowed; little-endian elements at any alignment */
    uint64_t storage_bytes;
    uint32_t storage_crc32; /* as the archive promises it */
} checkpoint_tensor;

typedef struct checkpoint {
    checkpoint_tensor *tensors; /* in the file's order */
    size_t count;
    size_t other_tensors; /* outside the state dictionary, such as an optimiser's moments */
    int64_t step;         /* of the training that wrote it, or -1 */
    /* What the above borrows from. */
    file_map map;
    zip_archive archive;
    pickle objects;
    char *names;
} checkpoint;

/* Opens a checkpoint by mapping it; only its directory is read. The state dictionary is the entry "model_state_dict" (or
 * "state_dict") of the file's dictionary, else that dictionary itself.
 * Fails with SAT_IO, SAT_NO_MEMORY and SAT_BAD_INPUT: no zip archive (the container of PyTorch before 1.6 gets a hint at how to
 * save it anew), a pickle that asks for anything but tensors and plain values, no state dictionary, storages that are missing
 * or cut off. On failure *c is zeroed. */
sat_status checkpoint_open(const char *path, checkpoint *c, sat_error *error);
/* The same over `size` bytes at `data`, borrowed until checkpoint_close. */
sat_status checkpoint_parse(const void *data, size_t size, checkpoint *c, sat_error *error);
/* Safe on a zeroed checkpoint and when called twice. */
void checkpoint_close(checkpoint *c);

/* Elements [first, first + count) of `tensor` in C order, of its own type, into `elements`. The range lies within
 * tensor->elements. Thread-safe. */
void checkpoint_read(const checkpoint_tensor *tensor, int64_t first, size_t count, void *elements);

/* Whether the tensor is all of its storage, in order: then the elements that checkpoint_read gives are the storage's bytes. */
bool checkpoint_is_whole(const checkpoint_tensor *tensor);

/* Whether the tensor's storage has the check sum that the archive promises. Reads all of it. A difference means damage, or a
 * writer whose check sums were switched off. Thread-safe. */
bool checkpoint_intact(const checkpoint_tensor *tensor);

#endif
