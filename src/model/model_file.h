/* A model: one self-describing safetensors file (docs/model-files.md), opened by mapping it.
 *
 *   tensors of the vision network     under the release's names without "module."
 *   tensors of the text encoder       the same with "text_encoder." in front (both know a projection_layer)
 *   "text_encoder.vocabulary"         U8: the vocabulary's lines, joined by line feeds
 *   __metadata__: "sat3d"             the model_description as JSON
 *
 * Opening reads the header alone, whatever the file's size. */
#ifndef SAT_MODEL_MODEL_FILE_H
#define SAT_MODEL_MODEL_FILE_H

#include "base/error.h"
#include "base/hash.h"
#include "model/description.h"
#include "model/safetensors.h"
#include "model/weights.h"

#include <stddef.h>

#define MODEL_FILE_TEXT_PREFIX "text_encoder."
#define MODEL_FILE_VOCABULARY "text_encoder.vocabulary"
#define MODEL_FILE_METADATA "sat3d"

typedef struct model_file model_file;

/* Opens `path` and checks that its description is a network and that every tensor the description asks for is there
 * with its shape, as float32 or bfloat16. On success the caller owns *file and closes it; on failure it is NULL.
 * Fails with SAT_IO, SAT_BAD_INPUT (a PyTorch checkpoint gets a hint at `sat3d convert`), SAT_NO_MEMORY. */
sat_status model_file_open(const char *path, model_file **file, sat_error *error);
/* The same over `size` bytes at `data`, borrowed until model_file_close. */
sat_status model_file_parse(const void *data, size_t size, model_file **file, sat_error *error);
/* Safe on NULL. */
void model_file_close(model_file *file);

/* All that follows is borrowed from the file and thread-safe. */
const model_description *model_file_description(const model_file *file);

/* The tensors of the vision network and of the text encoder, each under the release's names without "module.".
 * Views point into the mapping (view.type is float32 or bfloat16; norms, biases and small tables are always float32);
 * release lets go of the pages, which are read again from the file if needed. */
weight_source model_file_vision(const model_file *file);
weight_source model_file_text(const model_file *file);

/* The vocabulary: `*bytes` bytes of UTF-8, lines joined by line feeds, no final one; NULL without a text encoder. */
const char *model_file_vocabulary(const model_file *file, size_t *bytes);

/* The type of the large weights: bfloat16 if the file was converted so. */
element_type model_file_type(const model_file *file);

/* 64 hexadecimal digits that stand for the file's content: equal for equal files, different after any training. For
 * cache keys. From the header, which holds a SHA-256 of the tensors, and a few samples of the tensors; a file without
 * that hash (not written by sat3d) is hashed whole. */
void model_file_identity(const model_file *file, char identity[HASH_SHA256_TEXT]);

/* Reads the whole file and compares it with the hash in its header: for those who doubt a download. Fails with
 * SAT_BAD_INPUT when they differ or when there is none. */
sat_status model_file_verify(const model_file *file, sat_error *error);

/* The file as a list of tensors. */
const safetensors *model_file_tensors(const model_file *file);

#endif
