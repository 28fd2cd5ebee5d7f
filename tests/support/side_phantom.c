#include "tests/support/side_phantom.h"

#include "tests/support/bright_model.h"
#include "tests/support/cmocka.h"

#include "image/nifti.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const phantom_prompts[PHANTOM_STRUCTURES] = {BRIGHT_PROMPT, DARK_PROMPT};

/* mm from the scan's middle, RAS+. */
static const double radius_mm = 8;
static const double planted_mm[PHANTOM_STRUCTURES][3] = {{-15, 7, 18}, {14, -12, -24}}; /* the patient's left; right */
static const float level[PHANTOM_STRUCTURES] = {200, 20}, background = 100;

static const int64_t voxels_along[3] = {28, 24, 30};        /* left-right, back-front, feet-head */
static const double spacing_along_mm[3] = {2, 2.5, 3}; /* 56 x 60 x 90 mm                    */

static void place_middle(phantom *p)
{
    static const double middle_mm[3] = {7, -11, 30};
    for (int r = 0; r < 3; r++) {
        p->middle_mm[r] = p->which == NO_FORMS ? 0 : middle_mm[r];
        p->grid.voxel_to_world[r][3] = p->middle_mm[r];
        for (int a = 0; a < 3; a++)
            p->grid.voxel_to_world[r][3] -= p->grid.voxel_to_world[r][a] * (double)(p->grid.shape_ijk[a] - 1) / 2;
    }
}

/* The model displaces masks along the axes that it sees: the file's, turned to right, front, head, without shear (each perpendicular to
 * those before). */
static void find_shift(phantom *p, const int order[3], int flips)
{
    double seen[3][3];
    for (int d = 0; d < 3; d++) {
        int a = 0;
        while (order[a] != d)
            a++;
        for (int r = 0; r < 3; r++)
            seen[d][r] = (flips >> a & 1 ? -1 : 1) * p->grid.voxel_to_world[r][a];
        for (int e = 0; e < d; e++) {
            const double along = seen[d][0] * seen[e][0] + seen[d][1] * seen[e][1] + seen[d][2] * seen[e][2];
            for (int r = 0; r < 3; r++)
                seen[d][r] -= along * seen[e][r];
        }
        const double length = sqrt(seen[d][0] * seen[d][0] + seen[d][1] * seen[d][1] + seen[d][2] * seen[d][2]);
        for (int r = 0; r < 3; r++) {
            seen[d][r] /= length;
            p->shift_mm[r] += bright_model_shift_mm[d] * seen[d][r];
        }
    }
}

phantom phantom_make(const int order[3], int flips, double turn_degrees, double shear, forms which)
{
    phantom p = {.which = which};
    const double c = cos(turn_degrees * 3.14159265358979 / 180), s = sin(turn_degrees * 3.14159265358979 / 180);
    /* about x, then about z */
    const double turned[3][3] = {{c, -s * c, s * s}, {s, c * c, -c * s}, {0, s, c}};
    for (int a = 0; a < 3; a++) {
        const int d = order[a];
        p.grid.shape_ijk[a] = voxels_along[d];
        for (int r = 0; r < 3; r++) {
            const double direction = turned[r][d] + (r != d && d == 2 && r == 1 ? shear : 0);
            p.grid.voxel_to_world[r][a] = (flips >> a & 1 ? -1 : 1) * direction * spacing_along_mm[d];
        }
    }
    static const char letters[2][4] = {"RAS", "LPI"};
    snprintf(p.name, sizeof p.name, "%c%c%c", letters[flips & 1][order[0]], letters[flips >> 1 & 1][order[1]], letters[flips >> 2 & 1][order[2]]);
    place_middle(&p);
    find_shift(&p, order, flips);
    return p;
}

phantom phantom_make_formless(void)
{
    phantom p = phantom_make((const int[]){0, 1, 2}, 1, 0, 0, NO_FORMS);
    snprintf(p.name, sizeof p.name, "no_forms");
    return p;
}

/* From a voxel to the middle of a ball, planted, or where its mask must come back. */
static double ball_distance_mm(const phantom *p, int structure, bool of_mask, int64_t i, int64_t j, int64_t k)
{
    double square = 0;
    for (int r = 0; r < 3; r++) {
        const double *m = p->grid.voxel_to_world[r];
        const double x = m[0] * (double)i + m[1] * (double)j + m[2] * (double)k + m[3];
        const double away = x - p->middle_mm[r] - planted_mm[structure][r] - (of_mask ? p->shift_mm[r] : 0);
        square += away * away;
    }
    return sqrt(square);
}

static void put_int16(unsigned char *at, int value)
{
    at[0] = (unsigned char)value;
    at[1] = 0;
}

/* Takes one of the header's two positions away, or both (NIfTI-1: qform_code at 252, sform_code at 254). */
static void strip_forms(const char *path, forms which)
{
    FILE *f = fopen(path, "r+b");
    unsigned char header[348];
    assert_non_null(f);
    assert_int_equal(fread(header, 1, sizeof header, f), sizeof header);
    if (which == SFORM_ONLY || which == NO_FORMS) put_int16(header + 252, 0);
    if (which == QFORM_ONLY || which == NO_FORMS) put_int16(header + 254, 0);
    rewind(f);
    assert_int_equal(fwrite(header, 1, sizeof header, f), sizeof header);
    assert_int_equal(fclose(f), 0);
}

void phantom_write(const phantom *p, const char *folder, char path[800])
{
    const int64_t *n = p->grid.shape_ijk;
    float *values = malloc((size_t)(n[0] * n[1] * n[2]) * sizeof *values), *at = values;
    assert_non_null(values);
    for (int64_t k = 0; k < n[2]; k++)
        for (int64_t j = 0; j < n[1]; j++)
            for (int64_t i = 0; i < n[0]; i++) {
                *at = background;
                for (int s = 0; s < PHANTOM_STRUCTURES; s++)
                    if (ball_distance_mm(p, s, false, i, j, k) <= radius_mm) *at = level[p->exchanged ? 1 - s : s];
                at++;
            }
    sat_error error = {0};
    snprintf(path, 800, "%s/%s.nii%s", folder, p->name, p->compressed ? ".gz" : "");
    if (nifti_write(path, &p->grid, VOXEL_FLOAT32, values, NULL, NULL, &error) != SAT_OK) fail_msg("%s: %s", error.file, error.message);
    free(values);
    if (p->which != BOTH_FORMS) strip_forms(path, p->which);
}

/* ---------------------------------------------------------------- the verdict */

static double worst_mm = 0, worst_dice = 1;

void phantom_worst(double *distance_mm, double *dice)
{
    *distance_mm = worst_mm;
    *dice = worst_dice;
}

int64_t phantom_judge(const phantom *p, int structure, const uint8_t *mask, uint8_t value, double middle_mm[3])
{
    const int64_t *n = p->grid.shape_ijk;
    double both = 0, planted = 0, found = 0;
    middle_mm[0] = middle_mm[1] = middle_mm[2] = 0;
    for (int64_t k = 0; k < n[2]; k++)
        for (int64_t j = 0; j < n[1]; j++)
            for (int64_t i = 0; i < n[0]; i++) {
                const bool inside = ball_distance_mm(p, structure, true, i, j, k) <= radius_mm, m = *mask++ == value;
                planted += inside;
                found += m;
                both += inside && m;
                for (int r = 0; m && r < 3; r++)
                    middle_mm[r] += p->grid.voxel_to_world[r][0] * (double)i + p->grid.voxel_to_world[r][1] * (double)j +
                                    p->grid.voxel_to_world[r][2] * (double)k + p->grid.voxel_to_world[r][3];
            }
    if (found < 1) fail_msg("%s: '%s' found nothing", p->name, phantom_prompts[structure]);
    const double dice = 2 * both / (planted + found);
    for (int r = 0; r < 3; r++) {
        middle_mm[r] /= found;
        const double expected = p->middle_mm[r] + planted_mm[structure][r] + p->shift_mm[r], off = fabs(middle_mm[r] - expected);
        if (off > worst_mm) worst_mm = off;
        if (off > 1)
            fail_msg("%s: '%s' lies at %.1f mm of axis %d instead of %.1f", p->name, phantom_prompts[structure], middle_mm[r], r, expected);
    }
    if (dice < worst_dice) worst_dice = dice;
    if (dice < 0.8) fail_msg("%s: '%s' has Dice %.3f with what was planted", p->name, phantom_prompts[structure], dice);
    return (int64_t)found;
}

void phantom_order(int nth, int order[3])
{
    order[0] = nth / 2;
    order[1] = (order[0] + 1 + nth % 2) % 3;
    order[2] = 3 - order[0] - order[1];
}
