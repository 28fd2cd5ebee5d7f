#include "image/geometry.h"

#include <ctype.h>
#include <float.h>
#include <math.h>
#include <string.h>

void affine_column_lengths(const double affine[3][4], double lengths[3])
{
    for (int c = 0; c < 3; c++)
        lengths[c] = sqrt(affine[0][c] * affine[0][c] + affine[1][c] * affine[1][c] + affine[2][c] * affine[2][c]);
}

double affine_determinant(const double m[3][4])
{
    return m[0][0] * (m[1][1] * m[2][2] - m[1][2] * m[2][1]) - m[0][1] * (m[1][0] * m[2][2] - m[1][2] * m[2][0])
           + m[0][2] * (m[1][0] * m[2][1] - m[1][1] * m[2][0]);
}

void affine_apply(const double affine[3][4], const double ijk[3], double xyz[3])
{
    const double i = ijk[0], j = ijk[1], k = ijk[2];
    for (int r = 0; r < 3; r++)
        xyz[r] = affine[r][0] * i + affine[r][1] * j + affine[r][2] * k + affine[r][3];
}

void affine_multiply(const double left[3][4], const double right[3][4], double product[3][4])
{
    double p[3][4];
    for (int r = 0; r < 3; r++)
        for (int c = 0; c < 4; c++)
            p[r][c] = left[r][0] * right[0][c] + left[r][1] * right[1][c] + left[r][2] * right[2][c]
                      + (c == 3 ? left[r][3] : 0.0);
    memcpy(product, p, sizeof p);
}

bool affine_invert(const double m[3][4], double inverse[3][4])
{
    double lengths[3];
    affine_column_lengths(m, lengths);
    const double determinant = affine_determinant(m);
    /* Relative to the box that perpendicular columns of these lengths would span, so that the unit does not matter. */
    if (!(fabs(determinant) > 1e-9 * lengths[0] * lengths[1] * lengths[2]) || !isfinite(determinant)) return false;
    double inv[3][4];
    for (int r = 0; r < 3; r++)
        for (int c = 0; c < 3; c++) {
            const int r1 = (c + 1) % 3, r2 = (c + 2) % 3, c1 = (r + 1) % 3, c2 = (r + 2) % 3;
            inv[r][c] = (m[r1][c1] * m[r2][c2] - m[r1][c2] * m[r2][c1]) / determinant;
        }
    for (int r = 0; r < 3; r++)
        inv[r][3] = -(inv[r][0] * m[0][3] + inv[r][1] * m[1][3] + inv[r][2] * m[2][3]);
    memcpy(inverse, inv, sizeof inv);
    return true;
}

static double column_product(const double m[3][4], int a, int b)
{
    return m[0][a] * m[0][b] + m[1][a] * m[1][b] + m[2][a] * m[2][b];
}

double affine_shear(const double affine[3][4])
{
    double lengths[3], largest = 0;
    affine_column_lengths(affine, lengths);
    for (int a = 0; a < 3; a++) {
        const int b = (a + 1) % 3;
        const double scale = lengths[a] * lengths[b];
        if (scale > 0) largest = fmax(largest, fabs(column_product(affine, a, b)) / scale);
    }
    return largest;
}

/* Turns columns p and q of `w` (3 used columns of an affine-shaped array) and of `v` by the angle that makes the two
 * columns of `w` perpendicular (one step of the one-sided Jacobi method). True if they were not. */
static bool jacobi_turn(double w[3][4], double v[3][4], int p, int q)
{
    const double pp = column_product(w, p, p), qq = column_product(w, q, q), pq = column_product(w, p, q);
    if (!(fabs(pq) > DBL_EPSILON * sqrt(pp * qq))) return false;
    const double zeta = (qq - pp) / (2 * pq);
    const double tangent = (zeta >= 0 ? 1.0 : -1.0) / (fabs(zeta) + sqrt(1 + zeta * zeta));
    const double cosine = 1 / sqrt(1 + tangent * tangent), sine = cosine * tangent;
    for (int r = 0; r < 3; r++) {
        const double wp = w[r][p], wq = w[r][q], vp = v[r][p], vq = v[r][q];
        w[r][p] = cosine * wp - sine * wq;
        w[r][q] = sine * wp + cosine * wq;
        v[r][p] = cosine * vp - sine * vq;
        v[r][q] = sine * vp + cosine * vq;
    }
    return true;
}

void affine_nearest_rotation(const double affine[3][4], double rotation[3][3])
{
    double w[3][4] = {{0}}, v[3][4] = {{1, 0, 0, 0}, {0, 1, 0, 0}, {0, 0, 1, 0}}, lengths[3];
    affine_column_lengths(affine, lengths);
    for (int r = 0; r < 3; r++)
        for (int c = 0; c < 3; c++)
            w[r][c] = lengths[c] > 0 ? affine[r][c] / lengths[c] : affine[r][c];

    /* w * v^T stays the matrix itself; at the end w = U * S. Three columns settle in a handful of sweeps. */
    for (int sweep = 0; sweep < 30; sweep++) {
        bool turned = jacobi_turn(w, v, 0, 1);
        turned |= jacobi_turn(w, v, 0, 2);
        turned |= jacobi_turn(w, v, 1, 2);
        if (!turned) break;
    }
    double singular[3];
    affine_column_lengths(w, singular);
    const double smallest = fmax(singular[0], fmax(singular[1], singular[2])) * 3 * DBL_EPSILON;
    for (int r = 0; r < 3; r++)
        for (int c = 0; c < 3; c++) {
            rotation[r][c] = 0;
            for (int n = 0; n < 3; n++)
                if (singular[n] > smallest) rotation[r][c] += w[r][n] / singular[n] * v[c][n];
        }
}

void affine_world_axes(const double affine[3][4], int world[3], int direction[3])
{
    double rotation[3][3];
    affine_nearest_rotation(affine, rotation);
    bool taken[3] = {false};
    for (int axis = 0; axis < 3; axis++) {
        int best = -1;
        for (int w = 0; w < 3; w++)
            if (!taken[w] && (best < 0 || fabs(rotation[w][axis]) > fabs(rotation[best][axis]))) best = w;
        taken[best] = true;
        world[axis] = best;
        direction[axis] = rotation[best][axis] < 0 ? -1 : 1;
    }
}

static const char letters[3][2] = {{'L', 'R'}, {'P', 'A'}, {'I', 'S'}}; /* [world axis][towards + of it] */

void affine_orientation_code(const double affine[3][4], char code[4])
{
    int world[3], direction[3];
    affine_world_axes(affine, world, direction);
    for (int axis = 0; axis < 3; axis++)
        code[axis] = letters[world[axis]][direction[axis] > 0];
    code[3] = '\0';
}

bool orientation_parse(const char *code, int world[3], int direction[3])
{
    if (!code || strlen(code) != 3) return false;
    bool taken[3] = {false};
    for (int axis = 0; axis < 3; axis++) {
        const int letter = toupper((unsigned char)code[axis]);
        int found = -1;
        for (int w = 0; w < 3; w++)
            for (int side = 0; side < 2; side++)
                if (letters[w][side] == letter) {
                    found = w;
                    direction[axis] = side ? 1 : -1;
                }
        if (found < 0 || taken[found]) return false;
        taken[found] = true;
        world[axis] = found;
    }
    return true;
}

void affine_to_quaternion(const double affine[3][4], double quaternion_bcd[3], double *qfac)
{
    double r[3][3];
    affine_nearest_rotation(affine, r);
    *qfac = affine_determinant(affine) < 0 ? -1 : 1;
    for (int row = 0; row < 3; row++)
        r[row][2] *= *qfac;
    /* Four times the squares of a, b, c, d; the largest is divided by, which keeps the others exact. */
    const double squares[4] = {1 + r[0][0] + r[1][1] + r[2][2], 1 + r[0][0] - r[1][1] - r[2][2],
                               1 - r[0][0] + r[1][1] - r[2][2], 1 - r[0][0] - r[1][1] + r[2][2]};
    int largest = 0;
    for (int n = 1; n < 4; n++)
        if (squares[n] > squares[largest]) largest = n;
    const double products[4][4] = {
        {squares[0], r[2][1] - r[1][2], r[0][2] - r[2][0], r[1][0] - r[0][1]},
        {r[2][1] - r[1][2], squares[1], r[0][1] + r[1][0], r[0][2] + r[2][0]},
        {r[0][2] - r[2][0], r[0][1] + r[1][0], squares[2], r[1][2] + r[2][1]},
        {r[1][0] - r[0][1], r[0][2] + r[2][0], r[1][2] + r[2][1], squares[3]},
    };
    double abcd[4], norm = 0;
    for (int n = 0; n < 4; n++)
        norm += products[largest][n] * products[largest][n];
    norm = sqrt(norm);
    const double sign = products[largest][0] < 0 ? -1 : 1;
    for (int n = 0; n < 4; n++)
        abcd[n] = norm > 0 ? sign * products[largest][n] / norm : (n == 0);
    memcpy(quaternion_bcd, abcd + 1, 3 * sizeof(double));
}

/* In long double, because the reference takes the widest type there is: on x86-64 the result equals it bit for bit. */
bool affine_from_quaternion(const double quaternion_bcd[3], const double offset_mm[3], const double spacing_mm[3],
                            double qfac, double slack, double affine[3][4])
{
    const long double b = quaternion_bcd[0], c = quaternion_bcd[1], d = quaternion_bcd[2];
    const long double radicand = 1.0L - (b * b + c * c + d * d);
    if (radicand < -(long double)slack) return false;
    const long double a = radicand < 0 ? 0 : sqrtl(radicand);
    const long double scale = 2.0L / (a * a + b * b + c * c + d * d);
    const long double B = b * scale, C = c * scale, D = d * scale;
    const long double rotation[3][3] = {
        {1 - (c * C + d * D), b * C - a * D, b * D + a * C},
        {b * C + a * D, 1 - (b * B + d * D), c * D - a * B},
        {b * D - a * C, c * D + a * B, 1 - (b * B + c * C)},
    };
    for (int r = 0; r < 3; r++) {
        affine[r][0] = (double)(rotation[r][0] * spacing_mm[0]);
        affine[r][1] = (double)(rotation[r][1] * spacing_mm[1]);
        affine[r][2] = (double)(rotation[r][2] * (spacing_mm[2] * qfac));
        affine[r][3] = offset_mm[r];
    }
    return true;
}

double affine_corner_distance_mm(const double a[3][4], const double b[3][4], const int64_t shape_ijk[3])
{
    double largest = 0;
    for (int corner = 0; corner < 8; corner++) {
        double ijk[3], p[3], q[3];
        for (int axis = 0; axis < 3; axis++)
            ijk[axis] = corner >> axis & 1 ? (double)(shape_ijk[axis] - 1) : 0.0;
        affine_apply(a, ijk, p);
        affine_apply(b, ijk, q);
        const double distance = sqrt((p[0] - q[0]) * (p[0] - q[0]) + (p[1] - q[1]) * (p[1] - q[1])
                                     + (p[2] - q[2]) * (p[2] - q[2]));
        if (!(distance <= largest)) largest = distance;
    }
    return largest;
}

bool geometry_same(const geometry *a, const geometry *b, double tolerance_mm)
{
    for (int axis = 0; axis < 3; axis++)
        if (a->shape_ijk[axis] != b->shape_ijk[axis]) return false;
    return affine_corner_distance_mm(a->voxel_to_world, b->voxel_to_world,
                                     a->shape_ijk) <= tolerance_mm;
}
