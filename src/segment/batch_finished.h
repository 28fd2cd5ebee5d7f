/* Which cases of a batch are finished, so that a second run leaves them: a small hidden file beside each side-car, which says of
 * what scan and wishes the masks were made and which files are whole. */
#ifndef SAT_SEGMENT_BATCH_FINISHED_H
#define SAT_SEGMENT_BATCH_FINISHED_H

#include "base/error.h"
#include "base/hash.h"
#include "segment/case.h"

#include <stdbool.h>

/* All that the files of a case depend on: the scan's path, size and time of change (of both files of a pair), the model's identity,
 * what it computes in, this program's version, prompts, modality and options. `settings` as for case_run, but the modality may be NULL
 * (to be found). Two keys are equal only if all these are. Fails with SAT_IO (no such scan), SAT_NO_MEMORY. */
sat_status batch_case_key(const segmenter *s, const char *scan_path, int volume_index, const case_settings *settings,
                          char key[HASH_SHA256_TEXT], sat_error *error);

/* Whether `folder` holds the finished case of that key: its side-car unchanged, every file there in the size that it was written
 * in. *found (may be NULL): labels with at least one voxel. */
bool batch_case_finished(const char *folder, const char *key, int *found);

/* Says that the case is not finished (any more): to be called before anything in the folder is touched. */
sat_status batch_case_begin(const char *folder, sat_error *error);
/* Says that it is, after its side-car. `names`: the case's label map, table, pictures (batch_outputs.h). Fails with SAT_IO,
 * SAT_NO_MEMORY. */
sat_status batch_case_end(const char *folder, const char *key, const case_settings *names, const case_result *result,
                          sat_error *error);

#endif
