/* The grid on which an oriented volume is resampled: pipeline.md, section 3. */
#ifndef SAT_IMAGE_REGRID_H
#define SAT_IMAGE_REGRID_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

typedef enum regrid_anchor {
    REGRID_CORNER, /* a corner of the old grid is the position of the new voxel (0, 0, 0)  */
    REGRID_CENTRE, /* no corner is lowest on all new axes (shear, noise): centres coincide */
} regrid_anchor;

typedef struct regrid {
    int64_t shape[3];
    double affine[3][4]; /* new index -> world mm                                               */
    regrid_anchor anchor;
    bool resampled;      /* false: nothing to do, `shape` and `affine` are those given          */
    double pull[3][4];   /* new index -> old index; the identity where nothing is resampled     */
    double push[3][4];   /* its inverse                                                         */
} regrid;

/* Axes within 0.001 mm of their target keep their own spacing.
 * Fails with SAT_BAD_INPUT for an affine whose columns are dependent, and where the new grid would have more
 * than 2^31 - 1 voxels along an axis or 2^40 in all; SAT_BAD_ARGUMENT for a spacing that is not a positive number. */
sat_status regrid_find(const int64_t shape[3], const double affine[3][4], const double spacing_mm[3], regrid *r,
                       sat_error *error);

#endif
