/* Mask files: one for each label on the scan's own grid, and one with its probabilities where wanted, written as the slices
 * come. Every file appears under its name only when it is whole. */
#ifndef SAT_SEGMENT_OUTPUT_H
#define SAT_SEGMENT_OUTPUT_H

#include "base/error.h"
#include "image/nifti.h"
#include "image/volume.h"
#include "segment/batch_writer.h"
#include "text/file_name.h"

enum { OUTPUT_NAME_MAX = FILE_NAME_MAX + 24 };

typedef struct output {
    const char *folder;               /* borrowed; NULL: nothing is written                                  */
    const volume *scan;               /* borrowed                                                            */
    char (*names)[FILE_NAME_MAX];     /* owned; of each label, without ending                                */
    nifti_writer mask, probability;   /* of the label at hand                                                */
    batch_files *behind;              /* borrowed; NULL: masks are written at once                           */
    batch_mask *queued;               /* with `behind`, instead of `mask`                                    */
    bool probabilities;
    int threads;
    unsigned warnings;                /* VOLUME_WARNS_SHEARED: a mask's sform is sheared                     */
} output;

/* Bytes of the buffers behind the files. */
size_t output_bytes(bool probabilities, int threads);

/* Makes the folder, chooses the files' names. With folder NULL all that follows does nothing. With `behind` (may be NULL) masks
 * are handed to its writer; probabilities are not. Fails with SAT_IO, SAT_NO_MEMORY. */
sat_status output_open(const char *folder, bool probabilities, const char *const *labels, int count, const volume *scan, int threads,
                       batch_files *behind, output *out, sat_error *error);

/* The names of a label's files within the folder: "liver.nii.gz", "liver_probability.nii.gz" ("" where none is written). */
void output_names(const output *out, int label, char mask[OUTPUT_NAME_MAX], char probability[OUTPUT_NAME_MAX]);

/* A label: begin, then all voxels in the file's order in any number of calls (NULL: zeros), then end.
 * `probability` is looked at only where probabilities are written. */
sat_status output_begin(output *out, int label, sat_error *error);
sat_status output_add(output *out, const uint8_t *mask, const float *probability, size_t voxels, sat_error *error);
sat_status output_end(output *out, sat_error *error);

/* Removes files that are half written; safe on a zeroed output and when called twice. */
void output_close(output *out);

/* "folder/name"; returns new (free it), NULL when memory is short. */
char *output_path_in(const char *folder, const char *name);

#endif
