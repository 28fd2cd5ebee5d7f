/* Which slices a preview shows, and how they are cut from the scan. Used by preview.c and its tests. */
#ifndef SAT_SEGMENT_PREVIEW_PLANES_H
#define SAT_SEGMENT_PREVIEW_PLANES_H

#include "segment/preview.h"

/* Perpendicular axes to show a scan along: the file's own (the closest perpendicular ones where it is sheared), in the
 * order and direction closest to the patient's right, front and head. */
typedef struct preview_frame {
    double axis[3][3]; /* axis[a]: unit vector in RAS+ world; a = 0 right, 1 front, 2 head, or nearly          */
    int file_axis[3];  /* the file's axis along axis[a] ...                                                   */
    bool flip[3];      /* ... or against it                                                                   */
    double low_mm[3],
        high_mm[3];         /* the scan, outer faces of its voxels, lies between these along axis[a]               */
    double oblique_degrees; /* largest angle between an axis and the patient's                                     */
    double world_to_voxel[3][4];
} preview_frame;

/* Fails with SAT_BAD_INPUT (a geometry without volume). */
sat_status preview_frame_find(const geometry *grid, preview_frame *frame, sat_error *error);

/* Frame axes of a plane: across the picture, up it and through it. The picture's top is along `up`, its right AGAINST
 * `across` (radiological convention: the patient's left, or in sagittal planes the back, is on the right). */
typedef struct preview_view {
    int across, up, through;
} preview_view;
extern const preview_view preview_views[PREVIEW_PLANES];

/* A slice: its file index along frame.file_axis[through], and its place along frame.axis[through]. */
typedef struct preview_cut {
    int64_t slice;
    double position_mm;
} preview_cut;

/* For each plane the slice in which the most is to be seen: the one with the largest sum, over labels, of the square root
 * of a label's voxels in it (its diameter, so to speak), so that large structures count more, but many small ones are not
 * passed over for one large. Among equals the one nearest to the middle of all that was found. Nothing found: the middle of
 * the scan. Fails with SAT_NO_MEMORY. */
sat_status preview_cuts_find(const preview_request *request, const preview_frame *frame,
                             preview_cut cuts[PREVIEW_PLANES], sat_error *error);

/* A slice resampled to square pixels, top row first. */
typedef struct preview_image {
    int width, height;
    double mm_per_pixel;
    float *
        values; /* owned; the scan's units, trilinear (averaged where pixels are larger than voxels); NaN outside the scan */
    uint16_t *labels; /* owned; nearest voxel's id; 0: none */
} preview_image;

/* Cuts a plane at `mm_per_pixel`: the whole of the scan's extent, at least one pixel. Fails with SAT_NO_MEMORY, SAT_BAD_ARGUMENT
 * (more than 16384 pixels along a side). */
sat_status preview_image_cut(const preview_request *request, const preview_frame *frame, preview_plane plane,
                             const preview_cut *cut, double mm_per_pixel, preview_image *image, sat_error *error);
/* Safe on a zeroed image and when called twice. */
void preview_image_free(preview_image *image);

/* The grey window: which values are black and white. */
typedef struct preview_window {
    double low, high;
    bool dark_is_high;               /* pet: uptake is dark on a light ground, as is the habit */
    char words[PREVIEW_WINDOW_TEXT]; /* for people */
} preview_window;

/* As asked for, or:
 *   ct          by the median of what was found: lung below -400 HU, bone above 250 HU, else soft tissue (centre and width as
 *               viewers' presets have them); percentiles where the values are no Hounsfield units
 *   pet         0 to the 99.5th percentile, dark is high
 *   all others  1st to 99.5th percentile
 * Percentiles are over finite voxels other than 0, some millions of them on a fixed pattern. Fails with SAT_NO_MEMORY. */
sat_status preview_window_find(const preview_request *request, preview_window *window, sat_error *error);

#endif
