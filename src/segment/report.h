/* A segmentation as one HTML file for people: pictures, table, warnings, what was done. Self-contained (pictures and style
 * are inside, nothing is loaded from anywhere), readable on a phone and on paper; a few lines of script sort the table and are
 * not needed for reading. Every text is escaped. */
#ifndef SAT_SEGMENT_REPORT_H
#define SAT_SEGMENT_REPORT_H

#include "base/error.h"
#include "segment/preview.h"

#include <stddef.h>
#include <stdint.h>

/* What is told of a label; the preview's labels have the same order. */
typedef struct report_label {
    double centroid_mm[3];           /* RAS+ world; not shown where nothing was found                */
    double mean, standard_deviation; /* of the scan inside the mask, in the scan's units; NaN: "-"   */
    const char *const *warnings;     /* sentences about this label; borrowed                         */
    int warning_count;
} report_label;

/* A line "name: value" of a section, and a section ("Scan", "Model", "Plan and timing"). All borrowed, UTF-8. */
typedef struct report_row {
    const char *name, *value;
} report_row;
typedef struct report_section {
    const char *title;
    const report_row *rows;
    int row_count;
} report_section;

typedef struct report {
    const preview_request *preview; /* scan, label map, names, colours, volumes; borrowed                         */
    const report_label *labels;     /* preview->label_count of them; NULL: no centroids and intensities           */
    const char *intensity_unit;     /* "HU", "SUV" or NULL                                                        */
    const char *const *warnings;    /* of the whole run, sentences                                                */
    int warning_count;
    const report_section *sections; /* in order                                                                   */
    int section_count;
} report;

/* Writes it, whole or not at all. The same bytes for the same input on one machine. Fails as preview_make_panels. */
sat_status report_write_html(const char *path, const report *r, sat_error *error);

#endif
