/* One case: a scan and words in, results out. What the program does for a scan on its command line, what a batch does for each
 * line of a manifest, and what the C interface does, is this one function.
 *
 *   segmenter_open -> for each scan: volume_read, case_plan (what it will take), case_run -> case_result_free */
#ifndef SAT_SEGMENT_CASE_H
#define SAT_SEGMENT_CASE_H

#include "base/error.h"
#include "base/progress.h"
#include "image/components.h"
#include "image/volume.h"
#include "segment/check_masks.h"
#include "segment/output.h"
#include "segment/segmenter.h"
#include "segment/statistics.h"

/* What is wanted. All borrowed for the call. A zeroed one with request filled computes, measures and writes nothing. */
typedef struct case_settings {
    segment_request request;      /* probabilities is case_run's business, and it adds to beside_bytes                   */

    /* What of a mask stays (components.h); off when zeroed. What went is told for each label. */
    double minimum_volume_ml;     /* connected parts smaller than this go                                              */
    bool largest_component;       /* all but the largest connected part go                                             */

    /* Files. Each is optional and independent of the others; their folders are made if need be. That the single ones can be
       written is tried before anything is computed. */
    const char *folder;           /* one mask for each label, and segmentation.json; made if need be                   */
    bool probabilities;           /* <label>_probability.nii.gz too; needs folder                                      */
    const char *label_map;        /* .nii or .nii.gz with all labels (label_map.h), with .txt for ITK-SNAP and .ctbl for 3D
                                     Slicer beside it, and, without folder, .json as segmentation.json                 */
    const char *statistics;       /* .csv, a line for each label                                                       */
    const char *preview;          /* .png                                                                              */
    const char *report;           /* .html                                                                             */
    const char *compat_folder;    /* what the original release writes (compat.h); goes without filters                 */
    const char *compat_dataset;   /* the dataset's folder in it; NULL: none                                            */

    const segment_sink *also;     /* gets the final masks, too, slice by slice; its slices.nothing must be there, its
                                     `again`, `processed`, `merged` are not called; NULL: nobody                       */

    const char *scan_path;        /* no output may have this name; NULL: not from a file                               */
    /* For the side-car. */
    const char *scan_name;        /* the scan's file name without folders; NULL: not told                              */
    const char *model_name;       /* likewise the model's                                                              */
    const char *modality_note;    /* how the modality was found, or NULL                                               */

    const check_list *checked;    /* what check_scan found of the scan; NULL: case_run looks itself                     */

    struct batch_files *behind;   /* NULL: files are written at once; else masks and, last, the side-car are handed to this,
                                     and the case is finished when batch_files_wait says so (segment/batch_writer.h)    */
} case_settings;

/* What was found for a prompt; the label at index n has id n + 1. */
typedef struct case_label {
    const char *name;                          /* the prompt as the user spelt it; borrowed from the request */
    char file[OUTPUT_NAME_MAX];                /* the mask's name within the folder; "" when none is written */
    char probability_file[OUTPUT_NAME_MAX];    /* likewise                                                   */
    label_statistics found;                    /* after what was removed                                     */
    components_report parts;                   /* of the mask before; zero when nothing was asked            */
    mask_seen seen;                            /* after what was removed: where it touches the scan's edge   */
} case_label;

typedef struct case_result {
    case_label *labels; /* owned; one for each prompt, in order */
    int label_count;
    segment_record record;
    char **warnings;               /* owned sentences for the user, about the scan and about what was found  */
    int warning_count;
    bool warning_lost;            /* memory was short for one: case_run fails, so that none goes missing silently */
    check_list checks;             /* all findings, of the scan and of masks (docs/checks.md)                */
    char *record_path;             /* owned: the side-car that was written, or NULL */
} case_result;

/* What case_run will do and take. As segmenter_plan. */
sat_status case_plan(segmenter *s, const volume *scan, const case_settings *settings, segment_plan *plan, sat_error *error);

/* Segments the scan and writes what is wanted. Every file appears only when it is whole, the side-car last: where it is, the
 * case is finished. No bit of any file depends on the number of threads.
 *
 * result   out; case_result_free it, after a failure too
 * watch    progress and cancelling; may be NULL
 *
 * Fails as segmenter_run, with SAT_IO, and with SAT_BAD_ARGUMENT for settings that contradict each other. Not to be called
 * twice at once on one segmenter. */
sat_status case_run(segmenter *s, const volume *scan, const case_settings *settings, case_result *result, progress *watch,
                    sat_error *error);

/* Adds a sentence (copied) to the result's warnings; one that is there already is not added. */
void case_warn(case_result *result, const char *sentence);

/* Safe on a zeroed result and when called twice. */
void case_result_free(case_result *result);

#endif
