/* From a scan and words to masks: the whole way, for one scan after another with one model (docs/architecture.md).
 *
 *   segmenter_open -> for each scan: segmenter_plan (what it will take) -> segmenter_run -> masks through a sink */
#ifndef SAT_SEGMENT_SEGMENTER_H
#define SAT_SEGMENT_SEGMENTER_H

#include "base/error.h"
#include "base/progress.h"
#include "image/volume.h"
#include "model/model_file.h"
#include "segment/merge.h"
#include "segment/restore.h"
#include "segment/standardise.h"
#include "tensor/element.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct segmenter segmenter;

typedef struct segmenter_options {
    element_type type;         /* of the network; float32 is used where the processor has no bfloat16: segmenter_type tells */
    int threads;               /* >= 1; changes no bit of the results                                                       */
    int prompts;               /* how many there will usually be: sizes of groups follow; any number works                  */
    uint64_t max_memory_bytes; /* all that the process may take; 0: three quarters of the machine's                         */
    bool query_cache;          /* keep encoded prompts on disk, for the next run                                            */
} segmenter_options;

/* Maps the model and plans its network; nothing big is taken before the first segmenter_run.
 * Fails with SAT_IO, SAT_BAD_INPUT (not a model; a model without text encoder), SAT_NO_MEMORY. */
sat_status segmenter_open(const char *model_path, const segmenter_options *options, segmenter **opened, sat_error *error);
void segmenter_close(segmenter *s); /* NULL does nothing */

element_type segmenter_type(const segmenter *s);
int segmenter_threads(const segmenter *s);
const model_file *segmenter_model(const segmenter *s);

/* Which probabilities a sink may ask for; more takes more memory. */
typedef enum segment_probabilities {
    SEGMENT_NO_PROBABILITIES, /* restore_sink.probability is NULL                                                          */
    SEGMENT_WITHIN_MASKS,     /* right where the mask is; elsewhere right or 0                                             */
    SEGMENT_EVERYWHERE,       /* right everywhere, to MERGE_TOLERANCE                                                      */
} segment_probabilities;

typedef struct segment_request {
    const char *const *prompts;   /* as the user spelt them; lower-cased inside, as the release does             */
    int prompt_count;
    const char *modality;         /* the whole text: "ct", "mri", "pet", "MRI T1", ...                          */
    const char *orientation_code; /* NULL: "RAS"                                                                */
    double overlap;               /* of windows; 0.5 is the release's                                           */
    bool skip_air;                /* leave out windows of a ct with nothing but air (changes results: docs/segment.md) */
    float threshold;              /* strictly above is mask; 0: 0.5. From 0.001 to 0.999                         */
    segment_probabilities probabilities;
    uint64_t beside_bytes;        /* what the caller holds or takes meanwhile, such as a batch's next scan: counted in the plan */
} segment_request;

/* What a run will do and take, in bytes at its peak. */
typedef struct segment_plan {
    standard_grid grid;           /* before the crop: an upper bound                                            */
    int window[3];
    size_t windows;               /* at most                                                                    */
    int passes_if_dense;          /* over the windows, if every prompt is found everywhere; else 1              */
    uint64_t network_bytes, scan_bytes, merge_bytes, restore_bytes, other_bytes;
    uint64_t total_bytes, limit_bytes, least_bytes;
    double operations_per_window; /* floating-point, of the network                                             */
} segment_plan;

/* Fails with SAT_NO_MEMORY when the limit can't be kept, naming the least that would do; SAT_BAD_ARGUMENT, SAT_BAD_INPUT as
 * standard_plan. `plan` is filled as far as known even then. */
sat_status segmenter_plan(segmenter *s, const volume *scan, const segment_request *request, segment_plan *plan, sat_error *error);

/* Where masks go, prompt by prompt, each whole: begin, then slices in file order through restore_sink, then end. Prompts come in
 * ascending order within a pass. A status other than SAT_OK stops the run and is returned. */
typedef struct segment_sink {
    void *context;
    sat_status (*begin)(void *context, int prompt, sat_error *error); /* NULL: no way back, only the two at the end are called */
    restore_sink slices;          /* its context is passed to its functions                                     */
    sat_status (*end)(void *context, int prompt, const restore_found *found, sat_error *error);
    bool (*again)(void *context, int prompt); /* after end: true for begin, slices and end once more; NULL: never */
    /* What lies on the processed grid, for those who want that; may be NULL. */
    sat_status (*processed)(void *context, const standard_scan *scan, sat_error *error);           /* once, before the windows */
    sat_status (*merged)(void *context, int prompt, const merge *merged, sat_error *error);        /* before begin             */
} segment_sink;

/* What was done, for the side-car and reports. */
typedef struct segment_record {
    segment_plan plan;
    int64_t processed_shape_xyz[3];
    intensity_statistics statistics;
    size_t windows, windows_skipped;
    int passes;
    int queries_encoded;          /* prompts that the text encoder ran for; the others came from the cache      */
    unsigned standard_warnings;   /* STANDARD_WARNS_...                                                         */
    char standard_warning_texts[3][256]; /* sentences, empty when none                                          */
    double seconds_standardise, seconds_text, seconds_network, seconds_restore;
} segment_record;

/* Segments one scan. Not to be called twice at once on one segmenter. */
sat_status segmenter_run(segmenter *s, const volume *scan, const segment_request *request, const segment_sink *sink,
                         segment_record *record, progress *watch, sat_error *error);

#endif
