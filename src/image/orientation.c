#include "image/orientation.h"

#include <math.h>
#include <string.h>

/* ---------------------------------------------------------------- affines */

void affine_multiply(const double left[3][4], const double right[3][4], double product[3][4])
{
    for (int row = 0; row < 3; row++)
        for (int column = 0; column < 4; column++) {
            double sum = left[row][0] * right[0][column];
            sum += left[row][1] * right[1][column];
            sum += left[row][2] * right[2][column];
            if (column == 3) sum += left[row][3];
            product[row][column] = sum;
        }
}

bool affine_solve(const double left[3][4], const double right[3][4], double solution[3][4])
{
    double a[3][7]; /* left's 3 x 3 part, then the right-hand sides: three columns and the translation's difference */
    for (int row = 0; row < 3; row++) {
        for (int column = 0; column < 3; column++) {
            a[row][column] = left[row][column];
            a[row][3 + column] = right[row][column];
        }
        a[row][6] = right[row][3] - left[row][3];
    }
    for (int step = 0; step < 3; step++) {
        int pivot = step;
        for (int row = step + 1; row < 3; row++)
            if (fabs(a[row][step]) > fabs(a[pivot][step])) pivot = row;
        if (!(fabs(a[pivot][step]) > 0) || !isfinite(a[pivot][step])) return false;
        for (int column = 0; column < 7; column++) {
            const double kept = a[step][column];
            a[step][column] = a[pivot][column];
            a[pivot][column] = kept;
        }
        for (int row = step + 1; row < 3; row++) {
            const double factor = a[row][step] / a[step][step];
            for (int column = step; column < 7; column++)
                a[row][column] -= factor * a[step][column];
        }
    }
    for (int column = 0; column < 4; column++)
        for (int row = 2; row >= 0; row--) {
            double value = a[row][3 + column];
            for (int known = row + 1; known < 3; known++)
                value -= a[row][known] * solution[known][column];
            solution[row][column] = value / a[row][row] + 0.0; /* + 0: no negative zeros */
        }
    return true;
}

bool affine_invert(const double matrix[3][4], double inverse[3][4])
{
    double identity[3][4] = {{1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 1, 0}};
    return affine_solve(matrix, identity, inverse);
}

void affine_spacing(const double affine[3][4], double spacing_mm[3])
{
    for (int axis = 0; axis < 3; axis++) {
        double square = affine[0][axis] * affine[0][axis];
        square += affine[1][axis] * affine[1][axis];
        square += affine[2][axis] * affine[2][axis];
        spacing_mm[axis] = sqrt(square);
        if (spacing_mm[axis] == 0) spacing_mm[axis] = 1;
    }
}

/* ---------------------------------------------------------------- codes */

/* World axis 0 .. 2 of a letter and its direction; false for another letter. */
static bool letter_meaning(char letter, int *world, int *sign)
{
    static const char letters[] = "RLAPSIrlapsi";
    const char *at = letter ? strchr(letters, letter) : NULL;
    if (!at) return false;
    const int index = (int)(at - letters) % 6;
    *world = index / 2;
    *sign = index % 2 ? -1 : 1;
    return true;
}

sat_status orientation_code_check(const char *code, sat_error *error)
{
    bool seen[3] = {false, false, false};
    const bool three = code && strlen(code) == 3;
    for (int a = 0; a < 3 && three; a++) {
        int world, sign;
        if (letter_meaning(code[a], &world, &sign)) seen[world] = true;
    }
    if (three && seen[0] && seen[1] && seen[2]) return SAT_OK;
    return sat_fail(error, SAT_BAD_ARGUMENT,
                    "orientation code \"%.20s\" is none: it takes three letters, one of R L, one of A P and one of S I, "
                    "for example RAS",
                    code ? code : "");
}

/* Closest orthogonal matrix to the 3x3 part with its columns made unit: the polar factor, by Newton's iteration
 * X <- (X + X^-T) / 2, which converges for every regular matrix (Higham, SIAM J. Sci. Stat. Comput. 7, 1986). */
bool affine_nearest_rotation(const double affine[3][4], double rotation[3][4])
{
    double spacing[3];
    affine_spacing(affine, spacing);
    for (int row = 0; row < 3; row++)
        for (int column = 0; column < 4; column++)
            rotation[row][column] = column < 3 ? affine[row][column] / spacing[column] : 0;
    for (int step = 0; step < 100; step++) {
        double inverse[3][4], change = 0;
        if (!affine_invert(rotation, inverse)) return false;
        for (int row = 0; row < 3; row++)
            for (int column = 0; column < 3; column++) {
                const double next = 0.5 * (rotation[row][column] + inverse[column][row]);
                change = fmax(change, fabs(next - rotation[row][column]));
                rotation[row][column] = next;
            }
        if (!(change > 1e-15)) return isfinite(change);
    }
    return true;
}

/* For each voxel axis its world axis and direction. */
static sat_status world_axes(const double affine[3][4], int world[3], int sign[3], sat_error *error)
{
    /* Entries this close count as equal: a turn by 45 degrees, where rounding must not decide. */
    const double equal = 1e-12;
    double rotation[3][4];
    if (!affine_nearest_rotation(affine, rotation))
        return sat_fail(error, SAT_BAD_INPUT,
                        "the scan's axes are not three independent directions; its header's orientation is damaged");
    bool taken[3] = {false, false, false};
    for (int axis = 0; axis < 3; axis++) {
        int best = -1;
        for (int row = 0; row < 3; row++)
            if (!taken[row] && (best < 0 || fabs(rotation[row][axis]) > fabs(rotation[best][axis]) + equal)) best = row;
        taken[best] = true;
        world[axis] = best;
        sign[axis] = rotation[best][axis] < 0 ? -1 : 1;
    }
    return SAT_OK;
}

sat_status orientation_find(const double voxel_to_world[3][4], const char *code, orientation *found, sat_error *error)
{
    int world[3], sign[3];
    sat_status status = orientation_code_check(code, error);
    if (status == SAT_OK) status = world_axes(voxel_to_world, world, sign, error);
    if (status != SAT_OK) return status;
    for (int a = 0; a < 3; a++) {
        int wanted = 0, direction = 1;
        letter_meaning(code[a], &wanted, &direction);
        for (int axis = 0; axis < 3; axis++)
            if (world[axis] == wanted) {
                found->source[a] = axis;
                found->flip[a] = sign[axis] != direction;
            }
    }
    return SAT_OK;
}

sat_status orientation_code_of(const double voxel_to_world[3][4], char code[4], sat_error *error)
{
    int world[3], sign[3];
    const sat_status status = world_axes(voxel_to_world, world, sign, error);
    code[0] = 0;
    if (status != SAT_OK) return status;
    for (int axis = 0; axis < 3; axis++)
        code[axis] = "RLAPSI"[2 * world[axis] + (sign[axis] < 0)];
    code[3] = 0;
    return SAT_OK;
}

void orientation_apply(const orientation *o, const int64_t shape[3], const double affine[3][4], int64_t oriented_shape[3],
                       double oriented_affine[3][4])
{
    double to_file[3][4] = {{0}}; /* oriented index -> file index */
    for (int a = 0; a < 3; a++) {
        const int axis = o->source[a];
        oriented_shape[a] = shape[axis];
        to_file[axis][a] = o->flip[a] ? -1 : 1;
        to_file[axis][3] = o->flip[a] ? (double)(shape[axis] - 1) : 0;
    }
    affine_multiply(affine, to_file, oriented_affine);
    for (int row = 0; row < 3; row++)
        for (int column = 0; column < 4; column++)
            oriented_affine[row][column] = (double)(float)oriented_affine[row][column] + 0.0;
}
