#include "cli/phantom.h"
#include "base/hash.h"

#include <math.h>

geometry phantom_grid(void)
{
    static const int64_t shape[3] = {96, 76, 64};
    static const double spacing_mm[3] = {2.5, 2.5, 3.5};
    geometry grid = {.shape_ijk = {shape[0], shape[1], shape[2]}};
    for (int axis = 0; axis < 3; axis++) {
        grid.voxel_to_world[axis][axis] = spacing_mm[axis];
        grid.voxel_to_world[axis][3] = -0.5 * spacing_mm[axis] * (double)(shape[axis] - 1);
    }
    return grid;
}

/* An ellipsoid in world millimetres (RAS+: x to the patient's right, y to the front, z to the head), turned by
 * `tilt` degrees in the x-y plane. Radius 0 along z: a cylinder. */
typedef struct blob {
    double centre_mm[3], radius_mm[3], tilt;
    int hounsfield;
} blob;

/* clang-format off */
/* Later ones lie on top. The chest is above z = 20 mm. */
static const blob torso[] = {
    {{0, 0, 0}, {112, 86, 0}, 0, -100},               /* skin and fat     */
    {{0, 0, 0}, {102, 76, 0}, 0, 45},                 /* muscle           */
    {{50, 6, 78}, {40, 56, 62}, 0, -850},             /* right lung       */
    {{-50, 6, 78}, {40, 56, 62}, 0, -850},            /* left lung        */
    {{-18, 24, 62}, {38, 32, 40}, -30, 90},           /* heart            */
    {{46, 12, 4}, {50, 54, 46}, 20, 110},             /* liver            */
    {{-14, 22, 0}, {46, 26, 24}, -10, 108},           /* its left lobe    */
    {{-46, 26, -6}, {30, 24, 30}, 0, 25},             /* stomach          */
    {{-46, 38, -4}, {18, 9, 18}, 0, -900},            /* gas in it        */
    {{-74, -22, 0}, {18, 34, 36}, 15, 125},           /* spleen           */
    {{50, -40, -46}, {22, 17, 38}, -25, 180},         /* right kidney     */
    {{-50, -40, -38}, {22, 17, 38}, 25, 180},         /* left kidney      */
    {{40, -38, -46}, {9, 7, 18}, 0, 20},              /* their pelvises   */
    {{-40, -38, -38}, {9, 7, 18}, 0, 20},
    {{-6, 0, -22}, {50, 9, 9}, 12, 85},               /* pancreas         */
    {{-8, -22, 0}, {11, 11, 0}, 0, 220},              /* aorta            */
    {{16, -20, 0}, {11, 9, 0}, 0, 130},               /* inferior cava    */
    {{0, -48, 0}, {22, 18, 0}, 0, 380},               /* vertebrae        */
    {{0, -48, 0}, {18, 14, 0}, 0, 190},
    {{0, -72, 0}, {8, 14, 0}, 0, 330},                /* spinous process  */
    {{0, -66, 0}, {9, 8, 0}, 0, 20},                  /* spinal canal     */
};
/* clang-format on */

static bool inside(const blob *b, const double at_mm[3])
{
    const double angle = b->tilt * 3.14159265358979323846 / 180, c = cos(angle), s = sin(angle);
    const double x = at_mm[0] - b->centre_mm[0], y = at_mm[1] - b->centre_mm[1], z = at_mm[2] - b->centre_mm[2];
    const double u = (c * x + s * y) / b->radius_mm[0], v = (c * y - s * x) / b->radius_mm[1];
    const double w = b->radius_mm[2] > 0 ? z / b->radius_mm[2] : 0;
    return u * u + v * v + w * w <= 1;
}

/* Ribs: slanted rings around the chest and the upper belly. */
static bool in_a_rib(const double at_mm[3])
{
    const double x = at_mm[0] / 97, y = at_mm[1] / 71, from_middle = sqrt(x * x + y * y);
    const double height = at_mm[2] + 0.35 * at_mm[1]; /* they fall towards the front */
    const double ring = height - 26 * floor(height / 26 + 0.5);
    return from_middle > 0.93 && from_middle < 1 && fabs(ring) < 5.5 && at_mm[2] > -40 && at_mm[1] < 66;
}

/* Between -12 and 12: the sum of three small numbers from the voxel's own hash. */
static int noise(int64_t voxel)
{
    const uint64_t h = hash_fnv1a64(HASH_FNV_START, &voxel, sizeof voxel);
    return (int)(h >> 20 & 7) + (int)(h >> 30 & 7) + (int)(h >> 40 & 7) + (int)(h >> 50 & 3) - 12;
}

void phantom_draw(const geometry *grid, int16_t *hounsfield)
{
    int64_t voxel = 0;
    for (int64_t k = 0; k < grid->shape_ijk[2]; k++)
        for (int64_t j = 0; j < grid->shape_ijk[1]; j++)
            for (int64_t i = 0; i < grid->shape_ijk[0]; i++, voxel++) {
                double at_mm[3];
                for (int axis = 0; axis < 3; axis++) {
                    const double *row = grid->voxel_to_world[axis];
                    at_mm[axis] = row[0] * (double)i + row[1] * (double)j + row[2] * (double)k + row[3];
                }
                int value = -1000;
                for (size_t b = 0; b < sizeof torso / sizeof *torso; b++)
                    if (inside(&torso[b], at_mm)) value = torso[b].hounsfield;
                if (in_a_rib(at_mm)) value = 420;
                value += noise(voxel);
                hounsfield[voxel] = (int16_t)(value < -1024 ? -1024 : value);
            }
}
