/* Names of the folders of a batch's scans. */
#ifndef SAT_SEGMENT_BATCH_NAMES_H
#define SAT_SEGMENT_BATCH_NAMES_H

#include "base/error.h"

/* A name for each scan: the file's name without .nii, .nii.gz, .hdr, .img and folders. Where several have the same, each gets its
 * parent folder before it ("case_00001-imaging"); what is then still the same gets _2, _3, ... in the order of the list. Upper and
 * lower case count as the same, as they do for some file systems. Never a path, never hidden, never too long.
 *
 * paths     `count`, borrowed
 * datasets  NULL, or for each a folder to be put before the name (NULL: none): "dataset/case7"; same names in different
 *           datasets are no clash
 * names     out; `count` strings, owned by the caller; on failure none is left
 *
 * Fails with SAT_NO_MEMORY. Thread-safe. */
sat_status batch_names_of(const char *const *paths, const char *const *datasets, int count, char **names, sat_error *error);

#endif
