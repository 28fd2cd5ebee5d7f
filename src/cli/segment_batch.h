/* sat3d segment with several scans: a folder, a list of files, or a manifest. */
#ifndef SAT_CLI_SEGMENT_BATCH_H
#define SAT_CLI_SEGMENT_BATCH_H

#include "cli/prompts.h"
#include "cli/verb.h"
#include "segment/batch.h"

typedef struct segment_batch {
    const char *model, *manifest, *output; /* manifest NULL: the call's operands are scans and folders */
    bool recursive, overwrite;
    int volume;
    const prompt_list *prompts;            /* may be empty with a manifest   */
    const char *modality, *orientation, *dataset; /* NULL: not said          */
    segmenter_options options;             /* `prompts` is found from the list */
    case_settings base;                    /* what is wanted of each case; see batch_settings */
} segment_batch;

/* Whether the operands ask for a batch: a manifest, several, or a folder. */
bool segment_batch_wanted(const verb_call *call, const char *manifest_path);

/* Lists, segments, says what became of each, writes <output>/batch.json and batch.csv. call->failed_cases counts failures. */
sat_status segment_batch_run(verb_call *call, const segment_batch *wanted, sat_error *error);

#endif
