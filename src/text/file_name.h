/* Names of output files from labels: never a path, never empty, never twice. */
#ifndef SAT_TEXT_FILE_NAME_H
#define SAT_TEXT_FILE_NAME_H

#include "base/error.h"

#include <stddef.h>

/* Longest name with its final zero: leaves room for an ending and for a temporary name within the 255 bytes that
 * file systems allow. */
enum { FILE_NAME_MAX = 201 };

/* One name per label, in the order of the labels: lower case, and any character but ASCII letters, digits, dot and
 * hyphen becomes `_`. A name that an earlier label has taken gets _2, _3, ...; "." and ".." become "_" and "__"; an
 * empty label "_". Longer names are cut. The caller appends the ending (".nii.gz").
 *
 * labels  `count` UTF-8 texts; borrowed
 * names   out; `count` of them
 *
 * Fails with SAT_NO_MEMORY. Thread-safe. */
sat_status file_names_of(const char *const *labels, size_t count, char (*names)[FILE_NAME_MAX], sat_error *error);

#endif
