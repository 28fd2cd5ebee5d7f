/* The files of a batch's case that a single scan has under names of the user's choice: label map, table, picture, report. In a batch
 * the user says a name without folders, and every case has a file of that name in its own folder. */
#ifndef SAT_SEGMENT_BATCH_OUTPUTS_H
#define SAT_SEGMENT_BATCH_OUTPUTS_H

#include "base/error.h"
#include "segment/case.h"

/* Whether the names of `names` (label_map, statistics, preview, report; NULL: not wanted) do for every case of a batch.
 * Fails with SAT_BAD_ARGUMENT: a folder in a name, a hidden name, another ending than the kind of file has;
 * any of these, probabilities or filters together with compat_folder. Thread-safe. */
sat_status batch_outputs_check(const case_settings *names, sat_error *error);

/* The paths of a case's files. */
typedef struct batch_outputs {
    char *label_map, *statistics, *preview, *report; /* owned; NULL: not wanted */
} batch_outputs;

/* Names in *settings become paths in `folder`, which *owned keeps. Fails with SAT_NO_MEMORY; then, too, batch_outputs_free it. */
sat_status batch_outputs_place(case_settings *settings, const char *folder, batch_outputs *owned, sat_error *error);
/* Safe on a zeroed one and when called twice. */
void batch_outputs_free(batch_outputs *owned);

/* The names of all files that a case of `labels` labels has of these, the label map's companions included: at most
 * BATCH_OUTPUTS_MOST strings, owned by the caller; *count how many. Fails with SAT_NO_MEMORY. */
enum { BATCH_OUTPUTS_MOST = 6 };
sat_status batch_outputs_names(const case_settings *names, int labels, char *files[BATCH_OUTPUTS_MOST], int *count, sat_error *error);

#endif
