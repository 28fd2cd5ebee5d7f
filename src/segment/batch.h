/* A batch: many scans with one model, one after the other; the next is read and the one before is written while one is computed.
 *
 *   segmenter_open, batch_list_... -> batch_run -> batch_summary_write (batch_summary.h) -> batch_list_free */
#ifndef SAT_SEGMENT_BATCH_H
#define SAT_SEGMENT_BATCH_H

#include "base/error.h"
#include "base/progress.h"
#include "segment/batch_list.h"
#include "segment/case.h"

typedef enum batch_state {
    BATCH_LEFT,     /* not reached: the batch was interrupted                        */
    BATCH_DONE,     /* segmented now                                                 */
    BATCH_FINISHED, /* finished by an earlier run, left as it is                     */
    BATCH_PLANNED,  /* would be segmented (batch_settings.plan_only)                 */
    BATCH_FAILED,   /* error says why                                                */
} batch_state;

/* What became of an item. */
typedef struct batch_outcome {
    batch_state state;
    sat_error error;
    double seconds;        /* that it was computed; reading and writing that went on meanwhile are not counted */
    double seconds_waited; /* that nothing could be computed because its scan was still being read             */
    int found, prompts;    /* labels with at least one voxel; of how many                                      */
    uint64_t plan_bytes;   /* of BATCH_PLANNED                                                                 */
} batch_outcome;

/* Hears of the batch, never two at once, in the calling thread. `result` (may be NULL) has the warnings of a case that is done. */
typedef struct batch_listener {
    void *context;
    void (*begins)(void *context, int item);
    void (*ends)(void *context, int item, const batch_outcome *outcome, const case_result *result);
} batch_listener;

typedef struct batch_settings {
    case_settings base;     /* prompts, modality, orientation, folder, scan_name, modality_note come from the item;
                               label_map, statistics, preview, report are names within every item's folder: batch_outputs.h;
                               compat_folder not NULL: the release's files, below `folder`, of the item's dataset           */
    const char *folder;     /* of all results; an item's go into <folder>/<its name>                                    */
    int volume_index;       /* of files with several; -1: they hold one                                                 */
    uint64_t limit_bytes;   /* the model's max_memory_bytes: what two scans and waiting masks must fit in as well       */
    bool overwrite;         /* do finished cases again                                                                  */
    bool plan_only;         /* say what would be done                                                                   */
    bool one_after_another; /* no reading ahead, no writing behind: as when memory is scarce                            */
    batch_listener listener;
} batch_settings;

/* Goes through the list. What fails for one item (its outcome's error) stops no other.
 *
 * outcomes  out; list->count of them, filled as far as it came
 * watch     progress within a case, and cancelling; may be NULL
 *
 * Fails with SAT_CANCELLED (what was computed before is written whole), SAT_IO (the output folder can't be made), SAT_NO_MEMORY. */
sat_status batch_run(segmenter *s, const batch_settings *settings, const batch_list *list, batch_outcome *outcomes, progress *watch,
                     sat_error *error);

#endif
