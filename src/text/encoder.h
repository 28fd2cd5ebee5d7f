/* Prompts to queries: lower case, tokens, tower, modality, and the cache in between.
 *
 * The vector of a text is the same, bit for bit, whatever other prompts stand beside it, in whatever order, with
 * however many threads, and whether it comes from the tower or from the cache. */
#ifndef SAT_TEXT_ENCODER_H
#define SAT_TEXT_ENCODER_H

#include "base/error.h"
#include "base/progress.h"
#include "model/description.h"
#include "tensor/weights.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct text_encoder text_encoder; /* not thread-safe: one thread at a time */

typedef struct text_encoder_options {
    int threads; /* for the tower; below 1: 1 */
    /* Stands for the model's content, for example model_file_identity; NULL or empty: nothing is kept on disk. */
    const char *model_identity;
    bool no_disk_cache;     /* keep queries in memory only, and read none                         */
    const char *cache_root; /* where caches lie; NULL: the user's cache folder, if there is one   */
} text_encoder_options;

/* What has been done so far. */
typedef struct text_encoder_report {
    size_t encoded;    /* texts that went through the tower                           */
    size_t remembered; /* prompts that were known: from disk, or asked for before     */
    double seconds;    /* spent in the tower                                          */
    sat_error cache;   /* why the disk cache could not be written; code SAT_OK: it could */
} text_encoder_report;

/* Opens an encoder. The tower's weights are read when a text is encoded that is not in the cache, and let go again
 * afterwards; a run that finds all its prompts in the cache never touches them.
 *
 * sizes       checked (model_description_check), kind other than TEXT_NONE; copied
 * weights     the text encoder's tensors (model_file_text); must outlive the encoder
 * vocabulary  `vocabulary_bytes` bytes (model_file_vocabulary); not needed after the call
 *
 * Fails with SAT_BAD_INPUT (the vocabulary is damaged or is not this encoder's, a tensor is missing), SAT_BAD_ARGUMENT (no
 * text encoder), SAT_NO_MEMORY. A cache that can't be read counts as empty. */
sat_status text_encoder_open(const text_sizes *sizes, const weight_source *weights, const void *vocabulary,
                             size_t vocabulary_bytes, const text_encoder_options *options, text_encoder **made,
                             sat_error *error);
/* Safe on NULL. */
void text_encoder_close(text_encoder *e);

/* One query a prompt: its text's vector plus the modality's.
 *
 * prompts   `count` UTF-8 texts; lower-cased here and otherwise taken as they are; borrowed
 * modality  a row of the modality table, 0 ... 3 (modality.h)
 * queries   out; [count][output_width] float32
 * p         hears of the texts that have to be encoded, stage "prompts"; may be NULL
 *
 * Texts that are encoded are kept, on disk as well. Fails with SAT_BAD_ARGUMENT (modality), SAT_NO_MEMORY, SAT_BAD_INPUT
 * (weights), SAT_CANCELLED; a disk cache that can't be written is no failure (text_encoder_reported). */
sat_status text_encoder_queries(text_encoder *e, const char *const *prompts, size_t count, int modality, float *queries,
                                progress *p, sat_error *error);

/* The same without the modality: [count][output_width]. */
sat_status text_encoder_features(text_encoder *e, const char *const *prompts, size_t count, float *features,
                                 progress *p, sat_error *error);

/* The most memory that encoding these prompts will take beside what the encoder holds already: 0 if all are known.
 * Fails as text_encoder_queries. */
sat_status text_encoder_bytes(text_encoder *e, const char *const *prompts, size_t count, size_t *bytes,
                              sat_error *error);

/* Numbers in a query. */
int text_encoder_width(const text_encoder *e);

/* Borrowed; follows what the encoder does. */
const text_encoder_report *text_encoder_reported(const text_encoder *e);

#endif
