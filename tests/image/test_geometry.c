#include "tests/support/cmocka.h"
#include "tests/support/golden.h"

#include "image/geometry.h"
#include "image/orientation.h"

#include <float.h>
#include <math.h>
#include <string.h>

static const double las[3][4] = {{-2, 0, 0, 90}, {0, 3, 0, -126}, {0, 0, 4, -72}};

static void by_hand(void **state)
{
    (void)state;
    assert_true(affine_determinant(las) == -24);
    assert_true(affine_shear(las) == 0);
    double at[3] = {1, 2, 3};
    affine_apply(las, at, at);
    assert_true(at[0] == 88 && at[1] == -120 && at[2] == -60);
    const double tilted[3][4] = {{1, 0, 0, 0}, {0, 2, 0.6, 0}, {0, 0, 0.8, 0}};
    assert_true(fabs(affine_shear(tilted) - 0.6) < 1e-15);
    double bcd[3], qfac;
    assert_true(affine_to_quaternion(las, bcd, &qfac)); /* LAS is RAS turned half around y and mirrored along z */
    assert_true(qfac == -1 && bcd[0] == 0 && bcd[1] == 1 && bcd[2] == 0);
    const double flat[3][4] = {{1, 2, 0, 0}, {1, 2, 0, 0}, {1, 2, 3, 0}};
    assert_false(affine_to_quaternion(flat, bcd, &qfac));
}

static void distance_is_the_farthest_corners(void **state)
{
    (void)state;
    double moved[3][4];
    memcpy(moved, las, sizeof moved);
    const int64_t shape[3] = {11, 5, 1};
    assert_true(affine_corner_distance_mm(las, moved, shape) == 0);
    moved[1][0] += 0.25; /* 0.25 mm a voxel, ten voxels */
    assert_true(affine_corner_distance_mm(las, moved, shape) == 2.5);
    moved[2][3] = NAN;
    assert_true(isnan(affine_corner_distance_mm(las, moved, shape)));
    geometry a = {.shape_ijk = {11, 5, 1}}, b;
    memcpy(a.voxel_to_world, las, sizeof las);
    b = a;
    assert_true(geometry_same(&a, &b, 0));
    b.voxel_to_world[0][3] += 0.5;
    assert_true(geometry_same(&a, &b, 0.5));
    assert_false(geometry_same(&a, &b, 0.4));
    b = a;
    b.shape_ijk[2] = 2;
    assert_false(geometry_same(&a, &b, 1e9));
}

/* Any rotation, of right- and left-handed grids: quaternion and back give the affine; the stored parts give it in float32. */
static void quaternions_come_back(void **state)
{
    (void)state;
    const int64_t shape[3] = {512, 512, 300};
    for (uint64_t key = 0; key < 3000; key++) {
        double bcd[3], again[3], qfac, norm = 0, a[3][4], b[3][4];
        for (uint64_t n = 0; n < 3; n++) {
            bcd[n] = (double)random_below(2001, key, n) / 1000 - 1;
            norm += bcd[n] * bcd[n];
        }
        const double length = key % 3 == 0 ? 1 : (double)random_below(1001, key, 3) / 1000; /* each third: half a turn */
        for (int n = 0; n < 3 && norm > 0; n++)
            bcd[n] *= length / sqrt(norm);
        const double spacing[3] = {0.7, 0.9, 2.5}, offset[3] = {-150, 20, 800};
        assert_true(affine_from_quaternion(bcd, offset, spacing, key % 2 ? 1 : -1, 1e-12, a));
        assert_true(affine_to_quaternion(a, again, &qfac));
        assert_true(qfac == (key % 2 ? 1 : -1));
        assert_true(affine_from_quaternion(again, offset, spacing, qfac, 1e-12, b));
        /* near half a turn, a = sqrt(1 - ...) keeps half the digits: 1e-8 of 800 mm, here and in every NIfTI */
        assert_true(affine_corner_distance_mm(a, b, shape) < 1e-4);
    }
    double a[3][4];
    const double too_long[3] = {0.8, 0.8, 0}, zero[3] = {0, 0, 0}, one[3] = {1, 1, 1};
    assert_false(affine_from_quaternion(too_long, zero, one, 1, 3 * (double)FLT_EPSILON, a));
    const double not_a_number[3] = {NAN, 0, 0};
    if (affine_from_quaternion(not_a_number, zero, one, 1, 0, a)) assert_true(isnan(a[1][1]));
}

/* What a qform says of a sheared grid is the closest rotation: perpendicular, and axis by axis near the grid's own. */
static void a_sheared_grids_quaternion_is_near(void **state)
{
    (void)state;
    const double tilted[3][4] = {{0.5, 0, 0, 0}, {0, 0.5, 1.5, 0}, {0, 0, 4.7, 0}};
    double bcd[3], qfac, a[3][4], spacing[3];
    const double zero[3] = {0, 0, 0};
    affine_spacing(tilted, spacing);
    assert_true(affine_to_quaternion(tilted, bcd, &qfac));
    assert_true(affine_from_quaternion(bcd, zero, spacing, qfac, 0, a));
    assert_true(affine_shear(a) < 1e-15);
    for (int axis = 0; axis < 3; axis++) {
        double cosine = 0;
        for (int r = 0; r < 3; r++)
            cosine += a[r][axis] * tilted[r][axis] / (spacing[axis] * spacing[axis]);
        assert_true(cosine > 0.985); /* the tilt of 17.7 degrees, shared by two axes */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_hand),
        cmocka_unit_test(distance_is_the_farthest_corners),
        cmocka_unit_test(quaternions_come_back),
        cmocka_unit_test(a_sheared_grids_quaternion_is_near),
    };
    return cmocka_run_group_tests_name("image/geometry", tests, NULL, NULL);
}
