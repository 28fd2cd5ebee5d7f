/* How a scan's values are spread: what the checks before a segmentation judge by. */
#ifndef SAT_SEGMENT_CHECK_CENSUS_H
#define SAT_SEGMENT_CHECK_CENSUS_H

#include "base/error.h"
#include "image/volume.h"

#include <stdbool.h>
#include <stddef.h>

/* Least, most and the counts are of all voxels; percentiles, shares and distinct values are of a sample of some million voxels on a
 * fixed pattern (runs of 64 voxels, evenly spread), which is all voxels of a small scan. */
typedef struct check_census {
    size_t voxels, not_finite, positive; /* of all voxels                                                 */
    float least, most;                   /* finite ones; least > most: there is none                      */
    size_t sampled;                      /* finite voxels in the sample; 0: none, and nothing below holds */
    double percentile_1, median, percentile_99;
    double share_least, share_most, share_negative; /* 0 .. 1: equal to least, to most, below 0             */
    double share_most_common;  /* of the most common whole number in [0, 4096), 0 when `distinct` is 0         */
    int distinct;              /* whole numbers that occur, if all sampled values are whole and in [0, 4096); else 0 */
} check_census;

/* Reads all voxels once, with `threads` threads, to the same result for every number of them.
 * Fails with SAT_NO_MEMORY. Thread-safe. */
sat_status check_census_take(const volume *scan, int threads, check_census *census, sat_error *error);

/* Whether the values, each minus `offset`, look like Hounsfield units: peaks of air and of soft tissue and little in between (the rule
 * of modality_guess_from_values). From a sample. */
bool check_looks_hounsfield(const volume *scan, double offset);

#endif
