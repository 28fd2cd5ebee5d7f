/* What an affine says of a grid: handedness, shear, the quaternion that comes closest, distance to another grid.
 * The algebra (products, inverses, spacing) and the axes' directions are in image/orientation.h.
 *
 * An affine is double[3][4]: the rows of a 4x4 matrix whose last row is 0 0 0 1. All functions are pure and thread-safe. */
#ifndef SAT_IMAGE_GEOMETRY_H
#define SAT_IMAGE_GEOMETRY_H

#include "image/volume.h"

/* Determinant of the 3x3 part; negative for mirrored (left-handed) axes. */
double affine_determinant(const double affine[3][4]);

/* xyz = affine * (ijk, 1). `xyz` may be `ijk`. */
void affine_apply(const double affine[3][4], const double ijk[3], double xyz[3]);

/* Largest |cosine| between two different columns: 0 for perpendicular axes. Columns of length 0 count as perpendicular. */
double affine_shear(const double affine[3][4]);

/* The unit quaternion (b, c, d; a >= 0 is understood) and qfac of the closest rotation to the 3x3 part: what a NIfTI
 * qform can say of an affine. qfac -1 mirrors the third axis. False where the columns are not three directions. */
bool affine_to_quaternion(const double affine[3][4], double quaternion_bcd[3], double *qfac);

/* The affine of a NIfTI qform. `slack` is how far below 0 the radicand 1 - b^2 - c^2 - d^2 may come out by rounding
 * (3 times the epsilon of the stored type). False where it is further below: no rotation has such a quaternion. */
bool affine_from_quaternion(const double quaternion_bcd[3], const double offset_mm[3], const double spacing_mm[3],
                            double qfac, double slack, double affine[3][4]);

/* The largest distance in mm between where two affines put a corner voxel of a grid of this shape; NaN where undefined. */
double affine_corner_distance_mm(const double a[3][4], const double b[3][4], const int64_t shape_ijk[3]);

/* Whether both grids have the same shape and no voxel centre lies further apart than `tolerance_mm`. */
bool geometry_same(const geometry *a, const geometry *b, double tolerance_mm);

#endif
