/* What became of a batch, for people's tables and for programs. */
#ifndef SAT_SEGMENT_BATCH_SUMMARY_H
#define SAT_SEGMENT_BATCH_SUMMARY_H

#include "base/error.h"
#include "base/json.h"
#include "segment/batch.h"

typedef struct batch_counts {
    int cases, done, finished, planned, failed, left;
} batch_counts;

batch_counts batch_count(const batch_list *list, const batch_outcome *outcomes);

/* "segmented", "finished before", "would be segmented", "failed", "not reached". */
const char *batch_state_text(batch_state state);

/* {"schema", "program", "version", "notice", "cases": N, "segmented", ..., "seconds", "items": [{"name", "scan", "state",
 * "labels_found", "labels", "seconds", "error"}]}: a new reference, NULL when memory is short. `seconds`: of the whole batch. */
json_t *batch_summary_json(const batch_list *list, const batch_outcome *outcomes, double seconds);

/* Writes <folder>/batch.json and <folder>/batch.csv (a line for each scan, RFC 4180). Fails with SAT_IO, SAT_NO_MEMORY. */
sat_status batch_summary_write(const char *folder, const batch_list *list, const batch_outcome *outcomes, double seconds,
                               sat_error *error);

#endif
