/* The scans of a batch: from folders and files, or from a manifest; and the names of their folders below the output folder. */
#ifndef SAT_SEGMENT_BATCH_LIST_H
#define SAT_SEGMENT_BATCH_LIST_H

#include "base/error.h"
#include "segment/manifest.h"

#include <stdbool.h>

typedef struct batch_item {
    char *scan_path;             /* owned; as it is opened                                                                */
    char *name;                  /* owned; of its folder below the output folder, "case7" or "dataset/case7"; never twice */
    char *refusal;               /* owned; why it can't be segmented, known beforehand; NULL: nothing against it          */
    const char *const *prompts;  /* borrowed from the manifest or the caller                                              */
    int prompt_count;
    const char *modality;        /* borrowed; NULL: to be found from the values */
    const char *orientation_code; /* borrowed; NULL: RAS */
    const char *dataset;         /* borrowed; NULL: none; for --compat */
} batch_item;

typedef struct batch_list {
    batch_item *items; /* owned, with a `room` of its own */
    int count, room;
    int from_working_folder; /* relative images of the manifest that were not in its folder but in the working folder */
} batch_list;

/* What counts for every scan: in a list of files always; in a manifest before what its lines say. All borrowed, NULL or 0: not said. */
typedef struct batch_wishes {
    const char *const *prompts;
    int prompt_count;
    const char *modality, *orientation_code;
    const char *dataset; /* for --compat */
} batch_wishes;

/* Scans and folders as on a command line. Of a folder, in the order of their names: what ends as scans do (.nii, .nii.gz, .hdr, and
 * .img without .hdr) or begins as one inside. Not taken: hidden files; folders within, unless `recursive`; and then not `output`, nor
 * folders that hold a segmentation.json: they are results. A path that is not there becomes an item with a refusal.
 * Fails with SAT_BAD_INPUT (a folder without scans), SAT_IO, SAT_NO_MEMORY. Free the list after a failure, too. */
sat_status batch_list_paths(const char *const *paths, int count, bool recursive, const char *output, const batch_wishes *wishes,
                            batch_list *list, sat_error *error);
/* The lines of a manifest that was read from `path`: relative images are looked for beside it, then in the working folder; bad lines
 * become items with a refusal. */
sat_status batch_list_manifest(const manifest *m, const char *path, const batch_wishes *wishes, batch_list *list, sat_error *error);
/* Safe on a zeroed list and when called twice. */
void batch_list_free(batch_list *list);

#endif
