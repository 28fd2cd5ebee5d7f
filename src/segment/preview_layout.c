#include "segment/preview_layout.h"

#include "image/geometry.h"
#include "image/orientation.h"
#include "text/utf8.h"

#include "sat3d.h"

#include <cairo.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Debian's own; fontconfig takes the nearest where it is missing, cairo its built-in letters where there is none. */
const char preview_font[] = "DejaVu Sans";

/* Sizes of the picture's parts, pixels. */
enum {
    PANELS_WIDTH = 1050, /* of the three images together, at most             */
    REPORT_WIDTH = 750,  /* likewise, of panels as pictures of their own      */
    PANELS_HEIGHT = 560, /* of each, at most                                  */
    MARGIN = 18,
    GUTTER = 46,     /* left and right of an image, for letters           */
    LETTER_ROW = 22, /* above and below an image                          */
    SCALE_ROW = 26,  /* below that                                        */
    CAPTION_ROWS = 42,
    LEGEND_COLUMN = 280,
    LEGEND_GAP = 30,
    LEGEND_ROW = 20,
    LEGEND_ROWS_MOST = 14,
    WIDTH_LEAST = 1000, /* so that title and footer have room                */
    NOTE_ROWS = 3,
};

/* ---------------------------------------------------------------- text */

typedef struct pen {
    preview_layout *layout;
    cairo_t *measure; /* nothing is drawn with it */
} pen;

typedef enum align { ALIGN_LEFT, ALIGN_MIDDLE, ALIGN_RIGHT } align;

/* Copies words that a font can be asked for: control characters become blanks, bytes that are no UTF-8 question marks. */
static void copy_words(char words[PREVIEW_WORDS], const char *from)
{
    const size_t bytes = strlen(from);
    size_t length = 0;
    for (size_t at = 0; at < bytes;) {
        uint32_t code;
        at += utf8_read(from + at, bytes - at, &code);
        if (code < 0x20 || (code >= 0x7F && code < 0xA0)) code = ' ';
        if (code == UTF8_REPLACEMENT) code = '?';
        if (length + UTF8_BYTES_MAX >= PREVIEW_WORDS) break;
        length += utf8_write(code, words + length);
    }
    words[length] = 0;
}

static double width_of(const pen *p, const char *words, double size, bool bold)
{
    cairo_text_extents_t extents;
    cairo_select_font_face(p->measure, preview_font, CAIRO_FONT_SLANT_NORMAL,
                           bold ? CAIRO_FONT_WEIGHT_BOLD : CAIRO_FONT_WEIGHT_NORMAL);
    cairo_set_font_size(p->measure, size);
    cairo_text_extents(p->measure, words, &extents);
    return fmax(extents.x_advance, extents.x_bearing + extents.width);
}

/* Cuts whole characters off the end until the words, with three dots, fit. */
static void shorten(const pen *p, char words[PREVIEW_WORDS], double size, bool bold, double most)
{
    size_t length = strlen(words);
    if (width_of(p, words, size, bold) <= most) return;
    if (length > PREVIEW_WORDS - 4) length = PREVIEW_WORDS - 4;
    do {
        while (length > 0 && ((unsigned char)words[length - 1] & 0xC0) == 0x80)
            length--;
        if (length > 0) length--;
        while (length > 0 && words[length - 1] == ' ')
            length--;
        memcpy(words + length, "...", 4);
    } while (length > 0 && width_of(p, words, size, bold) > most);
}

/* Puts words with their anchor at x, baseline; at most `most` wide. Returns the text, for changing role and plane. */
static preview_text *put(pen *p, preview_role role, const char *words, double size, bool bold, align where, double x,
                         double baseline, double most)
{
    preview_layout *l = p->layout;
    if (l->text_count == PREVIEW_TEXTS_MOST)
        l->text_count--; /* can't be, see the header; the last would be lost, not memory */
    preview_text *t = &l->texts[l->text_count++];
    *t = (preview_text){.role = role, .plane = PREVIEW_PLANES, .size = size, .bold = bold, .baseline = baseline};
    copy_words(t->words, words);
    shorten(p, t->words, size, bold, most);
    const double width = width_of(p, t->words, size, bold);
    t->x = round(where == ALIGN_LEFT ? x : where == ALIGN_RIGHT ? x - width : x - width / 2);
    t->box = (preview_rectangle){t->x, baseline - 0.78 * size, width, 1.02 * size};
    return t;
}

/* Puts words in lines of at most `most` pixels, broken at blanks; what doesn't fit `rows` lines is cut. Returns the next
 * baseline. */
static double put_lines(pen *p, preview_role role, const char *words, double size, bool bold, double x, double baseline,
                        double most, int rows)
{
    char line[PREVIEW_WORDS];
    const char *at = words;
    for (int row = 0; row < rows && *at; row++, baseline += round(size * 1.4)) {
        size_t fits = 0, length = 0;
        for (;;) {
            const size_t word = strcspn(at + length, " ");
            if (row < rows - 1 && length + word < sizeof line) {
                memcpy(line, at, length + word);
                line[length + word] = 0;
                if (fits && width_of(p, line, size, bold) > most) break;
            } else if (fits && row < rows - 1) {
                break;
            }
            fits = length + word;
            length = fits + strspn(at + fits, " ");
            if (!at[length]) break;
        }
        snprintf(line, sizeof line, "%.*s", (int)fits, at);
        put(p, role, line, size, bold, ALIGN_LEFT, x, baseline, most);
        at += fits;
        at += strspn(at, " ");
    }
    return baseline;
}

/* ---------------------------------------------------------------- words */

void preview_letters(const double direction[3], char letters[4])
{
    static const char names[3][2] = {{'L', 'R'}, {'P', 'A'}, {'I', 'S'}};
    bool used[3] = {false, false, false};
    int count = 0;
    for (; count < 3; count++) {
        int best = -1;
        for (int a = 0; a < 3; a++)
            if (!used[a] && (best < 0 || fabs(direction[a]) > fabs(direction[best]))) best = a;
        if (count > 0 && fabs(direction[best]) < 0.2) break;
        used[best] = true;
        letters[count] = names[best][direction[best] > 0];
    }
    letters[count] = 0;
}

static void caption_words(const preview_content *content, preview_plane plane, char name[48], char place[80])
{
    static const char *const names[PREVIEW_PLANES] = {"Axial", "Coronal", "Sagittal"};
    const int a = preview_views[plane].through, file_axis = content->frame.file_axis[a];
    const int64_t slices = content->request->scan->grid.shape_ijk[file_axis];
    const bool oblique = content->frame.oblique_degrees >= 1.0;
    const double *axis = content->frame.axis[a];
    const double angle = acos(fmin(1.0, fabs(axis[a]))) * 180.0 / 3.14159265358979323846;
    const int length =
        snprintf(place, 80, "slice %lld of %lld", (long long)content->cuts[plane].slice + 1, (long long)slices);
    if (oblique && angle >= 0.5) {
        snprintf(name, 48, "%s, tilted %.0f deg", names[plane], angle);
    } else {
        const double at = content->cuts[plane].position_mm;
        snprintf(name, 48, "%s", names[plane]);
        if (!oblique)
            snprintf(place + length, 80 - (size_t)length, ", %c %.1f mm", "LRPAIS"[2 * a + (at >= 0)], fabs(at));
    }
}

static void length_words(double mm, char words[16])
{
    if (mm >= 10)
        snprintf(words, 16, "%.0f cm", mm / 10);
    else
        snprintf(words, 16, "%g mm", mm);
}

static void volume_words(const preview_label *label, char words[24])
{
    const double ml = label->volume_ml;
    if (ml >= 0.0005)
        snprintf(words, 24, "%.*f ml", ml >= 99.95 ? 0 : ml >= 9.995 ? 1 : ml >= 0.9995 ? 2 : 3, ml);
    else
        snprintf(words, 24, "< 0.001 ml");
}

/* ---------------------------------------------------------------- panels */

/* Pixels per mm of each panel. One scale for all three where that leaves each at least half the size that it could have by
 * itself; a whole body's axial slice, say, gets its own. */
static void choose_scales(const preview_frame *frame, double panels_width, double scales[PREVIEW_PLANES])
{
    double width[PREVIEW_PLANES], height[PREVIEW_PLANES], across = 0, highest = 0;
    for (int p = 0; p < PREVIEW_PLANES; p++) {
        const preview_view *v = &preview_views[p];
        width[p] = frame->high_mm[v->across] - frame->low_mm[v->across];
        height[p] = frame->high_mm[v->up] - frame->low_mm[v->up];
        across += width[p];
        highest = fmax(highest, height[p]);
    }
    const double common = fmin(panels_width / across, PANELS_HEIGHT / highest);
    bool good = true;
    for (int p = 0; p < PREVIEW_PLANES; p++) {
        scales[p] = fmin(panels_width / 3.0 / width[p], PANELS_HEIGHT / height[p]);
        good = good && common >= 0.5 * scales[p];
    }
    /* a panel a few pixels high has nothing to gain by a scale of its own */
    for (int p = 0; p < PREVIEW_PLANES && !good; p++)
        if (fmin(width[p], height[p]) * scales[p] < 40) good = common >= 0.5 * scales[PREVIEW_AXIAL];
    for (int p = 0; p < PREVIEW_PLANES && good; p++)
        scales[p] = common;
}

/* The scale bar of panels with the same scale is the same: the longest of 1, 2, 5 times a power of ten mm that takes at most two
 * fifths of the narrowest image's width, or 60 pixels where that is thin. */
static double scale_length_mm(const preview_frame *frame, const double scales[PREVIEW_PLANES], preview_plane plane)
{
    double narrowest = INFINITY;
    for (int p = 0; p < PREVIEW_PLANES; p++) {
        const preview_view *v = &preview_views[p];
        if (scales[p] == scales[plane])
            narrowest = fmin(narrowest, (frame->high_mm[v->across] - frame->low_mm[v->across]) * scales[p]);
    }
    const double most_mm = fmax(0.4 * narrowest, 60) / scales[plane], length = pow(10, floor(log10(most_mm)));
    return length * (length * 5 <= most_mm ? 5 : length * 2 <= most_mm ? 2 : 1);
}

static void put_panel(pen *p, const preview_content *content, preview_plane plane, const double scales[PREVIEW_PLANES],
                      double cell_x, double cell_width, double top, double row_height)
{
    const preview_frame *frame = &content->frame;
    const preview_view *v = &preview_views[plane];
    const double scale = scales[plane], length = scale_length_mm(frame, scales, plane);
    preview_panel *panel = &p->layout->panels[p->layout->panel_count++];
    *panel = (preview_panel){.plane = plane, .mm_per_pixel = 1.0 / scale};
    const double width = fmax(1.0, ceil((frame->high_mm[v->across] - frame->low_mm[v->across]) * scale - 0.01));
    const double height = fmax(1.0, ceil((frame->high_mm[v->up] - frame->low_mm[v->up]) * scale - 0.01));
    const double x = floor(cell_x + (cell_width - width) / 2),
                 y = floor(top + CAPTION_ROWS + LETTER_ROW + (row_height - height) / 2);
    panel->image = (preview_rectangle){x, y, width, height};

    char name[48], place[80];
    caption_words(content, plane, name, place);
    const double middle = cell_x + cell_width / 2;
    put(p, PREVIEW_CAPTION, name, 15, true, ALIGN_MIDDLE, middle, top + 16, cell_width)->plane = plane;
    put(p, PREVIEW_CAPTION, place, 12, false, ALIGN_MIDDLE, middle, top + 34, cell_width)->plane = plane;

    double right[3], up[3], left[3], down[3];
    for (int w = 0; w < 3; w++) {
        left[w] = frame->axis[v->across][w];
        right[w] = -left[w];
        up[w] = frame->axis[v->up][w];
        down[w] = -up[w];
    }
    char letters[4];
    preview_letters(up, letters);
    put(p, PREVIEW_LETTER_TOP, letters, 16, true, ALIGN_MIDDLE, x + width / 2, y - 6, cell_width)->plane = plane;
    preview_letters(down, letters);
    put(p, PREVIEW_LETTER_BOTTOM, letters, 16, true, ALIGN_MIDDLE, x + width / 2, y + height + 18, cell_width)->plane =
        plane;
    preview_letters(left, letters);
    put(p, PREVIEW_LETTER_LEFT, letters, 16, true, ALIGN_RIGHT, x - 7, y + height / 2 + 6, GUTTER)->plane = plane;
    preview_letters(right, letters);
    put(p, PREVIEW_LETTER_RIGHT, letters, 16, true, ALIGN_LEFT, x + width + 7, y + height / 2 + 6, GUTTER)->plane =
        plane;

    char words[16];
    length_words(length, words);
    const double bar = length * scale, words_width = width_of(p, words, 12, false);
    const double bar_x = round(x + (width - bar - 8 - words_width) / 2), bar_y = y + height + LETTER_ROW + 14;
    panel->scale_mm = length;
    panel->scale_bar = (preview_rectangle){bar_x, bar_y - 3, bar, 6};
    put(p, PREVIEW_SCALE, words, 12, false, ALIGN_LEFT, bar_x + bar + 8, bar_y + 4, cell_width)->plane = plane;
}

/* The width that a panel's cell needs for image, letters and captions. */
static double cell_width_of(const pen *p, const preview_content *content, preview_plane plane, double scale)
{
    const preview_view *v = &preview_views[plane];
    const double image = ceil((content->frame.high_mm[v->across] - content->frame.low_mm[v->across]) * scale);
    char name[48], place[80];
    caption_words(content, plane, name, place);
    return ceil(fmax(image + 2 * GUTTER, fmax(width_of(p, name, 15, true), width_of(p, place, 12, false)) + 12));
}

/* ---------------------------------------------------------------- legend */

typedef struct ranked {
    int64_t voxels;
    int label;
} ranked;

static int largest_first(const void *x, const void *y)
{
    const ranked *a = x, *b = y;
    if (a->voxels != b->voxels) return a->voxels > b->voxels ? -1 : 1;
    return a->label - b->label;
}

/* "Found nothing: a, b, c and 12 more" (or, where that is all, "Looked for: ..."), as far as `capacity` goes. */
static void missing_words(const preview_request *request, int missing, char *words, size_t capacity)
{
    size_t length =
        (size_t)snprintf(words, capacity, missing < request->label_count ? "Found nothing: " : "Looked for: ");
    int named = 0;
    for (int n = 0; n < request->label_count; n++) {
        if (request->labels[n].voxels > 0) continue;
        char name[PREVIEW_WORDS];
        copy_words(name, request->labels[n].name);
        if (length + strlen(name) + 24 > capacity) break;
        length += (size_t)snprintf(words + length, capacity - length, "%s%s", named ? ", " : "", name);
        named++;
    }
    if (named < missing)
        snprintf(words + length, capacity - length, "%s%d %s", named ? " and " : "", missing - named,
                 named ? "more" : "labels");
}

static void put_entry(pen *p, const preview_label *label, double x, double y)
{
    char amount[24];
    volume_words(label, amount);
    const double amount_width = width_of(p, amount, 13, false);
    if (p->layout->chip_count < PREVIEW_CHIPS_MOST)
        p->layout->chips[p->layout->chip_count++] = (preview_chip){{x, y + 2, 14, 14}, label->tint};
    put(p, PREVIEW_LEGEND, amount, 13, false, ALIGN_RIGHT, x + LEGEND_COLUMN, y + 14, LEGEND_COLUMN);
    put(p, PREVIEW_LEGEND, label->name, 13, false, ALIGN_LEFT, x + 22, y + 14, LEGEND_COLUMN - 22 - amount_width - 12);
}

/* Below the panels, in as many columns as the width has room for, read downwards. Returns the y of its end in *bottom. */
static sat_status put_legend(pen *p, const preview_request *request, double x, double y, double width, double *bottom,
                             sat_error *error)
{
    ranked *order = malloc((size_t)(request->label_count + 1) * sizeof *order);
    if (!order) return sat_fail(error, SAT_NO_MEMORY, "no memory for the preview's legend");
    int found = 0;
    for (int n = 0; n < request->label_count; n++)
        if (request->labels[n].voxels > 0) order[found++] = (ranked){request->labels[n].voxels, n};
    qsort(order, (size_t)found, sizeof *order, largest_first);

    const int columns = (int)((width + LEGEND_GAP) / (LEGEND_COLUMN + LEGEND_GAP)),
              missing = request->label_count - found;
    char words[420];
    if (found > 0)
        snprintf(words, sizeof words, "Found %d of %d", found, request->label_count);
    else
        snprintf(words, sizeof words, request->label_count ? "Nothing was found" : "No labels");
    put(p, PREVIEW_LEGEND, words, 15, true, ALIGN_LEFT, x, y + 14, width);
    y += 24;
    int rows = (found + columns - 1) / columns, shown = found;
    if (rows > LEGEND_ROWS_MOST) {
        rows = LEGEND_ROWS_MOST;
        shown = rows * columns - 1; /* the last place says how many more */
        snprintf(words, sizeof words, "and %d more", found - shown);
        put(p, PREVIEW_LEGEND, words, 13, false, ALIGN_LEFT, x + (columns - 1) * (LEGEND_COLUMN + LEGEND_GAP) + 22,
            y + (rows - 1) * LEGEND_ROW + 14, LEGEND_COLUMN - 22);
    }
    for (int n = 0; n < shown; n++)
        put_entry(p, &request->labels[order[n].label], x + n / rows * (LEGEND_COLUMN + LEGEND_GAP),
                  y + n % rows * LEGEND_ROW);
    free(order);
    *bottom = y + rows * LEGEND_ROW + 4;
    if (missing) {
        missing_words(request, missing, words, sizeof words);
        *bottom = put_lines(p, PREVIEW_NOTE, words, 12, false, x, *bottom + 16, width, NOTE_ROWS) - 8;
    }
    return SAT_OK;
}

/* ---------------------------------------------------------------- the whole */

enum { SUBTITLE_BYTES = 400 };

static void subtitle_words(const preview_content *content, char words[SUBTITLE_BYTES])
{
    const volume *scan = content->request->scan;
    double mm[3];
    affine_spacing(scan->grid.voxel_to_world, mm);
    const int64_t *shape = scan->grid.shape_ijk;
    char oblique[64] = "";
    if (affine_shear(scan->grid.voxel_to_world) > 0.01)
        snprintf(oblique, sizeof oblique, "; sheared scan, shown on perpendicular planes");
    else if (content->frame.oblique_degrees >= 1.0)
        snprintf(oblique, sizeof oblique, "; the scan's own planes, oblique by %.0f deg",
                 content->frame.oblique_degrees);
    char modality[25] = "";
    if (content->request->modality) snprintf(modality, sizeof modality, "%s", content->request->modality);
    for (char *c = modality; *c && strlen(modality) <= 3; c++)
        if (*c >= 'a' && *c <= 'z') *c = (char)(*c - 'a' + 'A');
    snprintf(words, SUBTITLE_BYTES, "%s%s%lld x %lld x %lld voxels of %.3g x %.3g x %.3g mm; %s%s", modality,
             *modality ? ", " : "", (long long)shape[0], (long long)shape[1], (long long)shape[2], mm[0], mm[1], mm[2],
             content->window.words, oblique);
}

static sat_status lay_out_whole(pen *p, const preview_content *content, const double scales[PREVIEW_PLANES],
                                sat_error *error)
{
    const preview_request *request = content->request;
    preview_layout *l = p->layout;
    double cells[PREVIEW_PLANES], panels_width = 0, row_height = 0;
    for (int n = 0; n < PREVIEW_PLANES; n++) {
        const preview_view *v = &preview_views[n];
        cells[n] = cell_width_of(p, content, (preview_plane)n, scales[n]);
        panels_width += cells[n];
        row_height = fmax(row_height, ceil((content->frame.high_mm[v->up] - content->frame.low_mm[v->up]) * scales[n]));
    }
    double spare = 0, width = 2 * MARGIN + panels_width, x = MARGIN, bottom = 0;
    if (width < WIDTH_LEAST) {
        spare = floor((WIDTH_LEAST - width) / PREVIEW_PLANES);
        width = WIDTH_LEAST;
    }
    const double top = MARGIN + 60;
    for (int n = 0; n < PREVIEW_PLANES; n++) {
        put_panel(p, content, (preview_plane)n, scales, x, cells[n] + spare, top, row_height);
        x += cells[n] + spare;
    }
    const double legend = top + CAPTION_ROWS + 2 * LETTER_ROW + row_height + SCALE_ROW + 20;
    const sat_status status = put_legend(p, request, MARGIN, legend, width - 2 * MARGIN, &bottom, error);
    if (status != SAT_OK) return status;
    char words[SUBTITLE_BYTES];
    put(p, PREVIEW_TITLE, request->title ? request->title : "sat3d segmentation", 19, true, ALIGN_LEFT, MARGIN,
        MARGIN + 18, width - 2 * MARGIN);
    subtitle_words(content, words);
    put(p, PREVIEW_SUBTITLE, words, 13, false, ALIGN_LEFT, MARGIN, MARGIN + 40, width - 2 * MARGIN);
    double baseline = bottom + 28;
    bool found = false;
    for (int n = 0; n < request->label_count; n++)
        found = found || request->labels[n].voxels > 0;
    snprintf(
        words, sizeof words,
        "Radiological convention: the patient's left is on the right of axial and coronal pictures. Slices are %s.",
        found ? "those that show the most of what was found" : "the middle ones");
    baseline = put_lines(p, PREVIEW_FOOTER, words, 12, false, MARGIN, baseline, width - 2 * MARGIN, 3);
    snprintf(words, sizeof words, "For research use. Not a medical device. Made by sat3d %s.", sat_version());
    put(p, PREVIEW_FOOTER, words, 12, true, ALIGN_LEFT, MARGIN, baseline, width - 2 * MARGIN);
    l->width = (int)ceil(width);
    l->height = (int)ceil(baseline + MARGIN - 2);
    return SAT_OK;
}

static void lay_out_panel(pen *p, const preview_content *content, preview_plane plane,
                          const double scales[PREVIEW_PLANES])
{
    const double scale = scales[plane];
    const preview_view *v = &preview_views[plane];
    const double cell = cell_width_of(p, content, plane, scale);
    const double height = ceil((content->frame.high_mm[v->up] - content->frame.low_mm[v->up]) * scale);
    put_panel(p, content, plane, scales, 6, cell, 6, height);
    p->layout->width = (int)cell + 12;
    p->layout->height = (int)(6 + CAPTION_ROWS + 2 * LETTER_ROW + height + SCALE_ROW + 6);
}

sat_status preview_layout_make(const preview_content *content, preview_plane only, preview_layout **made,
                               sat_error *error)
{
    sat_status status = SAT_OK;
    double scales[PREVIEW_PLANES];
    *made = calloc(1, sizeof **made);
    cairo_surface_t *surface = cairo_image_surface_create(CAIRO_FORMAT_A8, 1, 1);
    pen p = {*made, cairo_create(surface)};
    cairo_font_options_t *font = cairo_font_options_create();
    cairo_font_options_set_hint_metrics(font, CAIRO_HINT_METRICS_OFF);
    cairo_set_font_options(p.measure, font);
    choose_scales(&content->frame, only == PREVIEW_PLANES ? PANELS_WIDTH : REPORT_WIDTH, scales);
    if (!*made)
        status = sat_fail(error, SAT_NO_MEMORY, "no memory for the preview's layout");
    else if (only == PREVIEW_PLANES)
        status = lay_out_whole(&p, content, scales, error);
    else
        lay_out_panel(&p, content, only, scales);
    if (status == SAT_OK && cairo_status(p.measure) != CAIRO_STATUS_SUCCESS)
        status = sat_fail(error, SAT_NO_MEMORY, "no memory for measuring the preview's text: %s",
                          cairo_status_to_string(cairo_status(p.measure)));
    cairo_font_options_destroy(font);
    cairo_destroy(p.measure);
    cairo_surface_destroy(surface);
    if (status != SAT_OK) {
        free(*made);
        *made = NULL;
    }
    return status;
}
