/* The way back: a prompt's probabilities on the processed grid become a mask on the scan's own grid, in the file's
 * own axis order, slab by slab (pipeline.md, section 8). Probabilities are resampled, not masks. */
#ifndef SAT_SEGMENT_RESTORE_H
#define SAT_SEGMENT_RESTORE_H

#include "base/error.h"
#include "segment/merge.h"
#include "segment/standardise.h"

#include <stddef.h>
#include <stdint.h>

/* Where the voxels go: called in the file's order ([k][j][i], i fastest), each with the next whole slices, from the calling
 * thread. A status other than SAT_OK stops the work and is returned. Each may be NULL. */
typedef struct restore_sink {
    void *context;
    sat_status (*mask)(void *context, const uint8_t *mask, size_t voxels, sat_error *error);             /* 0 or 1 */
    sat_status (*probability)(void *context, const float *probability, size_t voxels, sat_error *error);
    /* instead of the two above for slices in which nothing was computed: `voxels` zeros of each. A writer that
     * knows how zeros look when compressed saves most of its work here. */
    sat_status (*nothing)(void *context, size_t voxels, sat_error *error);
} restore_sink;

typedef struct restore_found {
    int64_t voxels;        /* of the mask                                         */
    int64_t box_ijk[3][2]; /* half-open, in the file's grid; all 0 when empty     */
} restore_found;

/* Tables and buffers of one scan, used for all its prompts. */
typedef struct restore restore;

/* Bytes that restore_open takes. `probabilities`: whether sinks will ask for them. */
size_t restore_bytes(const standard_grid *grid, bool probabilities, int threads);

/* grid is copied. Fails with SAT_NO_MEMORY. */
sat_status restore_open(const standard_grid *grid, bool probabilities, int threads, restore **opened, sat_error *error);
/* Safe on NULL. */
void restore_close(restore *r);

/* One prompt, complete in `merged`, whose shape is the grid's shape_xyz. Only voxels near existing blocks are
 * computed, the rest is 0. Bitwise the same for every number of threads. Not to be called twice at once on one restore.
 * Fails with what the sink returns; SAT_BAD_ARGUMENT (probabilities asked of a restore opened without). */
sat_status restore_prompt(restore *r, const merge *merged, int prompt, const restore_sink *sink, restore_found *found,
                          sat_error *error);

#endif
