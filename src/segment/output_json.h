/* segmentation.json, the side-car of a case (schema 1; docs/segmentation-json.md). */
#ifndef SAT_SEGMENT_OUTPUT_JSON_H
#define SAT_SEGMENT_OUTPUT_JSON_H

#include "base/json.h"
#include "segment/case.h"

/* The object itself, new (json_decref it); json_text and json_write say so when memory was short. */
json_t *output_make_json(const segmenter *s, const volume *scan, const case_settings *settings, const case_result *result);

/* The same bytes for the same input: no times, no dates, no paths. Fails with SAT_IO, SAT_NO_MEMORY. */
sat_status output_write_json(const char *path, const segmenter *s, const volume *scan, const case_settings *settings,
                             const case_result *result, sat_error *error);

#endif
