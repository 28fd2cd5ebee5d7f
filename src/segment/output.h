/* What a segmentation leaves behind: one mask a label on the scan's own grid, and segmentation.json beside them. */
#ifndef SAT_SEGMENT_OUTPUT_H
#define SAT_SEGMENT_OUTPUT_H

#include "base/error.h"
#include "image/nifti.h"
#include "segment/segmenter.h"
#include "text/file_name.h"

/* A mask that has been written. */
typedef struct output_label {
    char file[FILE_NAME_MAX + 8]; /* name within the folder */
    restore_found found;
} output_label;

/* Writes masks as they come: hand `output_sink` to segmenter_run, then output_write_record. Every file appears under its
 * name only when it is whole. */
typedef struct output {
    const char *folder;             /* borrowed */
    const segment_request *request; /* borrowed */
    const volume *scan;             /* borrowed */
    output_label *labels;           /* owned; one for each prompt */
    nifti_writer writer;            /* of the mask that is being written */
    int threads;
    unsigned warnings;              /* VOLUME_WARNS_SHEARED: a mask's sform is sheared */
} output;

/* Makes the folder, chooses the files' names. Fails with SAT_IO, SAT_NO_MEMORY. */
sat_status output_open(const char *folder, const segment_request *request, const volume *scan, int threads, output *out,
                       sat_error *error);
segment_sink output_sink(output *out);
/* The volume of a mask that was written, in millilitres. */
double output_volume_ml(const output *out, int prompt);
/* Removes a mask that is half written; safe on a zeroed output and when called twice. */
void output_close(output *out);

/* Who and what made it, for the side-car. */
typedef struct output_provenance {
    const char *scan_name;     /* the scan's file name without folders */
    const char *model_name;    /* likewise the model's                 */
    const char *modality_note; /* how the modality was found, or NULL  */
} output_provenance;

/* segmentation.json (schema 1; docs/segmentation-json.md). The same bytes for the same input: no times, no dates. */
sat_status output_write_record(const output *out, const segmenter *s, const segment_record *record,
                               const output_provenance *from, sat_error *error);

#endif
