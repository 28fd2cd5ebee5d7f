/* Affine algebra in double: spacing, handedness, orientation codes, inverses, quaternions.
 *
 * An affine is double[3][4]: the 3x3 part in columns 0 to 2, the translation in column 3; the row (0, 0, 0, 1) below
 * is understood. All functions are pure and thread-safe; results may be written over arguments only where said. */
#ifndef SAT_IMAGE_GEOMETRY_H
#define SAT_IMAGE_GEOMETRY_H

#include "image/volume.h"

/* Lengths of the first three columns: for voxel_to_world the spacing in mm. */
void affine_column_lengths(const double affine[3][4], double lengths[3]);

/* Determinant of the 3x3 part; negative for mirrored (left-handed) axes. */
double affine_determinant(const double affine[3][4]);

/* xyz = affine * (ijk, 1). `xyz` may be `ijk`. */
void affine_apply(const double affine[3][4], const double ijk[3], double xyz[3]);

/* product = left * right: first `right`, then `left`. `product` may be either. */
void affine_multiply(const double left[3][4], const double right[3][4], double product[3][4]);

/* False, with `inverse` untouched, where the columns are (nearly) in one plane or not finite. May be in place. */
bool affine_invert(const double affine[3][4], double inverse[3][4]);

/* Largest |cosine| between two different columns: 0 for perpendicular axes. Columns of length 0 count as perpendicular. */
double affine_shear(const double affine[3][4]);

/* The orthogonal matrix closest to the 3x3 part with its columns scaled to length 1 (polar factor U * V^T of the singular
 * value decomposition; directions without extent are left out). Handedness is kept. Source: pipeline.md, section 2.1. */
void affine_nearest_rotation(const double affine[3][4], double rotation[3][3]);

/* For each voxel axis the world axis (0 x, 1 y, 2 z) that it mostly follows and the direction (+1 or -1).
 * Each world axis is taken once: voxel axis 0 chooses first; of equal entries the lower world axis. Source: pipeline.md, 2.2. */
void affine_world_axes(const double affine[3][4], int world[3], int direction[3]);

/* The same as three letters, for example "LPS": the directions in which the voxel indices grow. */
void affine_orientation_code(const double affine[3][4], char code[4]);

/* Reads a code such as "RAS" (any case) into the form of affine_world_axes. False unless it names each of left-right,
 * front-back and head-foot once. */
bool orientation_parse(const char *code, int world[3], int direction[3]);

/* The unit quaternion (b, c, d; a >= 0 is understood) and qfac of the closest rotation to the 3x3 part: what a NIfTI
 * qform can say of an affine. qfac -1 mirrors the third axis. */
void affine_to_quaternion(const double affine[3][4], double quaternion_bcd[3], double *qfac);

/* The affine of a NIfTI qform. `slack` is how far below 0 the radicand 1 - b^2 - c^2 - d^2 may come out by rounding
 * (3 times the epsilon of the stored type). False where it is further below: no rotation has such a quaternion. */
bool affine_from_quaternion(const double quaternion_bcd[3], const double offset_mm[3], const double spacing_mm[3],
                            double qfac, double slack, double affine[3][4]);

/* The largest distance in mm between where two affines put a corner voxel of a grid of this shape; NaN where undefined. */
double affine_corner_distance_mm(const double a[3][4], const double b[3][4], const int64_t shape_ijk[3]);

/* Whether both grids have the same shape and no voxel centre lies further apart than `tolerance_mm`. */
bool geometry_same(const geometry *a, const geometry *b, double tolerance_mm);

#endif
