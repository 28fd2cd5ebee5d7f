/* Masks and probabilities that a result holds: slices in which there is something, masks as bits. */
#ifndef SAT_INTERFACE_KEPT_H
#define SAT_INTERFACE_KEPT_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

typedef enum kept_kind { KEPT_MASKS, KEPT_PROBABILITIES } kept_kind;

typedef struct kept kept;

/* Bytes at most, if every slice of every label holds something; UINT64_MAX where that does not fit. */
uint64_t kept_bytes(kept_kind kind, const int64_t shape_ijk[3], int labels);

/* Fails with SAT_NO_MEMORY. */
sat_status kept_open(kept_kind kind, const int64_t shape_ijk[3], int labels, kept **opened, sat_error *error);
void kept_close(kept *k); /* NULL does nothing */

/* A label's voxels in the file's order, whole slices at a time, in any number of calls after kept_begin; a label that is begun
 * again is forgotten first. `values`: uint8 masks or float probabilities; NULL: zeros. From one thread at a time.
 * Fails with SAT_NO_MEMORY. */
void kept_begin(kept *k, int label);
sat_status kept_add(kept *k, const void *values, size_t voxels, sat_error *error);

/* All of a label: i * j * k uint8 or float. Thread-safe once all is there. */
void kept_copy(const kept *k, int label, void *values);

#endif
