/* The safetensors format: tensors by name in one file, after a JSON header (docs/model-files.md has it byte by byte).
 *
 *   8 bytes   N, length of the header, little-endian
 *   N bytes   JSON: {"__metadata__": {text: text}, name: {"dtype", "shape", "data_offsets"}, ...}, padded with spaces
 *   the rest  the tensors, little-endian, C order, one after another without holes
 *
 * The reader refuses what the format's own reader refuses (holes, overlaps, trailing bytes), so that a file that opens
 * here opens there. The writer is free in one thing only, the order of the tensors, and uses it for alignment. */
#ifndef SAT_MODEL_SAFETENSORS_H
#define SAT_MODEL_SAFETENSORS_H

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "tensor/element.h"

#include <stddef.h>
#include <stdint.h>

enum {
    SAFETENSORS_DIMENSIONS_MAX = 8,
    SAFETENSORS_HEADER_MAX = 100000000, /* bytes; the format's own limit */
    SAFETENSORS_ALIGNMENT = 64          /* bytes: a cache line, the widest vector */
};

typedef struct safetensors_tensor {
    const char *name; /* UTF-8; when read: borrowed from the safetensors object */
    element_type type;
    int dimensions;
    int64_t shape[SAFETENSORS_DIMENSIONS_MAX];
    uint64_t offset; /* bytes from the beginning of the file */
    uint64_t bytes;
} safetensors_tensor;

/* ---------------------------------------------------------------- reading */

typedef struct safetensors {
    const unsigned char *data; /* borrowed: the whole file                    */
    size_t size;
    size_t header_bytes;         /* 8 + N: where the tensors begin              */
    safetensors_tensor *tensors; /* owned; sorted by name                     */
    size_t count;
    void *json; /* owned; the parsed header                    */
} safetensors;

/* Understands `size` bytes at `data`, which must outlive *file. The tensors' bytes are not touched.
 * Fails with SAT_BAD_INPUT (cut off, not safetensors, absurd header, unknown type, size that contradicts the shape,
 * holes, overlaps) and SAT_NO_MEMORY; then *file is zeroed. */
sat_status safetensors_parse(const void *data, size_t size, safetensors *file, sat_error *error);
/* Safe on a zeroed object and when called twice. */
void safetensors_free(safetensors *file);
/* NULL when there is none of that name. Thread-safe. */
const safetensors_tensor *safetensors_find(const safetensors *file, const char *name);
/* A text of the header's __metadata__, or NULL; borrowed. Thread-safe. */
const char *safetensors_metadata(const safetensors *file, const char *key);

/* ---------------------------------------------------------------- writing */

/* Sorts `tensors` into the order in which they are to be written and sets bytes from type and shape, and offset
 * relative to the first tensor. Where the size in bytes is a multiple of 64, as with every tensor of the published
 * sizes, the tensor will lie at a multiple of 64; the others follow, each at a multiple of the largest power of two
 * in its size, hence of its element. Within a class the given order is kept.
 * Fails with SAT_BAD_ARGUMENT when a size overflows. */
sat_status safetensors_arrange(safetensors_tensor *tensors, size_t count, sat_error *error);

/* A file in the making. */
typedef struct safetensors_writer {
    file_writer file;
    hash_sha256 hash; /* of the tensors' bytes so far     */
    uint64_t header_bytes, total_bytes;
    uint64_t digest_at; /* where the hash goes in the header */
} safetensors_writer;

/* The metadata key whose value the writer makes: the SHA-256 of all bytes after the header. */
#define SAFETENSORS_DIGEST_KEY "data_sha256"

/* Creates `path` (under a temporary name, see file_create) with its header. `tensors` was arranged; `keys` and `values`
 * are `metadata_count` pairs of texts for __metadata__. On failure *w is safe to abandon.
 * Fails with SAT_IO, SAT_NO_MEMORY, SAT_BAD_ARGUMENT (two tensors of one name). */
sat_status safetensors_create(const char *path, const safetensors_tensor *tensors, size_t count,
                              const char *const *keys, const char *const *values, size_t metadata_count,
                              safetensors_writer *w, sat_error *error);
/* The next bytes of the tensors, in order; any number at a time. */
sat_status safetensors_write(safetensors_writer *w, const void *data, size_t bytes, sat_error *error);
/* Completes the header and gives the file its name. Fails with SAT_BAD_ARGUMENT when bytes are missing. */
sat_status safetensors_commit(safetensors_writer *w, sat_error *error);
/* Safe on a zeroed, committed or failed writer. */
void safetensors_abandon(safetensors_writer *w);

#endif
