/* What sums up a case, written after all masks: label map, table, picture, side-car. Between case.c and case_files.c. */
#ifndef SAT_SEGMENT_CASE_FILES_H
#define SAT_SEGMENT_CASE_FILES_H

#include "segment/case.h"
#include "segment/label_map.h"

/* In this order, the side-car last. `map` is zeroed where none was wanted; pictures use it up. Adds to result's warnings.
 * Fails with SAT_IO, SAT_NO_MEMORY. */
sat_status case_files_write(const segmenter *s, const volume *scan, const case_settings *settings, label_map *map,
                            case_result *result, sat_error *error);

#endif
