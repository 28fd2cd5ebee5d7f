/* Where everything of a preview lies: worked out before anything is drawn, so that tests can ask. Used by preview.c. */
#ifndef SAT_SEGMENT_PREVIEW_LAYOUT_H
#define SAT_SEGMENT_PREVIEW_LAYOUT_H

#include "segment/preview_planes.h"

typedef struct preview_rectangle {
    double x, y, width, height; /* pixels; y grows downwards */
} preview_rectangle;

typedef enum preview_role {
    PREVIEW_TITLE,
    PREVIEW_SUBTITLE,
    PREVIEW_CAPTION,
    PREVIEW_LETTER_TOP,
    PREVIEW_LETTER_RIGHT,
    PREVIEW_LETTER_BOTTOM,
    PREVIEW_LETTER_LEFT, /* orientation */
    PREVIEW_SCALE,
    PREVIEW_LEGEND,
    PREVIEW_NOTE,
    PREVIEW_FOOTER,
} preview_role;

enum { PREVIEW_WORDS = 200 };
typedef struct preview_text {
    preview_role role;
    preview_plane plane;       /* that a caption, letter or scale belongs to; else PREVIEW_PLANES */
    char words[PREVIEW_WORDS]; /* UTF-8, shortened to fit                                         */
    double size;               /* of the font, pixels                                             */
    bool bold;
    double x, baseline;
    preview_rectangle box; /* all that the words may cover                                    */
} preview_text;

typedef struct preview_panel {
    preview_plane plane;
    preview_rectangle image; /* whole pixels              */
    double mm_per_pixel;
    preview_rectangle scale_bar;
    double scale_mm; /* the length that the bar stands for */
} preview_panel;

/* A legend's patch of colour. */
typedef struct preview_chip {
    preview_rectangle box;
    colour tint;
} preview_chip;

/* Texts are few: two for each line of the legend, at most 14 rows of 4 columns, and some dozens. */
enum { PREVIEW_TEXTS_MOST = 256, PREVIEW_CHIPS_MOST = 96 };
typedef struct preview_layout {
    int width, height;
    int panel_count;
    preview_panel panels[PREVIEW_PLANES];
    int text_count;
    preview_text texts[PREVIEW_TEXTS_MOST];
    int chip_count;
    preview_chip chips[PREVIEW_CHIPS_MOST];
} preview_layout;

/* What a picture is made of. */
typedef struct preview_content {
    const preview_request *request;
    preview_frame frame;
    preview_cut cuts[PREVIEW_PLANES];
    preview_window window;
} preview_content;

/* Frame, slices and window of a request. Fails as preview_make_png. */
sat_status preview_content_find(const preview_request *request, preview_content *content, sat_error *error);

/* The whole picture with title, legend and footer (only == PREVIEW_PLANES), or one panel. Returns new (free it).
 * Fails with SAT_NO_MEMORY. */
sat_status preview_layout_make(const preview_content *content, preview_plane only, preview_layout **made,
                               sat_error *error);

/* The letters for a direction in RAS+ world, the largest part first, for example "L" or "LP"; parts below a fifth of the
 * whole are left out. */
void preview_letters(const double direction[3], char letters[4]);

/* The font of all text: the family's name for cairo. */
extern const char preview_font[];

#endif
