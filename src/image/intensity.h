/* Whole-volume passes over float32 voxels: where something is, statistics, clipping and scaling. Sums are taken in blocks of
 * fixed size, added in order, so no result depends on the number of threads. */
#ifndef SAT_IMAGE_INTENSITY_H
#define SAT_IMAGE_INTENSITY_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Smallest half-open box that holds all voxels > 0 of volume [shape 0][shape 1][shape 2]; false, and the whole volume, if there are none. */
bool intensity_foreground_box(const float *volume, const int64_t shape[3], int threads, int64_t box[3][2]);

/* Moves the box's voxels to the front of `volume`, contiguous, in the same order. */
void intensity_crop(float *volume, const int64_t shape[3], int64_t box[3][2]);

typedef struct intensity_summary {
    double mean, std;  /* float64; std with divisor count            */
    float least, most; /* of the clipped values                      */
} intensity_summary;

/* Clips values[0 .. count), count >= 1, to [low, high] in place and sums them up. Fails with SAT_NO_MEMORY (one
 * double for 16384 values). */
sat_status intensity_clip(float *values, size_t count, float low, float high, int threads, intensity_summary *summary,
                          sat_error *error);

/* values = (values - mean) / std in float64, rounded to float32; all 0 where std is 0. */
void intensity_scale(float *values, size_t count, double mean, double std, int threads);

#endif
