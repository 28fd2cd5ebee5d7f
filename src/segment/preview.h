/* One picture that shows what was found: an axial, a coronal and a sagittal slice with coloured masks, legend, orientation
 * letters and scale bars, as PNG.
 *
 * The planes are the scan's own, or the closest perpendicular ones where it is sheared; on an oblique scan they are named
 * by the patient plane that they come closest to, the angle is said, and letters are compound ("RA"). Radiological
 * convention: axial and coronal have the patient's left on the right of the picture, sagittal has the front on the left.
 * Distances are physical: a millimetre is as long in both directions of a panel, whatever the spacing.
 *
 * Nothing but what is passed in is shown: no file names, no header texts. `title` must not name a patient.
 * Needs no font: where the system has none, cairo's own plain letters are used (ASCII only). */
#ifndef SAT_SEGMENT_PREVIEW_H
#define SAT_SEGMENT_PREVIEW_H

#include "base/error.h"
#include "image/volume.h"
#include "segment/colours.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A label of the map; the one at index n has id n + 1. */
typedef struct preview_label {
    const char *name; /* UTF-8; borrowed              */
    int64_t voxels;   /* 0: nothing found             */
    double volume_ml;
    colour tint; /* of colours_of_names          */
} preview_label;

typedef struct preview_request {
    const volume *scan;             /* borrowed                                                                   */
    const uint16_t *label_map;      /* borrowed; [k][j][i] on the scan's grid, 0 background; NULL: no overlay      */
    const preview_label *labels;    /* borrowed                                                                   */
    int label_count;                /* ids above it count as background                                            */
    const char *modality;           /* "ct", "mri", "pet", "MRI T1", ...: chooses the grey window                  */
    const char *title;              /* one line at the top; NULL: "sat3d segmentation"                             */
    double window_low, window_high; /* in the scan's units; equal (0, 0): chosen by modality and by what was found */
    int threads;                    /* changes no bit of the result                                               */
} preview_request;

typedef enum preview_plane { PREVIEW_AXIAL, PREVIEW_CORONAL, PREVIEW_SAGITTAL, PREVIEW_PLANES } preview_plane;

/* PNG in memory. */
typedef struct preview_png {
    unsigned char *data; /* owned */
    size_t bytes;
    int width, height; /* pixels */
} preview_png;

/* The whole picture, to a file or to memory (preview_png_free it). The same bytes for the same input on one machine (fonts
 * differ between machines). Takes about 30 MB beside the input. Fails with SAT_IO, SAT_NO_MEMORY, SAT_BAD_INPUT (a geometry
 * without volume), SAT_BAD_ARGUMENT. Thread-safe. */
sat_status preview_write_png(const char *path, const preview_request *request, sat_error *error);
sat_status preview_make_png(const preview_request *request, preview_png *png, sat_error *error);

/* The three panels as pictures of their own, with letters and scale bars but without title and legend: for reports.
 * As above; frees nothing on success, everything on failure. */
sat_status preview_make_panels(const preview_request *request, preview_png panels[PREVIEW_PLANES], sat_error *error);

/* Safe on a zeroed picture and when called twice. */
void preview_png_free(preview_png *png);

/* The grey window that a picture uses, for reports: "soft tissue window, -160 to 240 HU". */
enum { PREVIEW_WINDOW_TEXT = 96 };
sat_status preview_window_text(const preview_request *request, char words[PREVIEW_WINDOW_TEXT], sat_error *error);

#endif
