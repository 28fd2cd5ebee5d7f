/* --statistics: one line for each label, RFC 4180, units in the names (docs/segmentation-json.md). */
#ifndef SAT_SEGMENT_OUTPUT_CSV_H
#define SAT_SEGMENT_OUTPUT_CSV_H

#include "segment/case.h"

/* The same bytes for the same input. Fields that a label has no value for are empty. Fails with SAT_IO, SAT_NO_MEMORY. */
sat_status output_write_csv(const char *path, const case_settings *settings, const case_result *result, sat_error *error);

#endif
