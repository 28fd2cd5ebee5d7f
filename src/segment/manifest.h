/* Manifests: JSON Lines, one scan a line, as the release reads them (docs/batch.md; reference: image, label, modality, dataset,
 * optional orientation_code; every other field is passed over). */
#ifndef SAT_SEGMENT_MANIFEST_H
#define SAT_SEGMENT_MANIFEST_H

#include "base/error.h"

#include <stddef.h>

enum {
    MANIFEST_LABELS_MAX = 65535, /* of a line: ids of a label map are 16 bits */
    MANIFEST_TEXT_MAX = 4096,    /* bytes of any text, its final zero included */
};

/* A line. A bad one has `refusal`, the sentence that says why, and nothing else. */
typedef struct manifest_line {
    int number;                                      /* in the file, from 1                     */
    char *image;                                     /* path, as it stands                      */
    char **labels;                                   /* label_count of them, as spelt           */
    int label_count;
    char *modality, *dataset, *orientation_code;     /* NULL: the line doesn't say              */
    char *refusal;
} manifest_line; /* owns all its texts */

typedef struct manifest {
    manifest_line *lines; /* owned; empty lines of the file are left out */
    int count, bad_count;
} manifest;

/* From a file's bytes, UTF-8 with or without a byte-order mark. A bad line is no failure: the others are still good.
 * Fails with SAT_BAD_INPUT (no good line at all: the first line's complaint), SAT_NO_MEMORY; *m is then empty. Thread-safe. */
sat_status manifest_parse(const void *bytes, size_t size, manifest *m, sat_error *error);
/* The same from a file; also SAT_IO. The error names the file. */
sat_status manifest_read(const char *path, manifest *m, sat_error *error);
/* Safe on a zeroed manifest and when called twice. */
void manifest_free(manifest *m);

#endif
