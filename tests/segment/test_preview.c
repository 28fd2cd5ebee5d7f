#include "tests/support/cmocka.h"
#include "tests/support/golden.h"

#include "base/file.h"
#include "image/geometry.h"
#include "image/orientation.h"
#include "segment/preview_layout.h"

#include <cairo.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------- phantoms */

/* A scan and its label map, drawn in world coordinates on any grid. */
typedef struct phantom {
    volume scan;
    uint16_t *map;
    preview_label labels[4];
    preview_request request;
} phantom;

typedef struct ball {
    double centre[3], radius; /* mm, RAS+ */
} ball;

static void phantom_make(const geometry *grid, const ball *balls, int count, phantom *p)
{
    static const char *const names[] = {"left ball", "right ball", "third ball", "fourth ball"};
    const size_t voxels = (size_t)(grid->shape_ijk[0] * grid->shape_ijk[1] * grid->shape_ijk[2]);
    *p = (phantom){.scan = {.grid = *grid, .type = VOXEL_INT16, .stored = malloc(voxels * sizeof(int16_t))},
                   .map = calloc(voxels, sizeof(uint16_t))};
    double affine[3][4];
    memcpy(affine, grid->voxel_to_world, sizeof affine);
    size_t at = 0;
    for (int64_t k = 0; k < grid->shape_ijk[2]; k++)
        for (int64_t j = 0; j < grid->shape_ijk[1]; j++)
            for (int64_t i = 0; i < grid->shape_ijk[0]; i++, at++) {
                double xyz[3];
                affine_apply(affine, (const double[]){(double)i, (double)j, (double)k}, xyz);
                ((int16_t *)p->scan.stored)[at] = (int16_t)lrint(-200 + 4 * fabs(xyz[0]));
                for (int n = 0; n < count; n++) {
                    const double x = xyz[0] - balls[n].centre[0], y = xyz[1] - balls[n].centre[1],
                                 z = xyz[2] - balls[n].centre[2];
                    if (x * x + y * y + z * z > balls[n].radius * balls[n].radius) continue;
                    p->map[at] = (uint16_t)(n + 1);
                    p->labels[n].voxels++;
                }
            }
    colour tints[4];
    assert_int_equal(colours_of_names(names, 4, tints, NULL), SAT_OK);
    for (int n = 0; n < count; n++) {
        p->labels[n].name = names[n];
        p->labels[n].tint = tints[n];
        p->labels[n].volume_ml = (double)p->labels[n].voxels * fabs(affine_determinant(affine)) / 1000;
    }
    p->request = (preview_request){.scan = &p->scan,
                                   .label_map = p->map,
                                   .labels = p->labels,
                                   .label_count = count,
                                   .modality = "ct",
                                   .threads = 1};
}

static void phantom_free(phantom *p)
{
    volume_free(&p->scan);
    free(p->map);
}

/* Makes `grid` the one that stores the same voxels in the order and direction of a code's axes. */
static void reorder(const geometry *ras, const char *code, geometry *grid)
{
    for (int f = 0; f < 3; f++) {
        const char *at = strchr("RLAPSI", code[f]);
        const int a = (int)(at - "RLAPSI") / 2;
        const bool against = (at - "RLAPSI") % 2;
        grid->shape_ijk[f] = ras->shape_ijk[a];
        for (int w = 0; w < 3; w++)
            grid->voxel_to_world[w][f] = against ? -ras->voxel_to_world[w][a] : ras->voxel_to_world[w][a];
    }
    for (int w = 0; w < 3; w++) {
        grid->voxel_to_world[w][3] = ras->voxel_to_world[w][3];
        for (int f = 0; f < 3; f++) {
            const char *at = strchr("RLAPSI", code[f]);
            if ((at - "RLAPSI") % 2)
                grid->voxel_to_world[w][3] -= (double)(grid->shape_ijk[f] - 1) * grid->voxel_to_world[w][f];
        }
    }
}

/* All 48 codes; false past the last. */
static bool code_number(int number, char code[4])
{
    static const char *const orders[6] = {"012", "021", "102", "120", "201", "210"};
    if (number >= 48) return false;
    for (int f = 0; f < 3; f++)
        code[f] = "RLAPSI"[2 * (orders[number / 8][f] - '0') + (number >> f & 1)];
    code[3] = 0;
    return true;
}

static geometry centred_grid(int64_t ni, int64_t nj, int64_t nk, double di, double dj, double dk)
{
    geometry g = {.shape_ijk = {ni, nj, nk}};
    const double spacing[3] = {di, dj, dk};
    for (int a = 0; a < 3; a++) {
        g.voxel_to_world[a][a] = spacing[a];
        g.voxel_to_world[a][3] = -0.5 * (double)(g.shape_ijk[a] - 1) * spacing[a];
    }
    return g;
}

/* Turned about all three axes, by 18, 10 and -14 degrees, about the world's origin. */
static geometry turned(const geometry *g)
{
    geometry t = *g;
    const double angles[3] = {0.314, 0.175, -0.244};
    for (int about = 0; about < 3; about++) {
        const int a = (about + 1) % 3, b = (about + 2) % 3;
        double next[3][4];
        memcpy(next, t.voxel_to_world, sizeof next);
        for (int c = 0; c < 4; c++) {
            next[a][c] = cos(angles[about]) * t.voxel_to_world[a][c] - sin(angles[about]) * t.voxel_to_world[b][c];
            next[b][c] = sin(angles[about]) * t.voxel_to_world[a][c] + cos(angles[about]) * t.voxel_to_world[b][c];
        }
        memcpy(t.voxel_to_world, next, sizeof next);
    }
    return t;
}

/* ---------------------------------------------------------------- reading pictures */

typedef struct png_reader {
    const preview_png *png;
    size_t at;
} png_reader;

static cairo_status_t read_some(void *closure, unsigned char *data, unsigned int bytes)
{
    png_reader *r = closure;
    if (bytes > r->png->bytes - r->at) return CAIRO_STATUS_READ_ERROR;
    memcpy(data, r->png->data + r->at, bytes);
    r->at += bytes;
    return CAIRO_STATUS_SUCCESS;
}

/* Mean place of the pixels of exactly this colour within a rectangle, as a share of its width and height; their number. */
static int where_colour(cairo_surface_t *picture, const preview_rectangle *box, colour c, double *across, double *down)
{
    const unsigned char *pixels = cairo_image_surface_get_data(picture);
    const int stride = cairo_image_surface_get_stride(picture);
    int count = 0;
    *across = *down = 0;
    for (int y = 0; y < (int)box->height; y++)
        for (int x = 0; x < (int)box->width; x++) {
            uint32_t value;
            memcpy(&value, pixels + ((int)box->y + y) * stride + 4 * ((int)box->x + x), 4);
            if ((value & 0xFFFFFF) != ((uint32_t)c.red << 16 | (uint32_t)c.green << 8 | c.blue)) continue;
            *across += (x + 0.5) / box->width;
            *down += (y + 0.5) / box->height;
            count++;
        }
    if (count) {
        *across /= count;
        *down /= count;
    }
    return count;
}

static cairo_surface_t *decode(const preview_png *png)
{
    png_reader reader = {png, 0};
    cairo_surface_t *picture = cairo_image_surface_create_from_png_stream(read_some, &reader);
    assert_int_equal(cairo_surface_status(picture), CAIRO_STATUS_SUCCESS);
    assert_int_equal(cairo_image_surface_get_width(picture), png->width);
    assert_int_equal(cairo_image_surface_get_height(picture), png->height);
    return picture;
}

static const preview_text *find_text(const preview_layout *l, preview_role role, preview_plane plane)
{
    for (int n = 0; n < l->text_count; n++)
        if (l->texts[n].role == role && l->texts[n].plane == plane) return &l->texts[n];
    fail_msg("no text of role %d for plane %d", role, plane);
    return NULL;
}

/* ---------------------------------------------------------------- left is left */

/* The ball lies on the patient's left, to the front, towards the head. */
static void check_sides(const geometry *grid, const char *what)
{
    static const ball left_front_top[] = {{{-32, 20, 26}, 15}};
    static const char sides[PREVIEW_PLANES][5] = {"ALPR", "SLIR", "SPIA"}; /* top, right, bottom, left of the picture */
    phantom p;
    preview_png panels[PREVIEW_PLANES];
    preview_content content;
    phantom_make(grid, left_front_top, 1, &p);
    assert_int_equal(preview_content_find(&p.request, &content, NULL), SAT_OK);
    assert_int_equal(preview_make_panels(&p.request, panels, NULL), SAT_OK);
    for (int plane = 0; plane < PREVIEW_PLANES; plane++) {
        preview_layout *l;
        assert_int_equal(preview_layout_make(&content, (preview_plane)plane, &l, NULL), SAT_OK);
        assert_int_equal(l->panel_count, 1);
        const preview_rectangle *image = &l->panels[0].image;
        cairo_surface_t *picture = decode(&panels[plane]);
        double across, down;
        if (where_colour(picture, image, p.labels[0].tint, &across, &down) < 50)
            fail_msg("%s: plane %d shows no ball", what, plane);
        const bool right_half = across > 0.55, left_half = across < 0.45;
        if (plane == PREVIEW_SAGITTAL ? !left_half : !right_half)
            fail_msg("%s: plane %d has the ball at %.2f of its width", what, plane, across);
        if (down > 0.45) fail_msg("%s: plane %d has the ball at %.2f of its height", what, plane, down);
        for (int side = 0; side < 4; side++) {
            const preview_text *letter = find_text(l, (preview_role)(PREVIEW_LETTER_TOP + side), (preview_plane)plane);
            if (letter->words[0] != sides[plane][side])
                fail_msg("%s: plane %d says %s on side %d", what, plane, letter->words, side);
        }
        const preview_rectangle top = find_text(l, PREVIEW_LETTER_TOP, (preview_plane)plane)->box,
                                bottom = find_text(l, PREVIEW_LETTER_BOTTOM, (preview_plane)plane)->box;
        const preview_rectangle right = find_text(l, PREVIEW_LETTER_RIGHT, (preview_plane)plane)->box,
                                left = find_text(l, PREVIEW_LETTER_LEFT, (preview_plane)plane)->box;
        assert_true(top.y + top.height <= image->y && bottom.y >= image->y + image->height);
        assert_true(left.x + left.width <= image->x && right.x >= image->x + image->width);
        cairo_surface_destroy(picture);
        free(l);
        preview_png_free(&panels[plane]);
    }
    phantom_free(&p);
}

static void left_is_on_the_right_in_all_48_axis_orders(void **state)
{
    (void)state;
    const geometry ras = centred_grid(52, 34, 26, 2.5, 3, 4);
    char code[4], found[4];
    for (int n = 0; code_number(n, code); n++) {
        geometry grid;
        reorder(&ras, code, &grid);
        assert_int_equal(orientation_code_of(grid.voxel_to_world, found, NULL), SAT_OK);
        assert_string_equal(found, code);
        check_sides(&grid, code);
    }
}

static void left_is_on_the_right_in_oblique_scans_of_all_axis_orders(void **state)
{
    (void)state;
    const geometry ras = centred_grid(52, 34, 26, 2.5, 3, 4), oblique = turned(&ras);
    char code[4];
    for (int n = 0; code_number(n, code); n++) {
        geometry grid;
        reorder(&oblique, code, &grid);
        check_sides(&grid, code);
    }
}

static void sheared_scans_are_shown_square(void **state)
{
    (void)state;
    geometry sheared = centred_grid(52, 34, 26, 2.5, 3, 4);
    sheared.voxel_to_world[1][2] = 1.2; /* the table goes up while it goes in */
    sheared.voxel_to_world[1][3] -= 0.5 * 25 * 1.2;
    check_sides(&sheared, "sheared");
}

/* The same scan, stored in any order, gives the same labels on the picture, but for pixels that lie between two voxels. */
static void the_order_of_storage_does_not_show(void **state)
{
    (void)state;
    static const ball balls[] = {{{-32, 20, 26}, 15}, {{25, -10, 5}, 21}};
    const geometry ras = centred_grid(52, 34, 26, 2.5, 3, 4);
    preview_image first[PREVIEW_PLANES] = {{0}};
    char code[4];
    for (int n = 0; code_number(n, code); n++) {
        geometry grid;
        phantom p;
        preview_content content;
        reorder(&ras, code, &grid);
        phantom_make(&grid, balls, 2, &p);
        assert_int_equal(preview_content_find(&p.request, &content, NULL), SAT_OK);
        for (int plane = 0; plane < PREVIEW_PLANES; plane++) {
            preview_image image;
            assert_int_equal(preview_image_cut(&p.request, &content.frame, (preview_plane)plane, &content.cuts[plane],
                                               0.7, &image, NULL),
                             SAT_OK);
            if (n == 0) {
                first[plane] = image;
                continue;
            }
            int different = 0;
            assert_true(image.width == first[plane].width && image.height == first[plane].height);
            for (int at = 0; at < image.width * image.height; at++)
                different += image.labels[at] != first[plane].labels[at];
            if (different > image.width * image.height / 200)
                fail_msg("%s: %d pixels of plane %d differ", code, different, plane);
            preview_image_free(&image);
        }
        phantom_free(&p);
    }
    for (int plane = 0; plane < PREVIEW_PLANES; plane++)
        preview_image_free(&first[plane]);
}

/* ---------------------------------------------------------------- true to scale */

/* A ball stays a circle of its size in all planes, whatever the spacing: its moments are those of a disc within 2 %. */
static void check_roundness(const geometry *grid, double radius)
{
    const ball centre[] = {{{0, 0, 0}, radius}};
    phantom p;
    preview_content content;
    preview_layout *l;
    phantom_make(grid, centre, 1, &p);
    assert_int_equal(preview_content_find(&p.request, &content, NULL), SAT_OK);
    assert_int_equal(preview_layout_make(&content, PREVIEW_PLANES, &l, NULL), SAT_OK);
    for (int plane = 0; plane < PREVIEW_PLANES; plane++) {
        preview_image image;
        const double mm = l->panels[plane].mm_per_pixel;
        assert_int_equal(
            preview_image_cut(&p.request, &content.frame, (preview_plane)plane, &content.cuts[plane], mm, &image, NULL),
            SAT_OK);
        assert_true(image.width == (int)l->panels[plane].image.width &&
                    image.height == (int)l->panels[plane].image.height);
        double count = 0, x1 = 0, y1 = 0, x2 = 0, y2 = 0;
        for (int y = 0; y < image.height; y++)
            for (int x = 0; x < image.width; x++) {
                if (!image.labels[y * image.width + x]) continue;
                count++;
                x1 += x, y1 += y, x2 += (double)x * x, y2 += (double)y * y;
            }
        const double wide = mm * sqrt(x2 / count - x1 * x1 / count / count),
                     high = mm * sqrt(y2 / count - y1 * y1 / count / count);
        const double expected = radius / 2; /* standard deviation of a disc along an axis */
        if (fabs(wide / high - 1) > 0.02 || fabs(wide / expected - 1) > 0.02 || fabs(high / expected - 1) > 0.02)
            fail_msg("plane %d: %.2f wide and %.2f high, not %.2f", plane, wide, high, expected);
        preview_image_free(&image);
    }
    free(l);
    phantom_free(&p);
}

static void a_ball_is_a_circle(void **state)
{
    (void)state;
    const geometry isotropic = centred_grid(60, 60, 60, 2, 2, 2), thick = centred_grid(120, 90, 26, 1, 1.35, 5),
                   oblique = turned(&thick);
    geometry sagittal; /* slices along the patient's left-right axis, as of the spine */
    reorder(&(geometry){.shape_ijk = {28, 100, 100},
                        .voxel_to_world = {{4.4, 0, 0, -59.4}, {0, 1.2, 0, -59.4}, {0, 0, 1.2, -59.4}}},
            "PIR", &sagittal);
    check_roundness(&isotropic, 50);
    check_roundness(&thick, 50);
    check_roundness(&oblique, 50);
    check_roundness(&sagittal, 50);
}

static void scale_bars_are_as_long_as_they_say(void **state)
{
    (void)state;
    const double sizes[] = {0.05, 1, 3, 20};
    for (size_t n = 0; n < 4; n++) {
        const geometry grid = centred_grid(40, 30, 20, sizes[n], sizes[n], 2 * sizes[n]);
        const ball none[] = {{{1e9, 0, 0}, 1}};
        phantom p;
        preview_content content;
        preview_layout *l;
        phantom_make(&grid, none, 1, &p);
        assert_int_equal(preview_content_find(&p.request, &content, NULL), SAT_OK);
        assert_int_equal(preview_layout_make(&content, PREVIEW_PLANES, &l, NULL), SAT_OK);
        for (int plane = 0; plane < PREVIEW_PLANES; plane++) {
            const preview_panel *panel = &l->panels[plane];
            double said;
            char unit[8];
            assert_int_equal(sscanf(find_text(l, PREVIEW_SCALE, (preview_plane)plane)->words, "%lf %7s", &said, unit),
                             2);
            if (strcmp(unit, "cm") == 0) said *= 10;
            assert_true(fabs(said - panel->scale_mm) < 1e-9 * said);
            assert_true(fabs(panel->scale_bar.width * panel->mm_per_pixel / said - 1) < 1e-9);
            assert_true(fabs(panel->image.width * panel->mm_per_pixel -
                             (plane == PREVIEW_SAGITTAL ? 30 : 40) * sizes[n]) <= panel->mm_per_pixel);
        }
        free(l);
        phantom_free(&p);
    }
}

/* ---------------------------------------------------------------- layout */

static bool overlap(const preview_rectangle *a, const preview_rectangle *b)
{
    return a->x < b->x + b->width && b->x < a->x + a->width && a->y < b->y + b->height && b->y < a->y + a->height;
}

static void check_layout(const preview_request *request, preview_plane only, const char *what)
{
    preview_content content;
    preview_layout *l;
    assert_int_equal(preview_content_find(request, &content, NULL), SAT_OK);
    assert_int_equal(preview_layout_make(&content, only, &l, NULL), SAT_OK);
    const preview_rectangle page = {0, 0, l->width, l->height};
    for (int n = 0; n < l->text_count; n++) {
        const preview_rectangle *box = &l->texts[n].box;
        if (box->x < 0 || box->y < 0 || box->x + box->width > page.width || box->y + box->height > page.height)
            fail_msg("%s: \"%s\" leaves the picture", what, l->texts[n].words);
        for (int m = 0; m < n; m++)
            if (overlap(box, &l->texts[m].box))
                fail_msg("%s: \"%s\" lies over \"%s\"", what, l->texts[n].words, l->texts[m].words);
        for (int m = 0; m < l->panel_count; m++)
            if (overlap(box, &l->panels[m].image) || overlap(box, &l->panels[m].scale_bar))
                fail_msg("%s: \"%s\" lies over a panel", what, l->texts[n].words);
        for (int m = 0; m < l->chip_count; m++)
            if (overlap(box, &l->chips[m].box))
                fail_msg("%s: \"%s\" lies over a patch of colour", what, l->texts[n].words);
    }
    for (int n = 0; n < l->panel_count; n++)
        for (int m = 0; m < n; m++)
            assert_false(overlap(&l->panels[n].image, &l->panels[m].image));
    free(l);
}

/* `count` labels, of which each `hole`-th found nothing; some names are long, some odd. */
static preview_label *many_labels(int count, int hole)
{
    static char names[600][160];
    preview_label *labels = calloc((size_t)count + 1, sizeof *labels);
    for (int n = 0; n < count; n++) {
        snprintf(names[n], sizeof names[n],
                 n % 11 == 3 ? "structure number %d with a name that goes on and on and never comes to an end, it seems"
                 : n % 17 == 5 ? "<b>\303\244\xff\n%d"
                               : "structure %d",
                 n);
        labels[n] = (preview_label){.name = names[n],
                                    .voxels = hole && n % hole == 0 ? 0 : 1000 - n,
                                    .volume_ml = pow(1.05, n),
                                    .tint = {200, 100, 50}};
    }
    return labels;
}

static void nothing_overlaps_and_nothing_leaves_the_picture(void **state)
{
    (void)state;
    const geometry usual = centred_grid(40, 30, 20, 3, 3, 5);
    const geometry grids[] = {usual,
                              turned(&usual),
                              centred_grid(1, 1, 1, 1, 1, 1),
                              centred_grid(60, 50, 1, 1, 1, 5),
                              centred_grid(20, 20, 200, 3, 3, 15),
                              centred_grid(3, 90, 90, 5, 1, 1),
                              centred_grid(500, 1, 1, 1, 1, 1),
                              centred_grid(7, 1, 300, 0.01, 4, 9)};
    const int counts[] = {0, 1, 4, 40, 117, 497};
    for (size_t g = 0; g < sizeof grids / sizeof *grids; g++) {
        phantom p;
        phantom_make(&grids[g], NULL, 0, &p);
        for (size_t c = 0; c < sizeof counts / sizeof *counts; c++)
            for (int hole = 0; hole < 4; hole++) {
                char what[80];
                snprintf(what, sizeof what, "grid %zu, %d labels, hole %d", g, counts[c], hole);
                preview_label *labels = many_labels(counts[c], hole);
                p.request.labels = labels;
                p.request.label_count = counts[c];
                check_layout(&p.request, PREVIEW_PLANES, what);
                if (c == 0 && hole == 0)
                    for (int plane = 0; plane < PREVIEW_PLANES; plane++)
                        check_layout(&p.request, (preview_plane)plane, what);
                free(labels);
            }
        phantom_free(&p);
    }
}

static int legend_lines(const preview_layout *l, const char *with)
{
    int count = 0;
    for (int n = 0; n < l->text_count; n++)
        count += l->texts[n].role == PREVIEW_LEGEND && strstr(l->texts[n].words, with) != NULL;
    return count;
}

static void the_legend_names_the_largest_and_counts_the_rest(void **state)
{
    (void)state;
    const geometry grid = centred_grid(40, 30, 20, 3, 3, 5);
    phantom p;
    preview_content content;
    preview_layout *l;
    phantom_make(&grid, NULL, 0, &p);
    preview_label *labels = many_labels(497, 0);
    p.request.labels = labels;
    p.request.label_count = 497;
    assert_int_equal(preview_content_find(&p.request, &content, NULL), SAT_OK);
    assert_int_equal(preview_layout_make(&content, PREVIEW_PLANES, &l, NULL), SAT_OK);
    const int named = l->chip_count;
    char more[32];
    snprintf(more, sizeof more, "and %d more", 497 - named);
    assert_true(named >= 40);
    assert_int_equal(legend_lines(l, more), 1);
    assert_int_equal(legend_lines(l, "structure 0"), 1);   /* 1000 voxels */
    assert_int_equal(legend_lines(l, "structure 496"), 0); /* 504 */
    assert_int_equal(legend_lines(l, "Found 497 of 497"), 1);
    free(l);
    free(labels);
    phantom_free(&p);
}

static void pictures_say_what_they_are_not(void **state)
{
    (void)state;
    const geometry grid = centred_grid(20, 20, 20, 1, 1, 1);
    phantom p;
    preview_content content;
    preview_layout *l;
    phantom_make(&grid, NULL, 0, &p);
    assert_int_equal(preview_content_find(&p.request, &content, NULL), SAT_OK);
    assert_int_equal(preview_layout_make(&content, PREVIEW_PLANES, &l, NULL), SAT_OK);
    bool research = false, convention = false;
    for (int n = 0; n < l->text_count; n++) {
        research = research || strstr(l->texts[n].words, "For research use. Not a medical device.");
        convention = convention || strstr(l->texts[n].words, "the patient's left is on the right");
    }
    assert_true(research && convention);
    assert_int_equal(legend_lines(l, "No labels"), 1);
    free(l);
    phantom_free(&p);
}

static void letters_of_slanted_directions(void **state)
{
    (void)state;
    const struct {
        double direction[3];
        const char *letters;
    } cases[] = {{{1, 0, 0}, "R"},         {{-1, 0, 0}, "L"},       {{0, 1, 0}, "A"},
                 {{0, -1, 0}, "P"},        {{0, 0, 1}, "S"},        {{0, 0, -1}, "I"},
                 {{-0.99, 0.1, 0.1}, "L"}, {{0.9, -0.43, 0}, "RP"}, {{0.3, 0.9, -0.31}, "AIR"}};
    for (size_t n = 0; n < sizeof cases / sizeof *cases; n++) {
        char letters[4];
        preview_letters(cases[n].direction, letters);
        assert_string_equal(letters, cases[n].letters);
    }
}

/* ---------------------------------------------------------------- slices and windows */

static void slices_show_what_was_found(void **state)
{
    (void)state;
    const geometry grid = centred_grid(60, 50, 40, 2, 2, 3);
    static const ball one[] = {{{-20, 14, 21}, 16}};
    phantom p;
    preview_content content;
    phantom_make(&grid, one, 1, &p);
    assert_int_equal(preview_content_find(&p.request, &content, NULL), SAT_OK);
    assert_true(fabs(content.cuts[PREVIEW_SAGITTAL].position_mm + 20) <= 2);
    assert_true(fabs(content.cuts[PREVIEW_CORONAL].position_mm - 14) <= 2);
    assert_true(fabs(content.cuts[PREVIEW_AXIAL].position_mm - 21) <= 3);
    p.request.label_map = NULL; /* nothing found: the middle */
    assert_int_equal(preview_content_find(&p.request, &content, NULL), SAT_OK);
    assert_true(content.cuts[PREVIEW_SAGITTAL].slice == 30 && content.cuts[PREVIEW_CORONAL].slice == 25 &&
                content.cuts[PREVIEW_AXIAL].slice == 20);
    phantom_free(&p);
}

static void check_window(phantom *p, int16_t background, int16_t inside, const char *modality, double low, double high)
{
    preview_window w;
    for (size_t v = 0; v < volume_voxels(&p->scan); v++)
        ((int16_t *)p->scan.stored)[v] = (int16_t)((p->map[v] ? inside : background) + (int)(v % 41));
    p->request.modality = modality;
    assert_int_equal(preview_window_find(&p->request, &w, NULL), SAT_OK);
    if (fabs(w.low - low) > 1 || fabs(w.high - high) > 1) fail_msg("%s: %s", modality, w.words);
    assert_true(w.dark_is_high == (strcmp(modality, "pet") == 0));
}

static void grey_windows_are_those_of_the_field(void **state)
{
    (void)state;
    const geometry grid = centred_grid(30, 30, 30, 2, 2, 2);
    static const ball one[] = {{{0, 0, 0}, 15}};
    phantom p;
    phantom_make(&grid, one, 1, &p);
    check_window(&p, -1000, 50, "ct", -160, 240);
    check_window(&p, 20, -850, "CT", -1350, 150);
    check_window(&p, 20, 600, "ct", -500, 1300);
    check_window(&p, 1, 1, "ct", -160, 240);
    for (size_t v = 0; v < volume_voxels(&p.scan); v++) /* no Hounsfield units, whatever the modality says */
        ((int16_t *)p.scan.stored)[v] = (int16_t)(v % 4);
    preview_window w;
    assert_int_equal(preview_window_find(&p.request, &w, NULL), SAT_OK);
    assert_true(w.low == 1 && w.high == 3);
    p.request.window_low = 10;
    p.request.window_high = 90;
    check_window(&p, 20, 600, "ct", 10, 90);
    p.request.window_low = p.request.window_high = 0;
    check_window(&p, 100, 300, "mri", 100, 338);
    check_window(&p, 1, 300, "pet", 0, 338);
    for (size_t v = 0; v < volume_voxels(&p.scan); v++) /* constant */
        ((int16_t *)p.scan.stored)[v] = 7;
    assert_int_equal(preview_window_find(&p.request, &w, NULL), SAT_OK);
    assert_true(w.high > w.low);
    phantom_free(&p);
}

/* ---------------------------------------------------------------- files */

static void the_same_input_gives_the_same_bytes(void **state)
{
    (void)state;
    static const ball balls[] = {{{-32, 20, 26}, 15}, {{25, -10, 5}, 21}};
    const geometry grid = centred_grid(52, 34, 26, 2.5, 3, 4), oblique = turned(&grid);
    phantom p;
    preview_png one, three;
    phantom_make(&oblique, balls, 2, &p);
    assert_int_equal(preview_make_png(&p.request, &one, NULL), SAT_OK);
    p.request.threads = 3;
    assert_int_equal(preview_make_png(&p.request, &three, NULL), SAT_OK);
    assert_int_equal(one.bytes, three.bytes);
    assert_memory_equal(one.data, three.data, one.bytes);
    char path[600];
    snprintf(path, sizeof path, "%s/preview.png", temporary_folder());
    assert_int_equal(preview_write_png(path, &p.request, NULL), SAT_OK);
    file_map map;
    assert_int_equal(file_map_open(path, &map, NULL), SAT_OK);
    assert_int_equal(map.size, one.bytes);
    assert_memory_equal(map.data, one.data, one.bytes);
    file_map_close(&map);
    preview_png_free(&one);
    preview_png_free(&three);
    preview_png_free(&three);
    phantom_free(&p);
}

static void what_has_no_picture_is_refused(void **state)
{
    (void)state;
    const geometry grid = centred_grid(5, 5, 5, 1, 1, 1);
    phantom p;
    preview_png png;
    sat_error error = {0};
    phantom_make(&grid, NULL, 0, &p);
    p.scan.grid.voxel_to_world[2][2] = 0;
    assert_int_equal(preview_make_png(&p.request, &png, &error), SAT_BAD_INPUT);
    assert_true(error.message[0] && !png.data);
    p.scan.grid.voxel_to_world[2][2] = NAN;
    assert_int_equal(preview_make_png(&p.request, &png, &error), SAT_BAD_INPUT);
    p.scan.grid.voxel_to_world[2][2] = 1;
    p.request.label_count = -1;
    assert_int_equal(preview_make_png(&p.request, &png, &error), SAT_BAD_ARGUMENT);
    p.request.label_count = 0;
    assert_int_equal(preview_write_png("/nowhere/p.png", &p.request, &error), SAT_IO);
    phantom_free(&p);
}

/* Ids above the labels' number and voxels that are no numbers draw as background, black. */
static void odd_voxels_draw_as_background(void **state)
{
    (void)state;
    const geometry grid = centred_grid(8, 8, 8, 1, 1, 1);
    phantom p;
    phantom_make(&grid, NULL, 0, &p);
    free(p.scan.stored);
    float *values = malloc(512 * sizeof *values);
    for (int v = 0; v < 512; v++) {
        values[v] = v % 3 ? (v % 3 == 1 ? NAN : INFINITY) : 1e30f;
        p.map[v] = (uint16_t)(v * 131);
    }
    p.scan.stored = values;
    p.scan.type = VOXEL_FLOAT32;
    preview_png png;
    assert_int_equal(preview_make_png(&p.request, &png, NULL), SAT_OK);
    preview_png_free(&png);
    phantom_free(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(left_is_on_the_right_in_all_48_axis_orders),
        cmocka_unit_test(left_is_on_the_right_in_oblique_scans_of_all_axis_orders),
        cmocka_unit_test(sheared_scans_are_shown_square),
        cmocka_unit_test(the_order_of_storage_does_not_show),
        cmocka_unit_test(a_ball_is_a_circle),
        cmocka_unit_test(scale_bars_are_as_long_as_they_say),
        cmocka_unit_test(nothing_overlaps_and_nothing_leaves_the_picture),
        cmocka_unit_test(the_legend_names_the_largest_and_counts_the_rest),
        cmocka_unit_test(pictures_say_what_they_are_not),
        cmocka_unit_test(letters_of_slanted_directions),
        cmocka_unit_test(slices_show_what_was_found),
        cmocka_unit_test(grey_windows_are_those_of_the_field),
        cmocka_unit_test(the_same_input_gives_the_same_bytes),
        cmocka_unit_test(what_has_no_picture_is_refused),
        cmocka_unit_test(odd_voxels_draw_as_background),
    };
    return cmocka_run_group_tests_name("segment/preview", tests, NULL, NULL);
}
