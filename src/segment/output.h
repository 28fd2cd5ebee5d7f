/* Mask files: one for each label on the scan's own grid, written as the masks come. Every file appears under its name only
 * when it is whole. */
#ifndef SAT_SEGMENT_OUTPUT_H
#define SAT_SEGMENT_OUTPUT_H

#include "base/error.h"
#include "image/nifti.h"
#include "image/volume.h"
#include "segment/batch_writer.h"
#include "text/file_name.h"

enum { OUTPUT_NAME_MAX = FILE_NAME_MAX + 8 };

typedef struct output {
    const char *folder;             /* borrowed; NULL: nothing is written            */
    const volume *scan;             /* borrowed                                      */
    char (*names)[OUTPUT_NAME_MAX]; /* owned; of each label's file within the folder */
    nifti_writer mask;              /* of the label at hand                          */
    batch_files *behind;            /* borrowed; NULL: masks are written at once       */
    batch_mask *queued;             /* with `behind`, instead of `mask`                */
    int threads;
    unsigned warnings;              /* VOLUME_WARNS_SHEARED: a mask's sform is sheared */
} output;

/* Makes the folder, chooses the files' names ("liver.nii.gz"). With folder NULL all that follows does nothing. With `behind` (may be
 * NULL) masks are handed to its writer.
 * Fails with SAT_IO, SAT_NO_MEMORY. */
sat_status output_open(const char *folder, const char *const *labels, int count, const volume *scan, int threads,
                       batch_files *behind, output *out, sat_error *error);

/* A label's mask: begin, then all voxels in the file's order in any number of calls (NULL: zeros), then end. */
sat_status output_begin(output *out, int label, sat_error *error);
sat_status output_mask(output *out, const uint8_t *mask, size_t voxels, sat_error *error);
sat_status output_end(output *out, sat_error *error);

/* Removes a mask that is half written; safe on a zeroed output and when called twice. */
void output_close(output *out);

/* "folder/name"; returns new (free it), NULL when memory is short. */
char *output_path_in(const char *folder, const char *name);

#endif
