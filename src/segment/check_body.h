/* Where the body is, for one question only: on which side of it does a mask lie? */
#ifndef SAT_SEGMENT_CHECK_BODY_H
#define SAT_SEGMENT_CHECK_BODY_H

#include "base/error.h"
#include "image/volume.h"

#include <stdbool.h>

enum { CHECK_BODY_BINS = 96 };

/* The midline is the body's centre of mass from left to right, at each height along the patient. */
typedef struct check_body {
    bool known;           /* false: the scan shows one side only, no body, or too little of it: `reason` says which */
    const char *reason;   /* static storage; NULL when known                                                    */
    double width_mm;      /* of a slab with the body's spread: about what a ruler would say                      */
    double midline_x_mm;  /* of the whole body                                                                  */
    double lowest_z_mm, bin_mm; /* of the bins                                                                  */
    double bin_x_mm[CHECK_BODY_BINS]; /* midline at each height; NaN: too little body there                          */
} check_body;

/* Body is what lies above the threshold between air and tissue: -300 HU for a ct, a share of the scan's bright values otherwise.
 * Looks at up to 128 x 128 x 128 voxels on a fixed grid. `modality` NULL: unknown. A scan of which no midline can be told is no
 * failure: `reason` says why. Fails with SAT_NO_MEMORY. Thread-safe. */
sat_status check_body_find(const volume *scan, const char *modality, check_body *body, sat_error *error);

/* The midline's x (RAS+ mm) at height z; the whole body's where there is too little at that height. */
double check_body_midline(const check_body *body, double z_mm);

#endif
