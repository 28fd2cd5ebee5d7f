#include "segment/preview.h"

#include "base/file.h"
#include "segment/preview_layout.h"

#include <cairo.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---------------------------------------------------------------- panels as pixels */

/* How strongly a label's colour covers the grey inside it; its outline covers all. */
static const double cover = 0.38;

static double grey_of(const preview_window *w, float value)
{
    if (!isfinite(value)) return w->dark_is_high ? 1.0 : 0.0;
    const double g = fmin(1.0, fmax(0.0, ((double)value - w->low) / (w->high - w->low)));
    return w->dark_is_high ? 1.0 - g : g;
}

/* The pixels of a label that have another label, or none, within `reach` beside them. */
static bool on_outline(const preview_image *image, int x, int y, int reach)
{
    const uint16_t id = image->labels[(size_t)y * (size_t)image->width + (size_t)x];
    for (int v = -reach; v <= reach; v++)
        for (int h = -reach; h <= reach; h++) {
            const int at_x = x + h, at_y = y + v;
            if (at_x < 0 || at_y < 0 || at_x >= image->width || at_y >= image->height) continue;
            if (image->labels[(size_t)at_y * (size_t)image->width + (size_t)at_x] != id) return true;
        }
    return false;
}

static uint32_t pixel_colour(const preview_content *content, const preview_image *image, int x, int y, int reach)
{
    const size_t at = (size_t)y * (size_t)image->width + (size_t)x;
    const double grey = 255.0 * grey_of(&content->window, image->values[at]);
    double rgb[3] = {grey, grey, grey};
    if (image->labels[at]) {
        const colour tint = content->request->labels[image->labels[at] - 1].tint;
        const double covered = on_outline(image, x, y, reach) ? 1.0 : cover,
                     parts[3] = {tint.red, tint.green, tint.blue};
        for (int n = 0; n < 3; n++)
            rgb[n] += covered * (parts[n] - rgb[n]);
    }
    return (uint32_t)lrint(rgb[0]) << 16 | (uint32_t)lrint(rgb[1]) << 8 | (uint32_t)lrint(rgb[2]);
}

static sat_status draw_image(cairo_t *cairo, const preview_content *content, const preview_panel *panel,
                             sat_error *error)
{
    preview_image image;
    const preview_request *request = content->request;
    sat_status status = preview_image_cut(request, &content->frame, panel->plane, &content->cuts[panel->plane],
                                          panel->mm_per_pixel, &image, error);
    if (status != SAT_OK) return status;
    cairo_surface_t *surface = cairo_image_surface_create(CAIRO_FORMAT_RGB24, image.width, image.height);
    unsigned char *pixels = cairo_image_surface_get_data(surface);
    if (!pixels) {
        status = sat_fail(error, SAT_NO_MEMORY, "no memory for a preview of %d x %d pixels", image.width, image.height);
    } else {
        const int stride = cairo_image_surface_get_stride(surface), reach = image.mm_per_pixel < 0.4 ? 2 : 1;
        for (int y = 0; y < image.height; y++)
            for (int x = 0; x < image.width; x++) {
                const uint32_t value = pixel_colour(content, &image, x, y, reach);
                memcpy(pixels + (size_t)y * (size_t)stride + 4 * (size_t)x, &value, sizeof value);
            }
        cairo_surface_mark_dirty(surface);
        cairo_set_source_surface(cairo, surface, panel->image.x, panel->image.y);
        cairo_paint(cairo);
    }
    cairo_surface_destroy(surface);
    preview_image_free(&image);
    return status;
}

/* ---------------------------------------------------------------- the rest of the picture */

static void draw_frame_and_bar(cairo_t *cairo, const preview_panel *panel)
{
    const preview_rectangle *box = &panel->image, *bar = &panel->scale_bar;
    cairo_set_line_width(cairo, 1);
    cairo_set_source_rgb(cairo, 0.33, 0.35, 0.39);
    cairo_rectangle(cairo, box->x - 0.5, box->y - 0.5, box->width + 1, box->height + 1);
    cairo_stroke(cairo);
    cairo_set_source_rgb(cairo, 0.92, 0.92, 0.92);
    cairo_rectangle(cairo, bar->x, bar->y + 2, bar->width, 2);
    cairo_rectangle(cairo, bar->x, bar->y, 2, bar->height);
    cairo_rectangle(cairo, bar->x + bar->width - 2, bar->y, 2, bar->height);
    cairo_fill(cairo);
}

static void draw_text(cairo_t *cairo, const preview_text *t)
{
    static const double letter[3] = {1.0, 0.86, 0.35}, note[3] = {1.0, 0.72, 0.35}, plain[3] = {0.93, 0.93, 0.93},
                        faint[3] = {0.70, 0.72, 0.75};
    const double *rgb = plain;
    if (t->role >= PREVIEW_LETTER_TOP && t->role <= PREVIEW_LETTER_LEFT) rgb = letter;
    if (t->role == PREVIEW_NOTE) rgb = note;
    if (t->role == PREVIEW_SUBTITLE || (t->role == PREVIEW_FOOTER && !t->bold) ||
        (t->role == PREVIEW_CAPTION && !t->bold))
        rgb = faint;
    cairo_select_font_face(cairo, preview_font, CAIRO_FONT_SLANT_NORMAL,
                           t->bold ? CAIRO_FONT_WEIGHT_BOLD : CAIRO_FONT_WEIGHT_NORMAL);
    cairo_set_font_size(cairo, t->size);
    cairo_set_source_rgb(cairo, rgb[0], rgb[1], rgb[2]);
    cairo_move_to(cairo, t->x, t->baseline);
    cairo_show_text(cairo, t->words);
}

static void draw_chip(cairo_t *cairo, const preview_chip *chip)
{
    const preview_rectangle *b = &chip->box;
    cairo_set_source_rgb(cairo, chip->tint.red / 255.0, chip->tint.green / 255.0, chip->tint.blue / 255.0);
    cairo_rectangle(cairo, b->x, b->y, b->width, b->height);
    cairo_fill(cairo);
}

/* ---------------------------------------------------------------- PNG */

typedef struct png_sink {
    unsigned char *data;
    size_t bytes, room;
} png_sink;

static cairo_status_t png_add(void *closure, const unsigned char *data, unsigned int bytes)
{
    png_sink *sink = closure;
    if (bytes > sink->room - sink->bytes) {
        const size_t room = 2 * sink->room + bytes + 65536;
        unsigned char *larger = realloc(sink->data, room);
        if (!larger) return CAIRO_STATUS_NO_MEMORY;
        sink->data = larger;
        sink->room = room;
    }
    memcpy(sink->data + sink->bytes, data, bytes);
    sink->bytes += bytes;
    return CAIRO_STATUS_SUCCESS;
}

static sat_status picture_png(const preview_content *content, preview_plane only, preview_png *png, sat_error *error)
{
    *png = (preview_png){0};
    preview_layout *layout;
    sat_status status = preview_layout_make(content, only, &layout, error);
    if (status != SAT_OK) return status;
    png_sink sink = {0};
    cairo_surface_t *surface = cairo_image_surface_create(CAIRO_FORMAT_RGB24, layout->width, layout->height);
    cairo_t *cairo = cairo_create(surface);
    cairo_font_options_t *font = cairo_font_options_create();
    cairo_font_options_set_antialias(font, CAIRO_ANTIALIAS_GRAY);
    cairo_font_options_set_hint_style(font, CAIRO_HINT_STYLE_SLIGHT);
    cairo_font_options_set_hint_metrics(font, CAIRO_HINT_METRICS_OFF);
    cairo_set_font_options(cairo, font);
    cairo_set_source_rgb(cairo, 0.085, 0.094, 0.11);
    cairo_paint(cairo);
    for (int n = 0; n < layout->panel_count && status == SAT_OK; n++) {
        status = draw_image(cairo, content, &layout->panels[n], error);
        draw_frame_and_bar(cairo, &layout->panels[n]);
    }
    for (int n = 0; n < layout->chip_count; n++)
        draw_chip(cairo, &layout->chips[n]);
    for (int n = 0; n < layout->text_count; n++)
        draw_text(cairo, &layout->texts[n]);
    if (status == SAT_OK) {
        cairo_status_t drawn = cairo_status(cairo);
        if (drawn == CAIRO_STATUS_SUCCESS) drawn = cairo_surface_write_to_png_stream(surface, png_add, &sink);
        if (drawn != CAIRO_STATUS_SUCCESS)
            status = sat_fail(error, SAT_NO_MEMORY, "no memory for drawing the preview: %s", cairo_status_to_string(drawn));
    }
    if (status == SAT_OK)
        *png = (preview_png){sink.data, sink.bytes, layout->width, layout->height};
    else
        free(sink.data);
    cairo_font_options_destroy(font);
    cairo_destroy(cairo);
    cairo_surface_destroy(surface);
    free(layout);
    return status;
}

/* ---------------------------------------------------------------- for callers */

sat_status preview_content_find(const preview_request *request, preview_content *content, sat_error *error)
{
    *content = (preview_content){.request = request};
    if (request->label_count < 0 || request->label_count > UINT16_MAX)
        return sat_fail(error, SAT_BAD_ARGUMENT, "%d labels: a label map has 0 to %d", request->label_count,
                        UINT16_MAX);
    sat_status status = preview_frame_find(&request->scan->grid, &content->frame, error);
    if (status == SAT_OK) status = preview_cuts_find(request, &content->frame, content->cuts, error);
    if (status == SAT_OK) status = preview_window_find(request, &content->window, error);
    return status;
}

sat_status preview_make_png(const preview_request *request, preview_png *png, sat_error *error)
{
    preview_content content;
    *png = (preview_png){0};
    const sat_status status = preview_content_find(request, &content, error);
    return status == SAT_OK ? picture_png(&content, PREVIEW_PLANES, png, error) : status;
}

sat_status preview_make_panels(const preview_request *request, preview_png panels[PREVIEW_PLANES], sat_error *error)
{
    preview_content content;
    for (int p = 0; p < PREVIEW_PLANES; p++)
        panels[p] = (preview_png){0};
    sat_status status = preview_content_find(request, &content, error);
    for (int p = 0; p < PREVIEW_PLANES && status == SAT_OK; p++)
        status = picture_png(&content, (preview_plane)p, &panels[p], error);
    for (int p = 0; p < PREVIEW_PLANES && status != SAT_OK; p++)
        preview_png_free(&panels[p]);
    return status;
}

sat_status preview_write_png(const char *path, const preview_request *request, sat_error *error)
{
    preview_png png;
    sat_status status = preview_make_png(request, &png, error);
    if (status == SAT_OK) status = file_write_whole(path, png.data, png.bytes, error);
    preview_png_free(&png);
    return status;
}

void preview_png_free(preview_png *png)
{
    free(png->data);
    *png = (preview_png){0};
}

sat_status preview_window_text(const preview_request *request, char words[PREVIEW_WINDOW_TEXT], sat_error *error)
{
    preview_window window;
    const sat_status status = preview_window_find(request, &window, error);
    memcpy(words, window.words, sizeof window.words);
    return status;
}
