/* Connected parts of a mask: which there are, and a mask without those that are not wanted.
 *
 * Two voxels are connected when they touch by face, edge or corner (26-connected). By runs along the first axis and union-find
 * (Rosenfeld and Pfaltz 1966, with the smallest run as root), so the work grows with the mask's surface, not its volume. */
#ifndef SAT_IMAGE_COMPONENTS_H
#define SAT_IMAGE_COMPONENTS_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct components_rule {
    int64_t least_voxels; /* smaller parts go; 0 or 1: none does             */
    bool largest;         /* all but the largest go; among equals the one that comes first in the file's order stays */
} components_rule;

typedef struct components_report {
    int64_t parts, voxels;         /* that there were  */
    int64_t parts_removed, voxels_removed;
} components_report;

/* Bytes that components_filter takes at most, whatever the mask, within a box of this shape. */
size_t components_bytes(const int64_t box_shape[3]);

/* Sets the voxels of unwanted parts to 0.
 *
 * mask   [k][j][i], i fastest, of shape_ijk; 0 or 1
 * box    half-open; all voxels that are not 0 lie inside
 * Bitwise the same for every number of threads. Fails with SAT_NO_MEMORY (mask unchanged). Thread-safe. */
sat_status components_filter(uint8_t *mask, const int64_t shape_ijk[3], const int64_t box_ijk[3][2], const components_rule *rule,
                             int threads, components_report *report, sat_error *error);

#endif
