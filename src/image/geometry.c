#include "image/geometry.h"

#include "image/orientation.h"

#include <math.h>
#include <string.h>

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

static double column_product(const double m[3][4], int a, int b)
{
    return m[0][a] * m[0][b] + m[1][a] * m[1][b] + m[2][a] * m[2][b];
}

double affine_shear(const double affine[3][4])
{
    double lengths[3], largest = 0;
    affine_spacing(affine, lengths);
    for (int a = 0; a < 3; a++) {
        const int b = (a + 1) % 3;
        largest = fmax(largest, fabs(column_product(affine, a, b)) / (lengths[a] * lengths[b]));
    }
    return largest;
}

bool affine_to_quaternion(const double affine[3][4], double quaternion_bcd[3], double *qfac)
{
    double r[3][4];
    if (!affine_nearest_rotation(affine, r)) return false;
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
        abcd[n] = sign * products[largest][n] / norm;
    memcpy(quaternion_bcd, abcd + 1, 3 * sizeof(double));
    return true;
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
        if (isnan(distance)) return distance;
        largest = fmax(largest, distance);
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
