/* Left is left: a structure planted on the patient's left comes back on the patient's left, whatever way the file's axes run.
 * The model's weights are set by hand (tests/support/bright_model.h), so the whole program is on trial: reader, standard form, network,
 * windows, the way back, writer. Where a voxel lies is computed here, from the affine that the file was made of. */
#include "tests/support/bright_model.h"
#include "tests/support/cmocka.h"
#include "tests/support/golden.h"

#include "base/file.h"
#include "image/nifti.h"
#include "image/orientation.h"
#include "image/volume_file.h"
#include "segment/segmenter.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STRUCTURES = 2 };
static const char *const prompts[STRUCTURES] = {BRIGHT_PROMPT, DARK_PROMPT};

/* Balls at places that no mirroring and no exchange of axes maps onto each other; mm from the scan's middle, RAS+. */
static const double radius_mm = 8;
static const double planted_mm[STRUCTURES][3] = {{-15, 7, 18}, {14, -12, -24}}; /* the patient's left; right */
static const float level[STRUCTURES] = {200, 20}, background = 100;

static char folder[600], model_path[700];

static void check(sat_status status, const sat_error *error)
{
    if (status != SAT_OK) fail_msg("%s: %s", error->file, error->message);
}

/* ---------------------------------------------------------------- the phantom */

typedef enum forms { BOTH_FORMS, SFORM_ONLY, QFORM_ONLY, NO_FORMS } forms;

/* A scan to be written: `affine` is the truth, by which structures are planted and masks judged. */
typedef struct phantom {
    char name[48];
    geometry grid;
    double middle_mm[3]; /* of the grid, in the world */
    double shift_mm[3];  /* from a planted structure to its mask: what the network adds, in the world */
    forms which;
    bool compressed;
} phantom;

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

/* File axis a runs along patient axis order[a], downwards where bit a of `flips` is set; the whole turned and sheared. */
static phantom make_phantom(const int order[3], int flips, double turn_degrees, double shear, forms which)
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

/* Nothing is said of position: by the format's oldest rule the first axis then runs from right to left, and the middle is the world's. */
static phantom make_formless(void)
{
    phantom p = make_phantom((const int[]){0, 1, 2}, 1, 0, 0, NO_FORMS);
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

static void write_phantom(const phantom *p, char path[800])
{
    const int64_t *n = p->grid.shape_ijk;
    float *values = malloc((size_t)(n[0] * n[1] * n[2]) * sizeof *values), *at = values;
    assert_non_null(values);
    for (int64_t k = 0; k < n[2]; k++)
        for (int64_t j = 0; j < n[1]; j++)
            for (int64_t i = 0; i < n[0]; i++) {
                *at = background;
                for (int s = 0; s < STRUCTURES; s++)
                    if (ball_distance_mm(p, s, false, i, j, k) <= radius_mm) *at = level[s];
                at++;
            }
    sat_error error = {0};
    snprintf(path, 800, "%s/%s.nii%s", folder, p->name, p->compressed ? ".gz" : "");
    check(nifti_write(path, &p->grid, VOXEL_FLOAT32, values, NULL, NULL, &error), &error);
    free(values);
    if (p->which != BOTH_FORMS) strip_forms(path, p->which);
}

/* ---------------------------------------------------------------- the verdict */

static double worst_mm = 0, worst_dice = 1;

/* The mask ([k][j][i], of the file) against the ball, displaced as the model does it: they overlap, and their middles agree. */
static void judge(const phantom *p, int structure, const uint8_t *mask)
{
    const int64_t *n = p->grid.shape_ijk;
    double both = 0, planted = 0, found = 0, middle[3] = {0};
    for (int64_t k = 0; k < n[2]; k++)
        for (int64_t j = 0; j < n[1]; j++)
            for (int64_t i = 0; i < n[0]; i++) {
                const bool inside = ball_distance_mm(p, structure, true, i, j, k) <= radius_mm;
                const uint8_t m = *mask++;
                planted += inside;
                found += m;
                both += inside && m;
                for (int r = 0; m && r < 3; r++)
                    middle[r] += p->grid.voxel_to_world[r][0] * (double)i + p->grid.voxel_to_world[r][1] * (double)j +
                                 p->grid.voxel_to_world[r][2] * (double)k + p->grid.voxel_to_world[r][3] - p->middle_mm[r];
            }
    if (!found) fail_msg("%s: '%s' found nothing", p->name, prompts[structure]);
    const double dice = 2 * both / (planted + found);
    for (int r = 0; r < 3; r++) {
        const double expected = planted_mm[structure][r] + p->shift_mm[r], off = fabs(middle[r] / found - expected);
        if (off > worst_mm) worst_mm = off;
        if (off > 1)
            fail_msg("%s: '%s' lies at %.1f mm of axis %d instead of %.1f", p->name, prompts[structure], middle[r] / found, r, expected);
    }
    if (dice < worst_dice) worst_dice = dice;
    if (dice < 0.8) fail_msg("%s: '%s' has Dice %.3f with what was planted", p->name, prompts[structure], dice);
}

/* ---------------------------------------------------------------- through the library */

typedef struct masks {
    uint8_t *mask[STRUCTURES];
    size_t voxels, filled;
    int now;
} masks;

static sat_status keep_begin(void *context, int prompt, sat_error *error)
{
    (void)error;
    masks *m = context;
    m->now = prompt;
    m->filled = 0;
    m->mask[prompt] = malloc(m->voxels);
    return SAT_OK;
}

static sat_status keep_slices(void *context, const uint8_t *mask, size_t voxels, sat_error *error)
{
    (void)error;
    masks *m = context;
    assert_true(m->filled + voxels <= m->voxels);
    memcpy(m->mask[m->now] + m->filled, mask, voxels);
    m->filled += voxels;
    return SAT_OK;
}

static sat_status keep_end(void *context, int prompt, const restore_found *found, sat_error *error)
{
    (void)prompt, (void)found, (void)error;
    masks *m = context;
    assert_int_equal(m->filled, m->voxels);
    return SAT_OK;
}

static segmenter *model; /* opened once for all */

static void through_the_library(const phantom *p)
{
    char path[800];
    volume scan;
    sat_error error = {0};
    segment_record record;
    write_phantom(p, path);
    check(volume_read(path, -1, &scan, &error), &error);
    masks m = {.voxels = volume_voxels(&scan)};
    const segment_request request = {.prompts = prompts, .prompt_count = STRUCTURES, .modality = "mri", .overlap = 0.5};
    const segment_sink sink = {&m, keep_begin, {.context = &m, .mask = keep_slices}, keep_end};
    check(segmenter_run(model, &scan, &request, &sink, &record, NULL, &error), &error);
    for (int s = 0; s < STRUCTURES; s++) {
        judge(p, s, m.mask[s]);
        free(m.mask[s]);
    }
    volume_free(&scan);
    remove(path);
}

/* The nth of the six orders of three axes. */
static void order_of(int nth, int order[3])
{
    order[0] = nth / 2;
    order[1] = (order[0] + 1 + nth % 2) % 3;
    order[2] = 3 - order[0] - order[1];
}

static void all_48_axis_orders(void **state)
{
    (void)state;
    for (int o = 0; o < 6; o++)
        for (int flips = 0; flips < 8; flips++) {
            int order[3];
            order_of(o, order);
            phantom p = make_phantom(order, flips, 0, 0, (forms)((o + flips) % 3));
            p.compressed = p.which == BOTH_FORMS;
            through_the_library(&p);
        }
}

static void oblique_in_all_48_axis_orders(void **state)
{
    (void)state;
    for (int o = 0; o < 6; o++)
        for (int flips = 0; flips < 8; flips++) {
            int order[3];
            order_of(o, order);
            const phantom p = make_phantom(order, flips, 17, 0, (forms)((o + flips) % 3));
            through_the_library(&p);
        }
}

static void sheared(void **state)
{
    (void)state;
    for (int o = 0; o < 6; o++)
        for (int flips = 0; flips < 8; flips += 3) {
            int order[3];
            order_of(o, order);
            const phantom p = make_phantom(order, flips, o % 2 ? 11 : 0, 0.3, SFORM_ONLY);
            through_the_library(&p);
        }
}

static void without_forms(void **state)
{
    (void)state;
    const phantom p = make_formless();
    through_the_library(&p);
}

/* ---------------------------------------------------------------- */

static int open_model(void **state)
{
    (void)state;
    sat_error error = {0};
    snprintf(folder, sizeof folder, "%s", temporary_folder());
    snprintf(model_path, sizeof model_path, "%s/bright.safetensors", folder);
    bright_model_write(model_path, 1);
    const segmenter_options options = {.type = ELEMENT_FLOAT32, .threads = 1, .prompts = STRUCTURES};
    const sat_status status = segmenter_open(model_path, &options, &model, &error);
    if (status != SAT_OK) print_error("%s: %s\n", error.file, error.message);
    return status == SAT_OK ? 0 : -1;
}

static int close_model(void **state)
{
    (void)state;
    print_message("             at worst %.2f mm off, Dice %.3f with what was planted\n", worst_mm, worst_dice);
    segmenter_close(model);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_48_axis_orders),
        cmocka_unit_test(oblique_in_all_48_axis_orders),
        cmocka_unit_test(sheared),
        cmocka_unit_test(without_forms),
    };
    return cmocka_run_group_tests(tests, open_model, close_model);
}
