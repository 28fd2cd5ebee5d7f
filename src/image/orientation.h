/* Which way a scan's axes run in the patient, how to turn them to a wanted code, and the little
 * algebra of affines that this needs. World axes are RAS+ in millimetres.
 * An affine is double[3][4]: the rows of a 4 x 4 matrix whose last row is 0 0 0 1. */
#ifndef SAT_IMAGE_ORIENTATION_H
#define SAT_IMAGE_ORIENTATION_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

/* Oriented axis a is the file's axis source[a], reversed where flip[a]. */
typedef struct orientation {
    int source[3];
    bool flip[3];
} orientation;

/* Checks a code: three letters in any case, one of R L, one of A P, one of S I, in any order (48 codes).
 * Fails with SAT_BAD_ARGUMENT and says what a code looks like. */
sat_status orientation_code_check(const char *code, sat_error *error);

/* How to bring an array with this affine to `code` (axis 0 runs towards the patient side of its first
 * letter, and so on): nearest rotation, then voxel axes 0, 1, 2 in turn take the world axis on which they lie
 * most, the lower one among equals (pipeline.md, section 2, steps 1 and 2).
 * Fails with SAT_BAD_ARGUMENT (code) or SAT_BAD_INPUT (an affine with entries that are not finite). */
sat_status orientation_find(const double voxel_to_world[3][4], const char *code, orientation *found, sat_error *error);

/* The code of the array's own axes, for example "LPS", into code[4]. */
sat_status orientation_code_of(const double voxel_to_world[3][4], char code[4], sat_error *error);

/* Shape and affine after turning; the affine rounded to float32 as pipeline.md, section 2, step 4 asks. */
void orientation_apply(const orientation *o, const int64_t shape[3], const double affine[3][4], int64_t oriented_shape[3],
                       double oriented_affine[3][4]);

/* product = left * right, entries summed in index order. product may not be one of the factors. */
void affine_multiply(const double left[3][4], const double right[3][4], double product[3][4]);
/* solution = left^-1 * right by elimination with row pivoting, so that a matrix with one entry in each row and
 * column gives exactly 1 / entry and exact zeros. False where left is singular. */
bool affine_solve(const double left[3][4], const double right[3][4], double solution[3][4]);
bool affine_invert(const double matrix[3][4], double inverse[3][4]);
/* Lengths of the first three columns, in mm; 0 counts as 1. */
void affine_spacing(const double affine[3][4], double spacing_mm[3]);
/* The orthogonal matrix closest to the 3x3 part with its columns made unit (polar factor), handedness kept; the fourth
 * column is 0. False where the columns are not three independent directions. */
bool affine_nearest_rotation(const double affine[3][4], double rotation[3][4]);

#endif
