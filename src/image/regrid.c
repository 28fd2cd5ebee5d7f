#include "image/regrid.h"

#include "image/orientation.h"

#include <math.h>
#include <string.h>

static const double keep_tolerance_mm = 1e-3; /* an axis this close to its target keeps its spacing */
static const double same_tolerance = 1e-3;    /* absolute part of "nothing to resample"             */
static const double corner_tolerance = 1e-8;  /* index units                                        */

static const double identity[3][4] = {{1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 1, 0}};

/* |a - b| <= 1e-3 + 1e-5 |b| for all entries, as numpy's allclose; the order of a and b counts. */
static bool affines_close(const double a[3][4], const double b[3][4])
{
    for (int row = 0; row < 3; row++)
        for (int column = 0; column < 4; column++)
            if (!(fabs(a[row][column] - b[row][column]) <= same_tolerance + 1e-5 * fabs(b[row][column]))) return false;
    return true;
}

/* Gram-Schmidt of the affine's columns in order, by the Cholesky factor of A'A: orthonormal columns, handedness kept,
 * shear removed. False for dependent columns. An axis-aligned entry d comes out as d * (1 / |d|), rounded twice:
 * whether a length is a tie below depends on just that. */
static bool orthonormal_columns(const double affine[3][4], double rotation[3][3])
{
    double gram[3][3], lower[3][3] = {{0}}, inverse[3][3] = {{0}}; /* inverse of the upper factor, lower' */
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 3; j++) {
            double sum = affine[0][i] * affine[0][j];
            sum += affine[1][i] * affine[1][j];
            gram[i][j] = sum + affine[2][i] * affine[2][j];
        }
    for (int j = 0; j < 3; j++) {
        double pivot = gram[j][j];
        for (int k = 0; k < j; k++)
            pivot -= lower[j][k] * lower[j][k];
        if (!(pivot > 1e-14 * gram[j][j]) || !isfinite(pivot)) return false;
        lower[j][j] = sqrt(pivot);
        for (int i = j + 1; i < 3; i++) {
            double value = gram[i][j];
            for (int k = 0; k < j; k++)
                value -= lower[i][k] * lower[j][k];
            lower[i][j] = value / lower[j][j];
        }
    }
    for (int column = 0; column < 3; column++)
        for (int row = column; row >= 0; row--) {
            double value = row == column ? 1.0 : 0.0;
            for (int k = row + 1; k <= column; k++)
                value -= lower[k][row] * inverse[k][column];
            inverse[row][column] = value / lower[row][row];
        }
    for (int row = 0; row < 3; row++)
        for (int column = 0; column < 3; column++) {
            double sum = affine[row][0] * inverse[0][column];
            sum += affine[row][1] * inverse[1][column];
            rotation[row][column] = sum + affine[row][2] * inverse[2][column];
        }
    return true;
}

static double apply_row(const double row[4], const double point[3], bool with_translation)
{
    double sum = row[0] * point[0];
    sum += row[1] * point[1];
    sum += row[2] * point[2];
    return with_translation ? sum + row[3] : sum;
}

/* The eight voxel-centre corners in world mm, axis 2 running fastest. */
static void corners_in_world(const int64_t shape[3], const double affine[3][4], double world[8][3])
{
    for (int c = 0; c < 8; c++) {
        const double corner[3] = {c & 4 ? (double)shape[0] - 1.0 : 0.0, c & 2 ? (double)shape[1] - 1.0 : 0.0,
                                  c & 1 ? (double)shape[2] - 1.0 : 0.0};
        for (int row = 0; row < 3; row++)
            world[c][row] = apply_row(affine[row], corner, true);
    }
}

/* Step 3.3, computed literally: the spread of the corners in index units, translation included. */
static bool output_shape(double world[8][3], double inverse[3][4], int64_t shape[3])
{
    double voxels = 1;
    for (int axis = 0; axis < 3; axis++) {
        double low = INFINITY, high = -INFINITY;
        for (int c = 0; c < 8; c++) {
            const double index = apply_row(inverse[axis], world[c], true);
            low = fmin(low, index);
            high = fmax(high, index);
        }
        const double length = rint((high - low) + 1.0); /* ties to even */
        if (!(length >= 1 && length <= 2147483647.0)) return false;
        shape[axis] = (int64_t)length;
        voxels *= length;
    }
    return voxels <= 0x1p40;
}

/* Step 3.4: the first corner that no other corner undercuts on any new axis; -1 if there is none. */
static int lowest_corner(double world[8][3], double inverse[3][4])
{
    double relative[8][3];
    for (int c = 0; c < 8; c++)
        for (int axis = 0; axis < 3; axis++)
            relative[c][axis] = apply_row(inverse[axis], world[c], false);
    for (int c = 0; c < 8; c++) {
        bool lowest = true;
        for (int axis = 0; axis < 3; axis++)
            for (int other = 0; other < 8; other++)
                if (relative[other][axis] - relative[c][axis] < -corner_tolerance) lowest = false;
        if (lowest) return c;
    }
    return -1;
}

static sat_status output_grid(const int64_t shape[3], const double affine[3][4], const double spacing_mm[3], regrid *r,
                              sat_error *error)
{
    double have[3], rotation[3][3], inverse[3][4], world[8][3];
    affine_spacing(affine, have);
    if (!orthonormal_columns(affine, rotation))
        return sat_fail(error, SAT_BAD_INPUT,
                        "the scan's axes are not three independent directions; its header's orientation is damaged");
    for (int column = 0; column < 3; column++) {
        const double want = spacing_mm[column];
        const bool keep = want - keep_tolerance_mm <= have[column] && have[column] <= want + keep_tolerance_mm;
        for (int row = 0; row < 3; row++)
            r->affine[row][column] = rotation[row][column] * (keep ? have[column] : want);
    }
    for (int row = 0; row < 3; row++)
        r->affine[row][3] = 0;
    if (!affine_invert(r->affine, inverse))
        return sat_fail(error, SAT_BAD_INPUT, "the scan's spacing of %g x %g x %g mm cannot be brought to %g x %g x %g mm",
                        have[0], have[1], have[2], spacing_mm[0], spacing_mm[1], spacing_mm[2]);
    corners_in_world(shape, affine, world);
    if (!output_shape(world, inverse, r->shape))
        return sat_fail(error, SAT_BAD_INPUT,
                        "a scan of %lld x %lld x %lld voxels of %g x %g x %g mm is too large at %g x %g x %g mm; is the "
                        "spacing in its header right?",
                        (long long)shape[0], (long long)shape[1], (long long)shape[2], have[0], have[1], have[2],
                        spacing_mm[0], spacing_mm[1], spacing_mm[2]);
    const int corner = lowest_corner(world, inverse);
    r->anchor = corner >= 0 ? REGRID_CORNER : REGRID_CENTRE;
    const double old_half[3] = {(double)shape[0] / 2.0, (double)shape[1] / 2.0, (double)shape[2] / 2.0};
    const double new_half[3] = {(double)r->shape[0] / 2.0, (double)r->shape[1] / 2.0, (double)r->shape[2] / 2.0};
    for (int row = 0; row < 3; row++)
        r->affine[row][3] = corner >= 0 ? world[corner][row]
                                        : apply_row(affine[row], old_half, true) - apply_row(r->affine[row], new_half, false);
    return SAT_OK;
}

sat_status regrid_find(const int64_t shape[3], const double affine[3][4], const double spacing_mm[3], regrid *r,
                       sat_error *error)
{
    *r = (regrid){0};
    for (int axis = 0; axis < 3; axis++)
        if (!(spacing_mm[axis] > 0) || !isfinite(spacing_mm[axis]))
            return sat_fail(error, SAT_BAD_ARGUMENT, "a spacing of %g mm is no length; give three numbers above 0",
                            spacing_mm[axis]);
    const sat_status status = output_grid(shape, affine, spacing_mm, r, error);
    if (status != SAT_OK) return status;
    const bool same_shape = memcmp(shape, r->shape, sizeof r->shape) == 0;
    r->resampled = !(same_shape && affines_close(affine, r->affine));
    if (r->resampled && !affine_solve(affine, r->affine, r->pull))
        return sat_fail(error, SAT_BAD_INPUT, "the scan's orientation cannot be inverted; its header is damaged");
    if (r->resampled && same_shape && affines_close(r->pull, identity)) r->resampled = false;
    if (r->resampled) {
        if (!affine_invert(r->pull, r->push))
            return sat_fail(error, SAT_BAD_INPUT, "the scan's orientation cannot be inverted; its header is damaged");
        return SAT_OK;
    }
    memcpy(r->affine, affine, sizeof r->affine);
    memcpy(r->pull, identity, sizeof r->pull);
    memcpy(r->push, identity, sizeof r->push);
    return SAT_OK;
}
