/* The next scan, read while the one before is computed. */
#ifndef SAT_SEGMENT_BATCH_READER_H
#define SAT_SEGMENT_BATCH_READER_H

#include "base/error.h"
#include "image/volume.h"

#include <stdbool.h>
#include <stdint.h>

/* What a scan will take in memory and its grid, from the header alone: v gets no voxels (volume_free is not needed). For a file
 * whose header is not at its beginning (an .img) *bytes is its size and v's shape is 1 x 1 x 1.
 * Fails with SAT_IO, SAT_BAD_INPUT; the error names the file. Thread-safe. */
sat_status batch_scan_peek(const char *path, volume *v, uint64_t *bytes, sat_error *error);

typedef struct batch_reader batch_reader;

/* Begins to read `path` (borrowed until batch_reader_take) in a thread of its own; where the system gives none, batch_reader_take
 * reads. Fails with SAT_NO_MEMORY. */
sat_status batch_reader_start(const char *path, int volume_index, batch_reader **started, sat_error *error);
/* Waits for the scan. As volume_read; *r is ended and NULL afterwards. *waited (may be NULL) gets the seconds spent waiting. */
sat_status batch_reader_take(batch_reader **r, volume *v, double *waited, sat_error *error);
/* Waits, and lets the scan go. Safe on NULL. */
void batch_reader_drop(batch_reader **r);

#endif
