/* Scans from files of any format that we read, recognised by content, not by name. */
#ifndef SAT_IMAGE_VOLUME_FILE_H
#define SAT_IMAGE_VOLUME_FILE_H

#include "image/volume.h"

/* Reads a scan (or label map) from `path`: NIfTI-1, NIfTI-2 or Analyze 7.5, plain or gzip, one file or a pair.
 *
 * path          UTF-8; borrowed
 * volume_index  which volume of a file with several, counted from 0; -1: the file holds one, refuse if there are more
 * v             out; on success the caller owns it and calls volume_free; on failure it is zeroed, so that volume_free is
 *               still safe. v->warnings says what the user should hear (volume_warning_text).
 * error         may be NULL; names the file
 *
 * Fails with SAT_IO (cannot open), SAT_BAD_INPUT (damaged, cut off, another format, several volumes, ...),
 * SAT_BAD_ARGUMENT (no such volume), SAT_NO_MEMORY. Thread-safe. */
sat_status volume_read(const char *path, int64_t volume_index, volume *v, sat_error *error);

#endif
